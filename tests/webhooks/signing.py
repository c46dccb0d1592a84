"""What the services would send: events of the genuine shape, signed with keys of our own."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from hmac import new as new_hmac
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from bounceparse.intake.webhooks import Request

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
SUBSCRIBE = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=abc"
SECRET = "correct-horse-battery-staple"
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def certificate(number: int = 0) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    key = rsa_key(number)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=90))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def sns(message: Any, *, at: datetime = NOW, key: int = 0, version: str = "2", signed: bool = True, **changed: str) -> Request:
    """An envelope of SNS; `changed` fields are signed as well."""
    envelope: dict[str, str] = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": json.dumps(message),
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        **changed,
    }
    if signed:
        text = "".join(f"{name}\n{envelope[name]}\n" for name in SIGNED[envelope["Type"]] if name in envelope)
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()
        envelope["Signature"] = b64encode(rsa_key(key).sign(text.encode(), padding.PKCS1v15(), digest)).decode()
    return Request({"content-type": "text/plain; charset=UTF-8"}, json.dumps(envelope).encode())


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def ec_public(number: int = 0) -> str:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return b64encode(ec_key(number).public_key().public_bytes(serialization.Encoding.DER, kind)).decode()


def sendgrid(events: Any, *, at: datetime = NOW, key: int = 0, signed: bool = True) -> Request:
    body = json.dumps(events).encode()
    stamp = str(int(at.timestamp()))
    headers = {"x-twilio-email-event-webhook-timestamp": stamp}
    if signed:
        signature = ec_key(key).sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        headers["x-twilio-email-event-webhook-signature"] = b64encode(signature).decode()
    return Request(headers, body)


def mailgun(event: Any, *, at: datetime = NOW, secret: str = SECRET, token: str = "t0k3n", signed: bool = True) -> Request:
    stamp = str(int(at.timestamp()))
    signature = new_hmac(secret.encode(), (stamp + token).encode(), sha256).hexdigest()
    body = {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": event}
    if not signed:
        del body["signature"]
    return Request({}, json.dumps(body).encode())


def plain(body: Any, *, secret: str = SECRET, way: str = "basic") -> Request:
    """A request of a service that signs nothing: the secret comes along."""
    headers = {
        "basic": {"authorization": "Basic " + b64encode(f"hook:{secret}".encode()).decode()},
        "bearer": {"authorization": f"Bearer {secret}"},
        "field": {"x-webhook-secret": secret},
        "none": {},
    }[way]
    return Request(headers, json.dumps(body).encode())


def without(request: Request, *names: str) -> Request:
    """The same request without these fields."""
    return Request({name: value for name, value in request.headers.items() if name not in names}, request.body)
