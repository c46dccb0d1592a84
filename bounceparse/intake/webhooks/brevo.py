"""Brevo's (Sendinblue's) transactional webhooks, with a secret by basic authentication, as a bearer token or in a field (Brevo developer hub)."""

from __future__ import annotations

from typing import Final

from bounceparse.intake.webhooks.request import Fields
from bounceparse.intake.webhooks.shared_secret import SharedSecret
from bounceparse.intake.webhooks.told import Happened, Hint, Told
from bounceparse.intake.webhooks.verify import read_time

_HAPPENED: Final[dict[str, tuple[Happened, Hint, bool]]] = {
    "hard_bounce": ("failed", Hint(), False),
    "soft_bounce": ("failed", Hint(), True),
    "invalid_email": ("failed", Hint("syntax", fault="recipient"), False),
    "blocked": ("failed", Hint("suppressed", firm=True), False),
    "error": ("failed", Hint("policy"), True),
    "deferred": ("delayed", Hint(), True),
    "delivered": ("delivered", Hint(), False),
    "spam": ("complaint", Hint(), False),
    "complaint": ("complaint", Hint(), False),
    "unsubscribed": ("unsubscribe", Hint(), False),
    "unsubscribe": ("unsubscribe", Hint(), False),
}


class Brevo(SharedSecret):
    """Believes requests that bring the secret."""

    name = "brevo"

    def tell(self, event: Fields) -> Told | None:
        kind = event.text("event").replace("hardBounce", "hard_bounce").replace("softBounce", "soft_bounce")
        found = _HAPPENED.get(kind)
        if found is None:
            return None
        happened, hint, soft = found
        at = event.text("ts_epoch", "ts_event", "ts")
        message_id = event.text("message-id")
        return Told(
            f"{message_id}/{kind}/{at}",
            read_time(at),
            event.text("email"),
            happened,
            reply="" if hint.firm else event.text("reason"),
            field="reason",
            label=kind,
            hint=hint,
            soft=soft,
            message_id=message_id,
            sender=event.text("sender_email"),
            subject=event.text("subject"),
        )
