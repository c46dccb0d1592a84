"""Is it they? Secrets and signatures, compared in constant time, and ages."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from hmac import new as new_hmac
from typing import Final

from bounceparse.intake.webhooks.request import SKEW, RefusedError, Request
from bounceparse.intake.webhooks.told import Told

SECRET_HEADER: Final = "x-webhook-secret"


def check_secret(request: Request, secret: str) -> None:
    """Raise RefusedError unless the request brings the secret.

    As the password of basic authentication (or `user:password` as a whole), as a bearer token, or in the field X-Webhook-Secret.
    """
    scheme, _, rest = request.header("authorization").partition(" ")
    offered = [request.header(SECRET_HEADER)]
    if scheme.lower() == "basic":
        try:
            pair = b64decode(rest.strip(), validate=True).decode("utf-8", "replace")
        except (Error, ValueError):
            pair = ""
        offered += [pair, pair.partition(":")[2]]
    elif scheme.lower() == "bearer":
        offered.append(rest.strip())
    if not any(offered):
        raise RefusedError(401, "the request brings no secret")
    fitting = sum(same(one, secret) for one in offered)  # all are compared, whichever fits
    if not fitting:
        raise RefusedError(401, "the secret is wrong")


def same(one: str, other: str) -> bool:
    """Say whether two secrets are the same, in a time that tells neither their length nor where they differ; an empty one is like no other."""
    digests = [sha256(text.encode(errors="surrogatepass")).digest() for text in (one, other)]
    return compare_digest(*digests) and bool(one)


def check_hmac(key: str, signed: bytes, signature: str) -> None:
    """Raise RefusedError unless `signature` is the HMAC-SHA-256 of `signed`, hexadecimal."""
    if not signature:
        raise RefusedError(401, "the request is not signed")
    if not same(new_hmac(key.encode(), signed, sha256).hexdigest(), signature.lower()):
        raise RefusedError(401, "the signature is wrong")


def check_age(at: datetime | None, now: datetime, age: int) -> None:
    """Raise RefusedError for a time that is too old, from a time to come, or not there."""
    if at is None:
        raise RefusedError(401, "the request does not say when it was made")
    passed = (now - at).total_seconds()
    if passed > age:
        raise RefusedError(403, "the request is too old")
    if passed < -SKEW:
        raise RefusedError(403, "the request comes from a time to come")


def keep_recent(told: Iterable[Told], now: datetime, age: int) -> tuple[Told, ...]:
    """Return the events that are not too old; raises RefusedError when there are events and all are, or say no time."""
    every = tuple(told)
    recent = tuple(one for one in every if one.at is not None and -SKEW <= (now - one.at).total_seconds() <= age)
    if every and not recent:
        raise RefusedError(403, "the events are too old, or from a time to come")
    return recent


def read_time(text: str) -> datetime | None:
    """Return the time that a service writes: seconds or milliseconds since 1970, or ISO 8601; None when it is neither. Without a zone it is UTC."""
    text = text.strip()[:64]
    try:
        if text.replace(".", "", 1).isdigit():
            seconds = float(text)
            return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        moment = datetime.fromisoformat(_short_fraction(text))
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _short_fraction(text: str) -> str:
    """Return an ISO time with at most six digits of a second: Azure writes seven."""
    head, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{head}.{rest[: min(digits, 6)]}{rest[digits:]}"
