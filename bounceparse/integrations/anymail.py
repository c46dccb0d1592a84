"""Django, by way of Anymail (extra `anymail`): bounces that come as mail send Anymail's tracking signal, and Anymail's events go into our ledger.

A project that already listens to Anymail's signal learns of mailed bounces as well:

    from bounceparse import parse
    from bounceparse.integrations.anymail import send_tracking

    send_tracking(parse(raw_bytes))

And the events of whatever service Anymail listens to are judged by our tables and counted by our policy, once, in `AppConfig.ready`:

    from bounceparse.integrations.anymail import connect
    from bounceparse.ledger import Ledger
    from bounceparse.policy import Policy

    connect(Ledger("/var/lib/bounceparse/bounces.db"), Policy.preset("default"))

Anymail has to be told its WEBHOOK_SECRET (or the key that the service signs with): what it hands on is taken for proven.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from anymail.signals import AnymailTrackingEvent, EventType, RejectReason, tracking

from bounceparse.engine import default_engine
from bounceparse.intake.webhooks.told import Happened, Hint, Told, make_report
from bounceparse.judge import Judge
from bounceparse.model import Report, Result
from bounceparse.record import identify, records, results_of

if TYPE_CHECKING:
    from bounceparse.ledger import Ledger
    from bounceparse.policy import Policy

__all__ = ["connect", "read_tracking", "send_tracking", "tracking_events"]

ESP: Final = "bounceparse"
"""The `esp_name` of the signals that we send; `connect` does not listen to them."""

_KINDS: Final = {
    "delay": EventType.DEFERRED,
    "delivered": EventType.DELIVERED,
    "complaint": EventType.COMPLAINED,
    "unsubscribe": EventType.UNSUBSCRIBED,
    "auto_reply": EventType.AUTORESPONDED,
    "disposition": EventType.AUTORESPONDED,
    "challenge": EventType.AUTORESPONDED,
}
_BLOCKED: Final = frozenset(
    ("auth_failure", "blocklisted", "no_ptr", "policy", "rate_limited", "relay_denied", "reputation", "sender_rejected", "spam", "virus")
)
_HAPPENED: Final[dict[str, Happened]] = {
    EventType.BOUNCED: "failed",
    EventType.REJECTED: "failed",
    EventType.FAILED: "failed",
    EventType.DEFERRED: "delayed",
    EventType.DELIVERED: "delivered",
    EventType.COMPLAINED: "complaint",
    EventType.UNSUBSCRIBED: "unsubscribe",
    EventType.AUTORESPONDED: "auto_reply",
}
_HINTS: Final = {
    (EventType.BOUNCED, RejectReason.INVALID): Hint("user_unknown"),
    (EventType.BOUNCED, RejectReason.TIMED_OUT): Hint("expired"),
    (EventType.BOUNCED, RejectReason.BLOCKED): Hint("policy"),
    (EventType.BOUNCED, RejectReason.SPAM): Hint("spam"),
    (EventType.REJECTED, RejectReason.INVALID): Hint("syntax", fault="recipient"),
    (EventType.REJECTED, RejectReason.BOUNCED): Hint("suppressed", firm=True),
    (EventType.REJECTED, RejectReason.SPAM): Hint("suppressed", firm=True),
    (EventType.REJECTED, RejectReason.UNSUBSCRIBED): Hint("suppressed", firm=True),
    (EventType.REJECTED, RejectReason.BLOCKED): Hint("policy", firm=True),
}


def tracking_events(report: Report) -> list[Any]:
    """Return an `AnymailTrackingEvent` for each recipient of a report, one without a recipient where nobody is named; [] for mail that is no bounce.

    `esp_event` is the record as a dict, with our reason, fault and evidence. `reject_reason` is `invalid` for hard bounces alone: a refusal of a
    living address is `blocked`, `spam`, `timed_out` or `bounced`.
    """
    if report.kind == "not_bounce":
        return []
    return [_event(report, result, row) for result, row in zip(results_of(report), records(report), strict=True)]


def send_tracking(report: Report, sender: Any = None) -> list[Any]:
    """Send Anymail's tracking signal for each recipient of a report; return the events. Errors of receivers reach the caller, as with Anymail."""
    events = tracking_events(report)
    for event in events:
        tracking.send(sender=sender or send_tracking, event=event, esp_name=ESP)
    return events


def read_tracking(event: Any, esp_name: str = "") -> Report | None:
    """Return the report that an event of Anymail stands for, judged by the reply it quotes; None for opens, clicks and the like."""
    happened = _HAPPENED.get(event.event_type)
    if happened is None or not event.recipient:
        return None
    reason = event.reject_reason
    hint = _HINTS.get((event.event_type, reason), Hint())
    at = event.timestamp or datetime.now(UTC)
    message = str(event.message_id or "")
    told = Told(
        str(event.event_id or f"{message}/{event.event_type}/{at.timestamp()}"),
        at if at.tzinfo is not None else at.replace(tzinfo=UTC),
        str(event.recipient),
        happened,
        reply="" if hint.firm else str(event.mta_response or event.description or ""),
        field="mta_response" if event.mta_response else "description",
        label="/".join(str(part) for part in (event.event_type, reason) if part),
        hint=hint,
        message=message,
        message_id=message if message.startswith("<") else "",
    )
    judge = _judge()
    return make_report(told, f"anymail-{esp_name.lower() or 'unknown'}", judge, default_engine().tables)


def connect(ledger: Ledger, policy: Policy) -> Callable[..., None]:
    """Record the events that Anymail receives from now on; return the receiver, to be handed to `tracking.disconnect`.

    An error of the ledger reaches Anymail, which then answers the service with an error, so that the event comes again.
    """

    def receive(sender: Any, event: Any, esp_name: str, **_: Any) -> None:
        if esp_name == ESP:
            return
        report = read_tracking(event, esp_name)
        if report is not None:
            ledger.record(report, policy, origin=f"anymail:{esp_name}")

    tracking.connect(receive, weak=False, dispatch_uid=f"bounceparse {id(ledger)}")
    return receive


def _event(report: Report, result: Result, row: Any) -> Any:
    recipient, verdict = result
    kind = _KINDS.get(report.kind)
    if kind is None:
        kind = EventType.DELIVERED if verdict.reason == "delivered" else EventType.REJECTED if verdict.reason == "suppressed" else EventType.BOUNCED
    reason = None
    if kind == EventType.COMPLAINED:
        reason = RejectReason.SPAM
    elif kind in (EventType.BOUNCED, EventType.REJECTED):
        reason = _reject_reason(result)
    return AnymailTrackingEvent(
        event_type=kind,
        timestamp=datetime.fromisoformat(report.arrived) if report.arrived else None,
        event_id=identify(report.digest, recipient.address),
        esp_event=msgspec.to_builtins(row),
        recipient=recipient.address or None,
        message_id=report.original.message_id or None,
        reject_reason=reason,
        description=default_engine().tables.reasons[verdict.reason].meaning if verdict.reason else "",
        mta_response=recipient.diagnostic or None,
    )


def _reject_reason(result: Result) -> Any:
    verdict = result.verdict
    if verdict.reason == "suppressed":
        return RejectReason.BOUNCED
    if verdict.bounce == "hard":
        return RejectReason.INVALID
    if verdict.reason == "expired":
        return RejectReason.TIMED_OUT
    if verdict.reason == "spam":
        return RejectReason.SPAM
    return RejectReason.BLOCKED if verdict.reason in _BLOCKED else RejectReason.BOUNCED


@cache
def _judge() -> Judge:
    return Judge(default_engine().tables)
