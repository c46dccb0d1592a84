"""flufl.bounce as a second opinion, asked only where our own readers found nobody.

It is given clipped input, because some of its patterns are quadratic on runs of blanks, and whatever it or the email package raises becomes a flaw.
"""

from __future__ import annotations

import re
from typing import Final

from bounceparse import flaws, limits
from bounceparse.model import Claim
from bounceparse.wire.address import read_address

_BLANKS: Final = re.compile(rb"[ \t]{40,}")


def ask_flufl(raw: bytes, found: list[str]) -> list[Claim]:
    """Return the failed recipients that flufl.bounce finds; an exception of its or of the email package is noted in `found`."""
    import logging
    from email import message_from_bytes

    from flufl.bounce import all_failures

    log = logging.getLogger("flufl.bounce")  # it logs each detector that fails, on standard error when nobody listens
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    lines = _BLANKS.sub(b" ", raw[: limits.SECOND_OPINION]).splitlines(keepends=True)
    sample = b"".join([line if len(line) < 400 else line[:398] + b"\n" for line in lines[: limits.SECOND_OPINION_LINES]])
    try:
        temporary, permanent = all_failures(message_from_bytes(sample))
    except Exception:  # noqa: BLE001 - detectors raise whatever their patterns run into; the mail is still reported
        found.append(flaws.SECOND_OPINION)
        return []
    claims = []
    for addresses, action in ((permanent, "failed"), (temporary - permanent, "delayed")):
        for value in sorted(addresses):
            address = read_address(value.decode("ascii", "replace"))
            if address:
                claims.append(Claim("second_opinion", "flufl.bounce", address, action=action))
    return claims
