"""Postmark's webhooks, with a secret by basic authentication or in a field (Postmark developer documentation)."""

from __future__ import annotations

from typing import Final

from bounceparse.intake.webhooks.request import Fields
from bounceparse.intake.webhooks.shared_secret import SharedSecret
from bounceparse.intake.webhooks.told import Happened, Hint, Told
from bounceparse.intake.webhooks.verify import read_time

_TYPES: Final[dict[str, tuple[Happened, Hint]]] = {
    "1": ("failed", Hint("user_unknown")),
    "2": ("failed", Hint("system_error")),
    "16": ("unsubscribe", Hint()),
    "32": ("auto_reply", Hint()),
    "64": ("auto_reply", Hint()),
    "128": ("failed", Hint("mailbox_moved")),
    "256": ("failed", Hint("network_error")),
    "512": ("failed", Hint("spam")),
    "1024": ("failed", Hint("relay_denied")),
    "4096": ("failed", Hint("system_error")),
    "8192": ("failed", Hint("virus")),
    "16384": ("challenge", Hint()),
    "100000": ("failed", Hint("syntax", fault="recipient")),
    "100001": ("complaint", Hint()),
    "100002": ("failed", Hint("suppressed", firm=True)),
    "100003": ("failed", Hint("suppressed", firm=True)),
    "100006": ("failed", Hint("policy")),
    "100007": ("failed", Hint("syntax")),
    "100008": ("failed", Hint("system_error")),
    "100009": ("failed", Hint("auth_failure")),
    "100010": ("failed", Hint("content_rejected", firm=True)),
}
_SOFT: Final = frozenset({"2", "256", "2048", "4096"})


class Postmark(SharedSecret):
    """Believes requests that bring the secret."""

    name = "postmark"

    def tell(self, event: Fields) -> Told | None:
        record = event.text("RecordType")
        code, hint, happened = "", Hint(), "failed"
        if record in ("Bounce", "SpamComplaint"):
            code = event.text("TypeCode")
            happened, hint = _TYPES.get(code, ("complaint" if record == "SpamComplaint" else "failed", Hint()))
        elif record == "Delivery":
            happened = "delivered"
        elif record == "SubscriptionChange" and event.switch("SuppressSending") and event.text("SuppressionReason") == "ManualSuppression":
            happened = "unsubscribe"
        else:
            return None
        at = event.text("BouncedAt", "DeliveredAt", "ChangedAt")
        message = event.text("MessageID")
        return Told(
            event.text("ID") or f"{message}/{record}/{at}",
            read_time(at),
            event.text("Email", "Recipient"),
            happened,  # type: ignore[arg-type]
            reply="" if hint.firm else event.text("Details", "Description"),
            field="Details",
            label=event.text("Type", "SuppressionReason") or record,
            hint=hint,
            soft=code in _SOFT,
            message=message,
            sender=event.text("From"),
            subject=event.text("Subject"),
            list_id=event.text("MessageStream") if happened == "unsubscribe" else "",
        )
