"""Work inside a Mailman core, for test_mailman3.py: each command is a process of its own, since a core is set up once in a process.

    python mailman_core.py CONFIG setup | inject FOLDER | probe ADDRESS | state
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any


def main(file: str, what: str, *more: str) -> Any:
    """Do one thing and return what is to be said of it."""
    from mailman.core.initialize import initialize

    initialize(file)
    from mailman.database.transaction import transaction

    with transaction():
        doing: dict[str, Callable[..., Any]] = {"setup": set_up, "inject": inject, "probe": probe, "state": tell}
        return doing[what](*more)


def the_list() -> Any:
    from mailman.interfaces.listmanager import IListManager
    from zope.component import getUtility

    return getUtility(IListManager).get("news@example.com")


def set_up() -> list[str]:
    from mailman.app.lifecycle import create_list
    from mailman.interfaces.bounce import UnrecognizedBounceDisposition
    from mailman.interfaces.domain import IDomainManager
    from mailman.interfaces.usermanager import IUserManager
    from zope.component import getUtility

    getUtility(IDomainManager).add("example.com")
    mlist = create_list("news@example.com", [])
    mlist.send_welcome_message = False
    mlist.forward_unrecognized_bounces_to = UnrecognizedBounceDisposition.site_owner
    for name in ("ann", "bob", "cat", "dan", "eve"):
        address = getUtility(IUserManager).create_address(f"{name}@example.org", name)
        address.verified_on = datetime(2026, 1, 1)  # noqa: DTZ001 - what Mailman keeps has no zone
        getUtility(IUserManager).make_user(address.email) if address.user is None else None
        mlist.subscribe(address)
    return [member.address.email for member in mlist.members.members]


def inject(folder: str) -> int:

    from mailman.config import config
    from mailman.email.message import Message

    paths = sorted(Path(folder).glob("*.eml"))
    for path in paths:
        config.switchboards["bounces"].enqueue(message_from_bytes(path.read_bytes(), Message), listid="news.example.com")
    return len(paths)


def probe(address: str) -> str:
    from mailman.app.bounces import send_probe

    return str(send_probe(the_list().members.get_member(address), message_id="<a@example.com>"))


def tell() -> dict[str, Any]:
    """Return scores, events and what waits to be sent; what waits is taken out."""
    from mailman.config import config
    from mailman.interfaces.bounce import IBounceProcessor
    from zope.component import getUtility

    sent = []
    virgin = config.switchboards["virgin"]
    for base in virgin.files:
        message, _ = virgin.dequeue(base)
        virgin.finish(base)
        sent.append(str(message["subject"]))
    return {
        "scores": {member.address.email: member.bounce_score for member in the_list().members.members if member.bounce_score},
        "events": sorted([event.email, event.context.name, event.processed] for event in getUtility(IBounceProcessor).events),
        "sent": sorted(sent),
        "left": len(config.switchboards["bounces"].files) + len(config.switchboards["shunt"].files),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
