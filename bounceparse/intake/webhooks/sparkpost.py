"""SparkPost's webhooks, with a secret by basic authentication, as a bearer token or in a field (SparkPost API documentation)."""

from __future__ import annotations

from typing import Final

from bounceparse.intake.webhooks.request import Fields
from bounceparse.intake.webhooks.shared_secret import SharedSecret
from bounceparse.intake.webhooks.told import Happened, Hint, Told
from bounceparse.intake.webhooks.verify import read_time

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


class SparkPost(SharedSecret):
    """Believes requests that bring the secret; the empty batch that asks whether we are there has no events."""

    name = "sparkpost"
    once = "x-messagesystems-batch-id"

    def tell(self, event: Fields) -> Told | None:
        wrapped = event.inner("msys")
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
