"""Who may do what: bearer tokens with scopes, and the keys of the mail services, from one TOML file.

    [[token]]
    name = "newsletter"
    secret_file = "newsletter.token"      # or sha256 = "…" of it, or secret = "…"
    scopes = ["parse", "read", "write", "metrics"]

    [webhook.ses]
    topics = ["arn:aws:sns:eu-west-1:123456789012:bounces"]

    [webhook.mailgun]
    secret_file = "mailgun.key"           # or secret = "…"; sendgrid: public_key = "…"
    age = "1h"
    sender = "example.com"                # where an event does not say whose mail, or which list, it is about
    list = "news.example.com"
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct

from bounceparse.intake.webhooks import Service
from bounceparse.tables.toml import Source, Table

Scope = Literal["parse", "read", "write", "metrics"]

SCOPES: Final[tuple[Scope, ...]] = ("parse", "read", "write", "metrics")
LEAST_SECRET: Final = 20  # characters of a token or secret that keeps strangers out
_SERVICES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "azure": ("Azure", ("secret", "topics")),
    "brevo": ("Brevo", ("secret",)),
    "mailgun": ("Mailgun", ("secret",)),
    "mailjet": ("Mailjet", ("secret",)),
    "postmark": ("Postmark", ("secret",)),
    "sendgrid": ("SendGrid", ("public_key",)),
    "ses": ("Ses", ("topics", "sha1")),
    "sparkpost": ("SparkPost", ("secret",)),
}
"""The class of each service, and what it wants to know."""
_AGE: Final = re.compile(r"(\d{1,4}) ?([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")


class Token(Struct, frozen=True):
    """One program that may come; what it has to show is kept as a digest."""

    name: str
    digest: bytes
    scopes: frozenset[str]


class Place(Struct, frozen=True):
    """What the events of a service are about where they do not say it: complaints hold for a sender, requests to unsubscribe for a list."""

    sender: str = ""
    list_id: str = ""


class Access(Struct, frozen=True):
    """Tokens and services. Without tokens everybody may do everything: that is for the loopback interface alone."""

    tokens: tuple[Token, ...] = ()
    services: tuple[Service, ...] = ()
    places: dict[str, Place] = {}  # by the name of the service

    def find(self, shown: str) -> Token | None:
        """Return the token that was shown, None for a wrong one; all are compared, each in constant time."""
        digest = sha256(shown.encode(errors="surrogatepass")).digest()
        found = None
        for token in self.tokens:
            if compare_digest(token.digest, digest):
                found = token
        return found


def load_access(path: str | Path) -> Access:
    """Return what a file allows; raises TableError with file, line, what is wrong and how to mend it, OSError when a file cannot be read."""
    source = Source(str(path))
    folder = Path(path).parent
    top = source.top()
    tokens = tuple(_read_token(table, folder) for table in source.tables("token"))
    names = [token.name for token in tokens]
    if len(set(names)) < len(names):
        raise top.error("two tokens have one name", "give each a name of its own", "token")
    group = top.inner("webhook")
    found = list(_read_services(source, group, folder))
    top.taken |= {"token", "webhook"}
    top.done()
    return Access(tokens, tuple(service for service, _ in found), {service.name: place for service, place in found})


def _read_token(table: Table, folder: Path) -> Token:
    name = table.text("name")
    digest = table.text("sha256", "")
    if digest:
        if not _DIGEST.fullmatch(digest):
            raise table.error("sha256 is not 64 hexadecimal digits", "write what `printf %s TOKEN | sha256sum` says", "sha256")
        shown = bytes.fromhex(digest)
    else:
        shown = sha256(_secret(table, folder).encode()).digest()
    scopes = table.texts("scopes")
    for scope in scopes:
        if scope not in SCOPES:
            raise table.error(f"there is no scope {scope!r}", f"use {', '.join(SCOPES)}", "scopes")
    if not scopes:
        raise table.error("the token may do nothing", f"name scopes: {', '.join(SCOPES)}", "scopes")
    table.done()
    return Token(name, shown, frozenset(scopes))


def _read_services(source: Source, group: Table, folder: Path) -> Iterable[tuple[Service, Place]]:
    for name, values in group.values.items():
        line = source.line_of(f"[webhook.{name}]", 1)
        table = Table(source, values if isinstance(values, dict) else {}, f"[webhook.{name}]", line)
        if name not in _SERVICES:
            raise table.error(f"there is no service {name!r}", f"use one of {', '.join(_SERVICES)}")
        service, place = _open_service(name, table, folder), Place(table.text("sender", ""), table.text("list", ""))
        table.done()
        yield service, place


def _open_service(name: str, table: Table, folder: Path) -> Service:
    """Return a service with its keys; each is one class, loaded when it is wanted."""
    from importlib import import_module

    options: dict[str, Any] = {}
    given = table.text("age", "")
    if given:
        age = _AGE.fullmatch(given)
        if age is None:
            raise table.error(f"the age {given!r} is no time", 'write a number and s, m, h or d: age = "1h"', "age")
        options["age"] = int(age[1]) * _SECONDS[age[2]]
    home, wants = _SERVICES[name]
    if "secret" in wants:
        options["secret"] = _secret(table, folder)
    if "public_key" in wants:
        options["public_key"] = table.text("public_key")
    if "topics" in wants:
        options["topics"] = table.texts("topics")
    if "sha1" in wants and "sha1" in table.values:
        options["sha1"] = table.flag("sha1")
    made = getattr(import_module(f"bounceparse.intake.webhooks.{name}"), home)
    try:
        service: Service = made(**options)
    except ValueError as error:
        raise table.error(str(error), "see the manual") from None
    except ModuleNotFoundError as error:
        raise table.error(f"{name} needs {error.name}", "pip install 'bounceparse[webhooks]'") from None
    return service


def _secret(table: Table, folder: Path) -> str:
    """Return the secret that a table holds or whose file it names."""
    secret, file = table.text("secret", ""), table.text("secret_file", "")
    if bool(secret) == bool(file):
        raise table.error("there is no secret, or two", 'write secret_file = "…" (or secret = "…")')
    if file:
        path = folder / file
        if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise table.error(f"everybody can read {file}", f"chmod o-rwx {file}", "secret_file")
        secret = path.read_text("utf-8").strip()
    if len(secret) < LEAST_SECRET:
        raise table.error(f"the secret has less than {LEAST_SECRET} characters", "take a longer one, such as `openssl rand -hex 24` makes")
    return secret
