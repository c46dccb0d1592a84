"""SendGrid's Event Webhook, signed with ECDSA (Twilio SendGrid documentation)."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from datetime import datetime
from typing import Any, Final

from bounceparse.intake.webhooks.request import Batch, Fields, RefusedError, Request, read_objects
from bounceparse.intake.webhooks.told import Happened, Hint, Told
from bounceparse.intake.webhooks.verify import check_age, read_time

AGE: Final = 86_400  # seconds; SendGrid tries again for a day
_SIGNATURE: Final = "x-twilio-email-event-webhook-signature"
_TIMESTAMP: Final = "x-twilio-email-event-webhook-timestamp"
_CLASSES: Final = {
    "invalid address": Hint("user_unknown"),
    "mailbox unavailable": Hint("mailbox_disabled", doubtful=True),
    "reputation": Hint("reputation"),
    "content": Hint("content_rejected"),
    "frequency or volume too high": Hint("rate_limited"),
    "technical failure": Hint("system_error"),
}
_DROPS: Final = {
    "bounced address": Hint("suppressed", firm=True),
    "unsubscribed address": Hint("suppressed", firm=True),
    "spam reporting address": Hint("suppressed", firm=True),
    "invalid": Hint("suppressed", firm=True),
    "spam content": Hint("spam", firm=True),
}
_HAPPENED: Final[dict[str, Happened]] = {
    "bounce": "failed",
    "dropped": "failed",
    "deferred": "delayed",
    "delivered": "delivered",
    "spamreport": "complaint",
    "unsubscribe": "unsubscribe",
    "group_unsubscribe": "unsubscribe",
}


class SendGrid:
    """Believes requests that are signed with the key of the account."""

    name = "sendgrid"

    def __init__(self, public_key: str, *, age: int = AGE) -> None:
        """`public_key` is the verification key as the settings page shows it (base 64 of DER), or PEM. Raises ValueError when it is none."""
        self.age = age
        self._key = load_key(public_key)

    def read(self, request: Request, now: datetime) -> Batch:
        """Return the events of one request."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        stamp = request.header(_TIMESTAMP)
        try:
            signature = b64decode(request.header(_SIGNATURE), validate=True)
        except (Error, ValueError):
            signature = b""
        if not signature:
            raise RefusedError(401, "the request is not signed")
        try:
            self._key.verify(signature, stamp.encode() + request.body, ECDSA(SHA256()))
        except (InvalidSignature, UnicodeEncodeError):
            raise RefusedError(401, "the signature is wrong") from None
        check_age(read_time(stamp), now, self.age)
        events = read_objects(request.body)
        told = [_tell(event, happened) for event in events if (happened := _HAPPENED.get(event.text("event"))) is not None]
        return Batch(tuple(told), ignored=len(events) - len(told))


def load_key(text: str) -> Any:
    """Return the ECDSA public key that a text holds; raises ValueError when it holds none."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

    try:
        key = load_pem_public_key(text.encode()) if "-----BEGIN" in text else load_der_public_key(b64decode("".join(text.split()), validate=True))
    except (Error, ValueError):
        raise ValueError("no public key; copy the verification key from the settings of the Event Webhook") from None
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("the public key is not one of ECDSA")
    return key


def _tell(event: Fields, happened: Happened) -> Told:
    hint, label = Hint(), event.text("event")
    reply, place = event.text("response", "reason"), "response" if event.text("response") else "reason"
    soft = doubtful = False
    if event.text("event") == "bounce":
        reply, place = event.text("reason", "response"), "reason"
        label = event.text("bounce_classification") or event.text("type") or "bounce"
        hint = _CLASSES.get(label.lower(), Hint())
        if event.text("type") == "blocked":
            hint = Hint(hint.reason or "policy")
            soft = doubtful = True
    elif event.text("event") == "dropped":
        label = event.text("reason")
        reason = label.lower()
        hint = next((hint for words, hint in _DROPS.items() if reason.startswith(words)), Hint("policy"))
        reply = "" if hint.firm else reply
    message = event.text("sg_message_id").partition(".")[0]
    smtp_id = event.text("smtp-id")
    return Told(
        event.text("sg_event_id") or f"{message}/{label}/{event.text('timestamp')}",
        read_time(event.text("timestamp")),
        event.text("email"),
        happened,
        reply=reply,
        field=place,
        label=label,
        hint=hint,
        soft=soft,
        doubtful=doubtful,
        status=event.text("status"),
        message=message,
        message_id=smtp_id if smtp_id.startswith("<") else "",
        list_id=event.text("asm_group_id") if happened == "unsubscribe" else "",
    )
