"""Mailjet's Event API, with a secret by basic authentication in the address of the webhook (Mailjet documentation)."""

from __future__ import annotations

from typing import Final

from bounceparse.intake.webhooks.request import Fields
from bounceparse.intake.webhooks.shared_secret import SharedSecret
from bounceparse.intake.webhooks.told import Happened, Hint, Told
from bounceparse.intake.webhooks.verify import read_time

_ERRORS: Final = {
    "user unknown": Hint("user_unknown"),
    "mailbox inactive": Hint("mailbox_disabled"),
    "quota exceeded": Hint("mailbox_full"),
    "blacklisted": Hint("suppressed", firm=True),
    "spam reporter": Hint("suppressed", firm=True),
    "preblocked": Hint("suppressed", firm=True),
    "duplicate in campaign": Hint("policy", firm=True),  # sent once already: nothing is wrong with the address
    "invalid domain": Hint("domain_unknown"),
    "no mail host": Hint("domain_unknown"),
    "typofix": Hint("domain_unknown"),
    "relay/access denied": Hint("relay_denied"),
    "greylisted": Hint("greylisted"),
    "bad or empty template": Hint("content_rejected", firm=True),
    "error in template language": Hint("content_rejected", firm=True),
    "sender blocked": Hint("sender_rejected"),
    "content blocked": Hint("spam"),
    "policy issue": Hint("policy"),
    "system issue": Hint("system_error"),
    "protocol issue": Hint("syntax"),
    "connection issue": Hint("network_error"),
}
_HAPPENED: Final[dict[str, Happened]] = {"bounce": "failed", "blocked": "failed", "sent": "delivered", "spam": "complaint", "unsub": "unsubscribe"}


class Mailjet(SharedSecret):
    """Believes requests that bring the secret."""

    name = "mailjet"

    def tell(self, event: Fields) -> Told | None:
        happened = _HAPPENED.get(event.text("event"))
        if happened is None:
            return None
        label = event.text("error") or event.text("event")
        hint = _ERRORS.get(label.lower(), Hint())
        message = event.text("Message_GUID", "MessageID")
        said = event.text("comment") or event.text("smtp_reply")
        return Told(
            f"{message}/{event.text('event')}/{event.text('time')}",
            read_time(event.text("time")),
            event.text("email"),
            happened,
            reply="" if hint.firm else said,
            field="comment" if event.text("comment") else "smtp_reply",
            label=label,
            hint=hint,
            soft=happened == "failed" and not hint.firm and not event.switch("hard_bounce"),
            message=message,
            list_id=event.text("mj_list_id") if happened == "unsubscribe" else "",
        )
