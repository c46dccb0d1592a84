"""The interface of flufl.bounce 6: a program changes one import and keeps its code.

    >>> from email import message_from_string
    >>> from bounceparse.integrations.flufl import all_failures
    >>> all_failures(message_from_string("Subject: hello\\n\\nno bounce\\n"))
    (frozenset(), frozenset())

The meaning is flufl.bounce's too. Permanent: the message was given up for that recipient, for whatever reason. Temporary: it is still being tried.
Neither says that the address is dead; for that read `Verdict.bounce` and `Verdict.fault` of `bounceparse.parse`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from bounceparse import limits
from bounceparse.engine import parse
from bounceparse.wire.address import find_addresses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import Message

    from bounceparse.model import Evidence, Recipient

__all__ = ["Recipients", "all_failures", "scan_message"]

Recipients: TypeAlias = frozenset[bytes]
"""Addresses as ASCII bytes."""

_SETS: Final = {"failed": 1, "delayed": 0}
_KINDS: Final = {"bounce": "failed", "delay": "delayed"}
_BOUNDARY: Final = re.compile(r"""\bboundary\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;]+)""", re.I)


def scan_message(msg: Message) -> Recipients:
    """Return the recipients for whom the message was given up; never raises on content."""
    return all_failures(msg)[1]


def all_failures(msg: Message) -> tuple[Recipients, Recipients]:
    """Return the recipients for whom delivery is still tried, and those for whom it was given up; never raises on content.

    Both sets are empty when `msg` is no bounce. As in flufl.bounce an address keeps its case, and is left out when it is not ASCII; of an original
    and a final recipient the original one is given, and both where only words say so. Somebody whom only the To of the returned message names is
    left out: in the mail of a list that is the list.
    """
    raw = to_bytes(msg)
    report = parse(raw)
    otherwise = _KINDS.get(report.kind)
    if otherwise is None:
        return frozenset(), frozenset()
    found: tuple[set[bytes], set[bytes]] = (set(), set())
    for recipient, verdict in report.results:
        which = _SETS.get(recipient.action or otherwise)
        sources = {evidence.source for evidence in recipient.evidence}
        if which is None or sources == {"original"}:
            continue
        named = [recipient.address]
        if "dsn" not in sources:
            named.append(recipient.final_address)
            if verdict.fault == "recipient":
                named += _forwarded_to(recipient)
        found[which].update(_as_written(raw, address, recipient.evidence) for address in named if address and address.isascii())
    return frozenset(found[0]), frozenset(found[1])


def _forwarded_to(recipient: Recipient) -> list[str]:
    """Return the address that a refusal of the mailbox is for, where it names another: the one that the recipient's mail is forwarded to."""
    named = {address for word in recipient.diagnostic.split(" for ")[1:] for address in find_addresses(word.partition(" ")[0])}
    return list(named) if len(named) == 1 else []


def _as_written(raw: bytes, address: str, evidence: Sequence[Evidence]) -> bytes:
    """Return `address`, whose domain is in lower case, as it stands in the evidence or else anywhere in `raw`."""
    wanted = address.lower().encode()
    for start, end in [*(piece.span for piece in evidence), (0, len(raw))]:
        at = raw[start:end].lower().find(wanted)
        if at >= 0:
            return raw[start + at : start + at + len(wanted)]
    return address.encode()


def to_bytes(msg: Message) -> bytes:
    """Return `msg` as it came, to about `limits.MESSAGE` bytes: fields are not folded anew, bodies not encoded anew, no depth is too deep.

    Text that never was bytes, as `email.message_from_string` allows, becomes UTF-8.
    """
    out: list[bytes] = []
    size = made = 0
    left: list[Message | str] = [msg]
    while left and size <= limits.MESSAGE:
        item = left.pop()
        if not isinstance(item, str):
            payload = vars(item)["_payload"]  # as the package's own generator does: get_payload() would decode it
            fields = [(name, value if isinstance(value, str) else str(value)) for name, value in item.raw_items()]
            after: list[Message | str] = ["\n"]
            if isinstance(payload, list):
                at, kind = next(((n, value) for n, (name, value) in enumerate(fields) if name.lower() == "content-type"), (-1, ""))
                if kind.lstrip().lower().startswith("message/"):
                    after += payload
                else:
                    named = _BOUNDARY.search(kind)
                    if named is None:
                        made += 1
                        fields = [field for n, field in enumerate(fields) if n != at]
                        fields.append(("Content-Type", f'{kind or "multipart/mixed"}; boundary="=_{made}_="'))
                    mark = named[1].strip('"') if named is not None else f"=_{made}_="
                    after.append(item.preamble or "")
                    for part in payload:
                        after += (f"\n--{mark}\n", part)
                    after += (f"\n--{mark}--\n", item.epilogue or "")
            elif payload is not None:
                after.append(payload if isinstance(payload, str) else str(payload))
            left += reversed(after)
            item = "".join(f"{name}: {value}\n" for name, value in fields)
        data = item.encode("utf-8", "surrogateescape")
        size += len(data)
        out.append(data)
    raw = b"".join(out)[: limits.MESSAGE]
    return raw if raw.endswith(b"\n") else raw + b"\n"  # a message in memory is whole, a line without an end would be cut
