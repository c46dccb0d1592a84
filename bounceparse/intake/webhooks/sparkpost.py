"""SparkPost's webhooks, with a secret by basic authentication, as a bearer token or in a field (SparkPost API documentation)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from bounceparse.intake.webhooks.request import Batch, Fields, Request, read_objects
from bounceparse.intake.webhooks.told import Happened, Hint, Told
from bounceparse.intake.webhooks.verify import check_secret, keep_recent, read_time

AGE: Final = 3 * 86_400  # seconds; SparkPost tries again for eight hours, and may hold batches back
_CLASSES: Final = {
    "10": Hint("user_unknown"),
    "15": Hint("mailbox_rejects"),
    "20": Hint("system_error"),
    "21": Hint("network_error"),
    "22": Hint("mailbox_full"),
    "23": Hint("message_too_large"),
    "24": Hint("expired"),
    "25": Hint("policy"),
    "26": Hint("suppressed", firm=True),
    "30": Hint("user_unknown", doubtful=True),
    "50": Hint("policy"),
    "51": Hint("reputation"),
    "52": Hint("spam"),
    "53": Hint("content_rejected"),
    "54": Hint("relay_denied"),
    "70": Hint("system_error"),
    "90": Hint("suppressed", firm=True),
}
_SOFT: Final = frozenset({"20", "21", "22", "23", "24", "40", "70", "100"})
_EVENTS: Final[dict[str, Happened]] = {"60": "auto_reply", "80": "auto_reply", "100": "challenge"}
_HAPPENED: Final[dict[str, Happened]] = {
    "bounce": "failed",
    "out_of_band": "failed",
    "policy_rejection": "failed",
    "generation_rejection": "failed",
    "generation_failure": "failed",
    "delay": "delayed",
    "delivery": "delivered",
    "spam_complaint": "complaint",
    "list_unsubscribe": "unsubscribe",
    "link_unsubscribe": "unsubscribe",
}
_OWN: Final = {"generation_rejection": Hint("policy", firm=True), "generation_failure": Hint("content_rejected", firm=True)}


class SparkPost:
    """Believes requests that bring the secret."""

    name = "sparkpost"

    def __init__(self, secret: str, *, age: int = AGE) -> None:
        if not secret:
            raise ValueError("no secret")
        self.age = age
        self._secret = secret

    def read(self, request: Request, now: datetime) -> Batch:
        """Return the events of one batch; the empty one that asks whether we are there has none."""
        check_secret(request, self._secret)
        events = read_objects(request.body)
        told = [one for event in events if (one := _tell(event.inner("msys"))) is not None]
        return Batch(keep_recent(told, now, self.age), request.header("x-messagesystems-batch-id"), ignored=len(events) - len(told))


def _tell(wrapped: Fields) -> Told | None:
    event = next((inner for name in ("message_event", "unsubscribe_event", "gen_event") if (inner := wrapped.inner(name))), Fields(None))
    kind = event.text("type")
    happened = _HAPPENED.get(kind)
    if happened is None:
        return None
    number = event.text("bounce_class")
    if happened == "failed":
        happened = _EVENTS.get(number, happened)
    raw = event.text("raw_reason")
    code = event.text("error_code")
    return Told(
        event.text("event_id") or f"{event.text('message_id')}/{kind}/{event.text('timestamp')}",
        read_time(event.text("timestamp")),
        event.text("raw_rcpt_to", "rcpt_to"),
        happened,
        reply=raw or event.text("reason"),
        field="raw_reason" if raw else "reason",
        label=number or kind,
        hint=_OWN.get(kind) or _CLASSES.get(number, Hint()),
        soft=happened == "failed" and number in _SOFT,
        code=code,
        remote_mta=event.text("ip_address"),
        message=event.text("message_id"),
        sender=event.text("friendly_from"),
        subject=event.text("subject"),
        list_id=event.text("campaign_id") if happened == "unsubscribe" else "",
    )
