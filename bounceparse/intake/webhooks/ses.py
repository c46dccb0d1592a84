"""Amazon SES, through SNS over HTTPS (Amazon SNS and SES Developer Guides).

What keeps this file honest: nothing is believed before its signature and its topic are; the certificate comes from a host of the fixed pattern, over
TLS, without redirects; a subscription is never confirmed by us, whatever the request says.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Callable, Collection
from datetime import datetime
from threading import Lock
from typing import Any, Final

from bounceparse.intake.webhooks.request import Batch, Fields, RefusedError, Request, read_json
from bounceparse.intake.webhooks.told import Happened, Hint, Told
from bounceparse.intake.webhooks.verify import check_age, read_time

Fetch = Callable[[str], bytes]

AGE: Final = 3_900  # seconds; SNS tries again for an hour at most, under the first timestamp
CERTIFICATES: Final = 8  # kept
CERTIFICATE: Final = 16_384  # bytes of one
SECONDS: Final = 5  # to fetch one
FETCHES: Final = 6  # of certificates in a minute; SNS has one for each region, for months
_HOST: Final = r"sns\.[a-z]{2}(?:-[a-z]{2,12}){1,2}-\d\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE: Final = re.compile(rf"https://{_HOST}/SimpleNotificationService-[0-9a-f]{{32}}\.pem", re.A)
_SUBSCRIBE: Final = re.compile(rf"https://{_HOST}/\?Action=ConfirmSubscription&[\w.%&=:-]{{1,1000}}", re.A)
_SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_BOUNCES: Final = {
    "permanent/general": Hint("user_unknown"),
    "permanent/noemail": Hint("user_unknown"),
    "permanent/suppressed": Hint("suppressed", firm=True),
    "permanent/onaccountsuppressionlist": Hint("suppressed", firm=True),
    "permanent/ontenantsuppressionlist": Hint("suppressed", firm=True),
    "permanent/emailvalidationsuppressed": Hint("suppressed", firm=True),
    "permanent/unsubscribedrecipient": Hint("suppressed", firm=True),
    "transient/mailboxfull": Hint("mailbox_full"),
    "transient/messagetoolarge": Hint("message_too_large"),
    "transient/customtimeoutexceeded": Hint("expired"),
    "transient/contentrejected": Hint("content_rejected"),
    "transient/attachmentrejected": Hint("content_rejected"),
}
_DELAYS: Final = {
    "internalfailure": Hint("system_error"),
    "mailboxfull": Hint("mailbox_full"),
    "spamdetected": Hint("reputation"),
    "recipientservererror": Hint("system_error"),
    "ipfailure": Hint("reputation"),
    "sendingdeferral": Hint("reputation"),
    "transientcommunicationfailure": Hint("network_error"),
    "byoiphostnamelookupunavailable": Hint("no_ptr"),
}


class Ses:
    """Believes notifications that SNS signed, of topics that are named."""

    name = "ses"

    def __init__(self, topics: Collection[str], *, age: int = AGE, sha1: bool = True, fetch: Fetch | None = None) -> None:
        """`topics` are ARNs; `sha1` also takes signatures of version 1, which SNS makes unless a topic says otherwise; `fetch` gets a certificate."""
        if not topics:
            raise ValueError("no topic is allowed; name the ARN of yours")
        self.age = age
        self._topics = frozenset(topics)
        self._sha1 = sha1
        self._fetch = fetch or fetch_certificate
        self._keys: dict[str, tuple[Any, datetime]] = {}
        self._fetched: list[datetime] = []
        self._lock = Lock()

    def read(self, request: Request, now: datetime) -> Batch:
        """Return the events of one notification."""
        envelope = Fields(read_json(request.body, 401))
        kind = envelope.text("Type")
        if kind not in _SIGNED:
            raise RefusedError(401, "no message of SNS; raw delivery has no signature and has to be off")
        if envelope.text("TopicArn") not in self._topics:
            raise RefusedError(403, "the topic is not on the list of allowed ones")
        self._check(envelope, kind, now)
        check_age(read_time(envelope.text("Timestamp")), now, self.age)
        once = envelope.text("MessageId")
        if kind != "Notification":
            return Batch(once=once, remark=_about_subscription(envelope, kind))
        told, ignored = _read_event(Fields(read_json(envelope.text("Message"))), once)
        return Batch(tuple(told), once, ignored=ignored)

    def _check(self, envelope: Fields, kind: str, now: datetime) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA1, SHA256

        version = envelope.text("SignatureVersion")
        try:
            signature = b64decode(envelope.text("Signature"), validate=True)
        except (Error, ValueError):
            signature = b""
        if not signature:
            raise RefusedError(401, "the message is not signed")
        if version not in ("1", "2") or (version == "1" and not self._sha1):
            raise RefusedError(401, "the version of the signature is not allowed")
        url = envelope.text("SigningCertURL")
        if _CERTIFICATE.fullmatch(url) is None:
            raise RefusedError(403, "the certificate is not at a host of SNS")
        lines = [f"{name}\n{envelope.text(name)}\n" for name in _SIGNED[kind] if name != "Subject" or envelope.text(name)]
        try:
            signed = "".join(lines).encode()
            self._key(url, now).verify(signature, signed, PKCS1v15(), SHA256() if version == "2" else SHA1())
        except (InvalidSignature, UnicodeEncodeError):
            raise RefusedError(401, "the signature is wrong") from None

    def _key(self, url: str, now: datetime) -> Any:
        """Return the public key of a certificate, fetched once; strangers cannot make us fetch many."""
        with self._lock:
            key, end = self._keys.get(url, (None, now))
            if key is not None and now <= end:
                return key
            self._fetched = [at for at in self._fetched if (now - at).total_seconds() < 60]
            if len(self._fetched) >= FETCHES:
                raise RefusedError(503, "too many certificates were asked for; come again")
            self._fetched.append(now)
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.x509 import load_pem_x509_certificate

        try:
            certificate = load_pem_x509_certificate(self._fetch(url))
            key, end = certificate.public_key(), certificate.not_valid_after_utc
        except (OSError, ValueError):
            raise RefusedError(503, "the certificate of SNS could not be had") from None
        if not isinstance(key, RSAPublicKey) or not certificate.not_valid_before_utc <= now <= end:
            raise RefusedError(401, "the certificate is not valid now, or has a key of another kind")
        with self._lock:
            while len(self._keys) >= CERTIFICATES:
                self._keys.pop(next(iter(self._keys)))
            self._keys[url] = key, end
        return key


def fetch_certificate(url: str) -> bytes:
    """Return the PEM file at a URL of the fixed pattern; no proxy, no redirect, 5 seconds. Raises OSError or ValueError when it cannot be had."""
    from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

    if _CERTIFICATE.fullmatch(url) is None:
        raise ValueError("not at a host of SNS")

    class Nowhere(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            """Follow nothing: the answer then counts as an error."""

    with build_opener(ProxyHandler({}), Nowhere).open(url, timeout=SECONDS) as answer:
        content: bytes = answer.read(CERTIFICATE + 1)
    if len(content) > CERTIFICATE:
        raise ValueError("too large for a certificate")
    return content


def _about_subscription(envelope: Fields, kind: str) -> str:
    url = envelope.text("SubscribeURL")
    if _SUBSCRIBE.fullmatch(url) is None:
        raise RefusedError(403, "the confirmation is not at a host of SNS")
    if kind == "UnsubscribeConfirmation":
        return f"SNS ended the subscription to {envelope.text('TopicArn')}"
    return f"SNS asks to confirm the subscription to {envelope.text('TopicArn')}; a person may open {url}"


def _read_event(event: Fields, once: str) -> tuple[list[Told], int]:
    """Return what an SES event tells of each of its recipients."""
    mail = event.inner("mail")
    common = mail.inner("commonHeaders")
    list_id = next((field.text("value") for field in mail.all("headers") if field.text("name").lower() == "list-id"), "")

    def tell(address: str, happened: Happened, body: Fields, **more: Any) -> Told:
        return Told(
            f"{body.text('feedbackId') or once}/{happened}",
            read_time(body.text("timestamp") or mail.text("timestamp")),
            address,
            happened,
            message=mail.text("messageId"),
            message_id=common.text("messageId"),
            sender=(common.texts("from") or [mail.text("source")])[0],
            subject=common.text("subject"),
            list_id=list_id,
            reporting_mta=body.text("reportingMTA").partition(";")[2].strip(),
            **more,
        )

    kind = (event.text("notificationType", "eventType")).lower()
    if kind == "bounce":
        body = event.inner("bounce")
        label = f"{body.text('bounceType')}/{body.text('bounceSubType')}"
        soft = body.text("bounceType").lower() != "permanent"
        return [
            tell(
                one.text("emailAddress"), "failed", body, reply=_said(one), field="diagnosticCode", label=label,
                hint=_BOUNCES.get(label.lower(), Hint()), soft=soft, status=one.text("status"), remote_mta=body.text("remoteMtaIp"),
            )
            for one in body.all("bouncedRecipients")
        ], 0  # fmt: skip
    if kind == "complaint":
        body = event.inner("complaint")
        people = body.all("complainedRecipients")
        if body.text("complaintFeedbackType") == "not-spam":
            return [], 1
        listed = body.text("complaintSubType").lower() == "onaccountsuppressionlist"
        if listed:  # they did not send, since there was a complaint before
            hint = Hint("suppressed", firm=True)
            return [tell(one.text("emailAddress"), "failed", body, label="complaint/OnAccountSuppressionList", hint=hint) for one in people], 0
        label = f"complaint/{body.text('complaintFeedbackType') or 'abuse'}"
        return [tell(one.text("emailAddress"), "complaint", body, label=label, doubtful=len(people) > 1) for one in people], 0
    if kind == "delivery":
        body = event.inner("delivery")
        more = {"reply": body.text("smtpResponse"), "field": "smtpResponse", "remote_mta": body.text("remoteMtaIp")}
        return [tell(address, "delivered", body, **more) for address in body.texts("recipients")], 0
    if kind == "deliverydelay":
        body = event.inner("deliveryDelay")
        label = body.text("delayType")
        hint = _DELAYS.get(label.lower(), Hint())
        return [
            tell(
                one.text("emailAddress"), "delayed", body, reply=_said(one), field="diagnosticCode", label=label, hint=hint, soft=True,
                status=one.text("status"),
            )
            for one in body.all("delayedRecipients")
        ], 0  # fmt: skip
    if kind == "reject":
        body = event.inner("reject")
        reason = body.text("reason")
        hint = Hint("virus", firm=True) if reason.lower() == "bad content" else Hint("policy")
        return [tell(address, "failed", body, reply=reason, label="reject", hint=hint, soft=True) for address in mail.texts("destination")], 0
    return [], 1


def _said(person: Fields) -> str:
    kind, _, words = person.text("diagnosticCode").partition(";")
    return words.strip() if kind.lower() == "smtp" else person.text("diagnosticCode")
