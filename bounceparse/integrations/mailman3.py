"""A bounce runner for Mailman 3 that counts against a member only what is the member's fault.

In mailman.cfg:

    [runner.bounces]
    class: bounceparse.integrations.mailman3.BounceRunner

Scores, thresholds, probes and warnings stay Mailman's own. What changes: a refusal for spam, DMARC, a blocklist or size, a full server, an outage, a
delay notice and an absence note no longer count, though their envelope carries a member's address (VERP).
"""

from __future__ import annotations

import logging
from typing import Any, Final

from mailman.app.bounces import ProbeVERP, StandardVERP, maybe_forward
from mailman.config import config
from mailman.interfaces.bounce import BounceContext
from mailman.runners.bounce import BounceRunner as MailmansRunner

from bounceparse.engine import default_engine
from bounceparse.model import Report, Result
from bounceparse.text import printable

__all__ = ["BounceRunner", "counts"]

LET_GO: Final = frozenset({"delay", "auto_reply", "disposition", "delivered"})
"""Kinds that say nothing against a member and need nobody's attention."""

log: Final = logging.getLogger("mailman.bounce")


class BounceRunner(MailmansRunner):  # type: ignore[misc, unused-ignore]
    """Mailman's bounce runner with another reading of the bounces."""

    def _dispose(self, mlist: Any, msg: Any, msgdata: dict[str, Any]) -> bool:
        if not mlist.process_bounces:
            return False
        try:
            raw = msg.as_bytes()
        except Exception as error:  # noqa: BLE001 - the email package cannot write what it read: Mailman may read it in its own way
            log.warning("bounceparse cannot have the bytes of this bounce: %s", type(error).__name__)
            return bool(super()._dispose(mlist, msg, msgdata))
        report = default_engine().parse(raw)
        name = printable(str(msg.get("message-id", "n/a")), 200)
        if report.kind in LET_GO:
            log.info("Not counted (%s): %s", report.kind, name)
            return False
        if report.kind != "bounce" or not report.results:
            log.info("Not recognized (%s), forwarded: %s", report.kind, name)
            maybe_forward(mlist, msg)
            return False
        failed = [result for result in report.results if counts(result)]
        if not failed:
            log.info("Not counted (%s): %s", _causes(report), name)
            return False
        addresses, context = self._members(mlist, msg, failed)
        if not addresses:
            log.info("Bounce of nobody, forwarded: %s", name)
            maybe_forward(mlist, msg)
        for address in addresses:
            log.info("Counted (%s): %s", _causes(report), name)
            self._processor.register(mlist, address, msg, context)
        return False

    def _members(self, mlist: Any, msg: Any, failed: list[Result]) -> tuple[list[str], Any]:
        """Return whom a failure is about: the envelope knows best, then the token of a probe, then the report. A token is used up by this."""
        addresses = StandardVERP().get_verp(mlist, msg)
        if addresses:
            return sorted(addresses), BounceContext.normal
        if config.mta.verp_probe_regexp:
            addresses = ProbeVERP().get_verp(mlist, msg)
            if addresses:
                return sorted(addresses), BounceContext.probe
        return list(dict.fromkeys(result.recipient.address for result in failed if result.recipient.address)), BounceContext.normal


def counts(result: Result) -> bool:
    """Say whether a result is a failure for good of this one message, by the member's own fault, and more than a guess."""
    recipient, verdict = result
    if recipient.action in ("delayed", "delivered", "relayed", "expanded") or verdict.bounce == "none":
        return False
    if verdict.certainty == "guess":
        return False
    final = recipient.action == "failed" or (recipient.status or recipient.reply_code)[:1] != "4"
    return verdict.fault == "recipient" and (verdict.bounce == "hard" or final)


def _causes(report: Report) -> str:
    return ", ".join(dict.fromkeys(f"{verdict.reason}, fault {verdict.fault}" for _, verdict in report.results[:20]))
