"""Mailgun's webhooks, signed with HMAC-SHA-256 over time and token (Mailgun documentation).

The body is not under the signature: what keeps the events honest is TLS, and that a token is taken once (`Batch.once`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from bounceparse.intake.webhooks.request import Batch, Fields, RefusedError, Request, read_json
from bounceparse.intake.webhooks.told import Happened, Hint, Told
from bounceparse.intake.webhooks.verify import check_age, check_hmac, read_time

AGE: Final = 30_000  # seconds; Mailgun tries again for eight hours
_REASONS: Final = {
    "suppress-bounce": Hint("suppressed", firm=True),
    "suppress-unsubscribe": Hint("suppressed", firm=True),
    "suppress-complaint": Hint("suppressed", firm=True),
    "old": Hint("expired"),
    "greylisted": Hint("greylisted"),
    "espblock": Hint("reputation"),
}
_CODES: Final = {
    "602": Hint("expired"),
    "605": Hint("suppressed", firm=True),
    "606": Hint("suppressed", firm=True),
    "607": Hint("suppressed", firm=True),
    "498": Hint("network_error"),
}
_HAPPENED: Final[dict[str, Happened]] = {
    "failed": "failed",
    "rejected": "failed",
    "delivered": "delivered",
    "complained": "complaint",
    "unsubscribed": "unsubscribe",
}


class Mailgun:
    """Believes requests that are signed with the key of the account."""

    name = "mailgun"

    def __init__(self, secret: str, *, age: int = AGE) -> None:
        """`secret` is the HTTP webhook signing key."""
        if not secret:
            raise ValueError("no signing key")
        self.age = age
        self._secret = secret

    def read(self, request: Request, now: datetime) -> Batch:
        """Return the event of one request."""
        body = Fields(read_json(request.body, 401))
        signature = body.inner("signature")
        stamp, token = signature.text("timestamp"), signature.text("token")
        if not stamp or not token:
            raise RefusedError(401, "the request is not signed")
        check_hmac(self._secret, (stamp + token).encode(errors="surrogatepass"), signature.text("signature"))
        check_age(read_time(stamp), now, self.age)
        event = body.inner("event-data")
        happened = _HAPPENED.get(event.text("event"))
        if happened is None:
            return Batch(once=token, ignored=1)
        return Batch((_tell(event, happened),), token)


def _tell(event: Fields, happened: Happened) -> Told:
    status = event.inner("delivery-status")
    headers = event.inner("message").inner("headers")
    message_id = headers.text("message-id")
    words, said = status.text("message"), status.text("description")
    code = status.text("code")
    label = event.text("reason") or event.text("event")
    hint = _CODES.get(code) or _REASONS.get(label.lower(), Hint())
    if event.text("event") == "rejected":
        words, hint = event.inner("reject").text("reason", "description"), Hint("policy", firm=True)
    soft = event.text("severity") == "temporary"
    return Told(
        event.text("id") or f"{message_id}/{label}",
        read_time(event.text("timestamp")),
        event.text("recipient"),
        "delayed" if soft and happened == "failed" else happened,
        reply="" if hint.firm else words or said,
        field="delivery-status.message" if words else "delivery-status.description",
        label=label,
        hint=hint,
        soft=soft,
        status=status.text("enhanced-code"),
        code=code,
        remote_mta=status.text("mx-host"),
        message=message_id,
        message_id=f"<{message_id.strip('<>')}>" if message_id else "",
        sender=headers.text("from"),
        subject=headers.text("subject"),
        list_id=headers.text("list-id") or event.inner("mailing-list").text("address"),
    )
