"""Return paths that say which mail to whom a bounce answers: make them, read them, and tell the signed ones from forgeries.

A signed one is `b1.<day>.<id>.<mac>`: version and key, three base-32 characters of the day, an opaque id, and 80 bits of HMAC-SHA-256 over purpose,
list, day and id. It has at most 40 characters, no address in it, means the same in capitals, and needs neither `+` nor `=`. Two rules keep this file
honest: a signature is compared in constant time and as the text that it is, so that no other spelling passes; and no key is ever shown.
"""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Final, Literal

from msgspec import Struct

from bounceparse.tables import TableError

Purpose = Literal["post", "probe"]

LIFE: Final[dict[str, int]] = {"post": 30, "probe": 14}
"""Days for which a signed return path proves something."""
LONGEST: Final = 40  # characters of a signed local part
LONGEST_LOCAL: Final = 64  # octets of a local part; RFC 5321 4.5.3.1.1
LEAST_SECRET: Final = 24  # characters of a secret: 128 bits and more in hexadecimal or base 64
ID: Final = 16  # characters of an id
TEMPLATES: Final[dict[str, tuple[str, ...]]] = {
    "mailman": ("{list}-bounces+{local}={domain}@{host}",),
    "sympa": ("bounce+{local}==a=={domain}=={list}@{host}", "bounce+{local}==a=={domain}=={list}=={word}@{host}"),
    "ezmlm": ("{list}-return-{number}-{local}={domain}@{host}",),
    "mlmmj": ("{list}+bounces-{number}-{local}={domain}@{host}", "{word}+{list}-bounces-{number}-{local}={domain}@{host}"),
    "postfix": ("{list}+{local}={domain}@{host}",),
    "listserv": ("owner-{list}*{local}**{domain}@{host}",),
}
"""What list managers and servers make of an address, by name; `{host}` is any host."""

_EPOCH: Final = date(2020, 1, 1)
_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_CAPTURES: Final = {
    "signed": r"b(?P<key>[0-9a-z])\.(?P<day>[a-z2-7]{3})\.(?P<id>[a-z0-9_-]{1,16})\.(?P<mac>[a-z2-7]{16})",
    "local": r"(?P<local>[^\s@<>]{1,64})",
    "domain": r"(?P<domain>[\w.-]{1,253})",
    "list": r"(?P<list>[\w.-]{1,64})",
    "host": r"(?P<host>[\w.-]{1,253})",
    "number": r"(?P<number>[0-9]{1,10})",
    "word": r"(?P<word>\w{1,20})",
}
_SIGNED: Final = re.compile(rf"(?<![a-z0-9.]){_CAPTURES['signed']}$")
_CAPTURE: Final = re.compile(r"\{([a-z]*)\}")
_AN_ID: Final = re.compile(r"[a-z0-9_-]{1,16}")
_BATV: Final = re.compile(r"prvs=(?P<key>[0-9])(?P<day>[0-9]{3})(?P<mac>[0-9a-f]{6})=(?P<core>[^\s@]{1,64}@[\w.-]{1,253})", re.I | re.A)
_BARRACUDA: Final = re.compile(r"btv1==[0-9a-z]{8,32}==(?P<core>[^\s@]{1,64}@[\w.-]{1,253})", re.I | re.A)
_SRS0: Final = re.compile(r"srs0[=+-][^=@\s]{2,32}=[^=@\s]{2}=(?P<domain>[^=@\s]{1,253})=(?P<local>[^@\s]{1,200})@[^@\s]{1,253}", re.I)
_SRS1: Final = re.compile(
    r"srs1[=+-][^=@\s]{2,32}=[^=@\s]{1,253}=[=+-][^=@\s]{2,32}=[^=@\s]{2}=(?P<domain>[^=@\s]{1,253})=(?P<local>[^@\s]{1,200})@[^@\s]{1,253}", re.I
)


class Key(Struct, frozen=True):
    """A secret with the one character that names it in a return path."""

    id: str
    secret: bytes

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-z]", self.id):
            raise ValueError("the name of a key is not one of 0-9 or a-z")
        if len(self.secret) < LEAST_SECRET:
            raise ValueError(f"the secret of key {self.id} has less than {LEAST_SECRET} characters")

    def __repr__(self) -> str:
        return f"Key({self.id!r}, …)"


def read_keys(text: str, source: str = "the keys") -> tuple[Key, ...]:
    """Return the keys of a text: one a line, its name and its secret; the first one signs, the others are still believed.

    A line with a secret alone is key 1; blank lines and those that begin with # are left out. Raises `tables.TableError`, which says where and what
    is wrong, and never what the line holds.
    """
    keys: dict[str, Key] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) > 2:
            raise TableError(source, number, "more than a name and a secret", "write one key a line, and a secret without blanks")
        name = words[0] if len(words) == 2 else "1"
        try:
            key = Key(name, words[-1].encode())
        except ValueError as error:
            mend = "make one with: openssl rand -hex 32" if "secret" in str(error) else "write a name such as 1, a blank, and the secret"
            raise TableError(source, number, str(error), mend) from None
        if name in keys:
            raise TableError(source, number, f"there is a key {name} already", "give each key a name of its own")
        keys[name] = key
    if not keys:
        raise TableError(source, 1, "there is no key", "make one with: openssl rand -hex 32")
    return tuple(keys.values())


class Path(Struct, frozen=True):
    """What a return path says."""

    kind: Literal["signed", "plain", "batv", "srs"]
    recipient: str = ""  # the address in it: of the reader (plain), or the one that was tagged or rewritten (batv, srs)
    list: str = ""
    purpose: str = ""
    token: str = ""  # the signed local part, which names one mail
    id: str = ""
    key: str = ""
    made: date | None = None
    until: date | None = None  # the last day on which it proves anything


class _Template(Struct, frozen=True):
    text: str
    pattern: re.Pattern[str]
    signed: bool
    captures: frozenset[str]


class Verp:
    """The return paths in use: templates, keys, and who can say to whom an id was sent.

    `templates` are texts such as `bounces+{local}={domain}@example.org` or `{signed}@bounces.example.org`, or a name of TEMPLATES; paths are made
    after the first. `keys` sign and check `{signed}`; the first one signs. `lists` are the lists that a signed path may belong to where its template
    has no `{list}`. `recipients` returns the address that one of your own ids was made for, None when there is none; without it an id is made of the
    address itself. `batv` are keys of `prvs=` tags. Raises ValueError for a template that cannot be used.
    """

    def __init__(
        self,
        *templates: str,
        keys: Sequence[Key] = (),
        lists: Sequence[str] = ("",),
        recipients: Callable[[str], str | None] | None = None,
        batv: Sequence[Key] = (),
    ) -> None:
        self.templates = tuple(_compile(text) for template in templates for text in TEMPLATES.get(template, (template,)))
        self.keys = tuple(keys)
        self.lists = tuple(name.lower() for name in lists)
        self.recipients = recipients
        self.batv = tuple(batv)
        self.signed = any(template.signed for template in self.templates)
        self._by_id = {key.id: key for key in self.keys}
        if not self.templates and not self.batv:
            raise ValueError("there is no template; write one such as bounces+{local}={domain}@example.org")
        if self.signed and not self.keys:
            raise ValueError("a signed return path needs a key")
        if len(self._by_id) < len(self.keys):
            raise ValueError("two keys have the same name")

    def make(self, recipient: str, day: date, *, list: str = "", id: str = "", purpose: Purpose = "post") -> str:
        """Return the return path for one mail to `recipient`, made after the first template.

        `id` is your own for this mail (at most 16 of a-z, 0-9, - and _), for `recipients` to find again; without it one is made of the address.
        Raises ValueError where the path cannot be made or would be too long to be delivered.
        """
        if not self.templates:
            raise ValueError("there is no template to make a return path after")
        template = self.templates[0]
        local, at, domain = recipient.rpartition("@")
        if not (at and local and domain) or any(c.isspace() for c in recipient):
            raise ValueError(f"{recipient!r} is no address")
        values = {"local": local, "domain": domain.lower(), "list": list}
        if template.signed:
            values["signed"] = self.sign(id or self._id_of(recipient, list, self.keys[0]), day, list=list, purpose=purpose)
        missing = sorted(name for name in template.captures if not values.get(name))
        if missing:
            raise ValueError(f"nothing is known to put in place of {{{missing[0]}}} in {template.text}")
        path = _CAPTURE.sub(lambda match: values[match[1]], template.text)
        if len(path.rpartition("@")[0].encode()) > LONGEST_LOCAL:
            raise ValueError(f"{path} is too long before its @ to be delivered; sign return paths, which are short")
        if template.pattern.fullmatch(path) is None:
            raise ValueError(f"{path} could not be read again")
        return path

    def sign(self, id: str, day: date, *, list: str = "", purpose: Purpose = "post") -> str:
        """Return the signed local part for an id, made with the first key."""
        if purpose not in LIFE:
            raise ValueError(f"the purpose {purpose!r} is neither post nor probe")
        if not self.keys:
            raise ValueError("a signed return path needs a key")
        if not _AN_ID.fullmatch(id):
            raise ValueError(f"the id {id!r} has other than 1 to {ID} of a-z, 0-9, - and _")
        key = self.keys[0]
        written = _write_day(day)
        return f"b{key.id}.{written}.{id}.{_mac(key, purpose, list.lower(), written, id)}"

    def read(self, address: str, *, today: date | None = None, purpose: str = "") -> Path | None:
        """Return what a return path says; None when it is none of ours, or its signature does not fit.

        With `today`, a signed one is None when its time is over or to come; with `purpose`, when it was made for another.
        """
        for template in self.templates:
            match = _match(template, address)
            if match is None:
                continue
            if not template.signed:
                return Path("plain", f"{match['local']}@{match['domain'].lower()}", _group(match, "list"))
            path = self._check(match, purpose)
            if path is not None and path.made is not None and path.until is not None:
                if today is not None and not path.made - timedelta(days=1) <= today <= path.until:
                    return None
                return path
        return None

    def looks_signed(self, address: str) -> bool:
        """Say whether an address has the form of a signed return path, whatever its signature."""
        return any(template.signed and _match(template, address) is not None for template in self.templates)

    def owner(self, path: Path, addresses: Iterable[str]) -> str:
        """Return the one of `addresses` that the id of a signed path was made of, "" when it is none of them."""
        key = self._by_id.get(path.key)
        if key is not None:
            for address in addresses:
                if compare_digest(self._id_of(address, path.list, key), path.id):
                    return address
        return ""

    def tag(self, address: str, day: date) -> str:
        """Return an address with a BATV tag made with the first key of `batv`, good for seven days (draft-levine-smtp-batv)."""
        if not self.batv or not self.batv[0].id.isdigit():
            raise ValueError("a BATV tag needs a key whose name is a digit")
        key = self.batv[0]
        last = f"{((day - date(1970, 1, 1)).days + 7) % 1_000:03}"
        return f"prvs={key.id}{last}{_batv_mac(key, last, address)}={address}"

    def read_tag(self, address: str, *, today: date | None = None) -> Path | None:
        """Return the address inside a BATV tag of ours; None when there is no tag, its signature does not fit or, with `today`, its time is over."""
        match = _BATV.fullmatch(address)
        if match is None:
            return None
        for key in self.batv:
            if key.id == match["key"] and compare_digest(_batv_mac(key, match["day"], match["core"]), match["mac"].lower()):
                left = (int(match["day"]) - (today - date(1970, 1, 1)).days) % 1_000 if today is not None else 0
                return Path("batv", match["core"], key=key.id) if left <= 7 else None
        return None

    def _check(self, match: re.Match[str], purpose: str) -> Path | None:
        key = self._by_id.get(match["key"])
        if key is None:
            return None
        day, id = match["day"], match["id"]
        named = _group(match, "list")
        for name in (named,) if named else self.lists:
            for use, life in LIFE.items():
                if compare_digest(_mac(key, use, name, day, id), match["mac"]):
                    if purpose and use != purpose:
                        return None
                    made = _read_day(day)
                    token = f"b{key.id}.{day}.{id}.{match['mac']}"
                    return Path("signed", "", name, use, token, id, key.id, made, made + timedelta(days=life))
        return None

    def _id_of(self, recipient: str, list: str, key: Key) -> str:
        """Return the id of an address where the caller has none: 60 keyed bits, so that nobody can look for two addresses with the same one."""
        return _code(key, f"address|{list.lower()}|{recipient.casefold()}")[:12]


def unwrap(address: str) -> str:
    """Return an address without the BATV tags and SRS rewritings around it, at most three of them."""
    for _ in range(3):
        path = read_batv(address) or read_srs(address)
        if path is None:
            break
        address = path.recipient
    return address


def read_signed(address: str) -> Path | None:
    """Return what a signed return path says of itself, whoever signed it; None when an address does not have that form."""
    local = address.lower().rpartition("@")[0] if address.isascii() else ""
    match = _SIGNED.search(local)
    return None if match is None else Path("signed", token=match[0], id=match["id"], key=match["key"], made=_read_day(match["day"]))


def read_batv(address: str) -> Path | None:
    """Return the address inside a BATV tag (`prvs=`, `btv1==`), whoever made it; None when there is no tag."""
    match = _BATV.fullmatch(address) or _BARRACUDA.fullmatch(address)
    return None if match is None else Path("batv", match["core"], key=match.groupdict().get("key") or "")


def read_srs(address: str) -> Path | None:
    """Return the address that a forwarder rewrote by the Sender Rewriting Scheme (SRS0, SRS1); None when it is none."""
    match = _SRS0.fullmatch(address) or _SRS1.fullmatch(address)
    return None if match is None else Path("srs", f"{match['local']}@{match['domain'].lower()}")


def _match(template: _Template, address: str) -> re.Match[str] | None:
    if template.signed:  # lower() makes ASCII letters of some others
        return template.pattern.fullmatch(address.lower()) if address.isascii() else None
    return template.pattern.fullmatch(address) if len(address) <= 320 else None


def _compile(text: str) -> _Template:
    """Return a template with its pattern; raises ValueError with what is wrong and how to mend it."""
    example = "bounces+{local}={domain}@example.org"
    captures = _CAPTURE.findall(text)
    unknown = [name for name in captures if name not in _CAPTURES]
    if unknown:
        raise ValueError(f"{{{unknown[0]}}} in the template {text} is not known; use some of {', '.join(f'{{{name}}}' for name in _CAPTURES)}")
    if len(set(captures)) < len(captures):
        raise ValueError(f"the template {text} has the same {{…}} twice; name each once, as in {example}")
    if text.count("@") != 1 or not text.partition("@")[2] or any(c.isspace() for c in text):
        raise ValueError(f"the template {text} is no address; write one such as {example}, or one of {', '.join(TEMPLATES)}")
    signed = "signed" in captures
    if not signed and not {"local", "domain"} <= set(captures):
        raise ValueError(f"the template {text} says nothing about the recipient; write one such as {example}, or {{signed}}@bounces.example.org")
    if "}{" in text:
        raise ValueError(f"two {{…}} of the template {text} touch each other; put a character between them, as in {example}")
    pattern = "".join(_CAPTURES[piece] if at % 2 else re.escape(piece.lower() if signed else piece) for at, piece in enumerate(_CAPTURE.split(text)))
    return _Template(text, re.compile(pattern, re.I | re.A if signed else re.I), signed, frozenset(captures))


def _group(match: re.Match[str], name: str) -> str:
    return (match.groupdict().get(name) or "").lower()


def _code(key: Key, text: str) -> str:
    return b32encode(hmac_digest(key.secret, text.encode(), "sha256")[:10]).decode().lower()


def _mac(key: Key, purpose: str, list: str, day: str, id: str) -> str:
    return _code(key, f"{purpose}|{list}|{day}|{id}")


def _batv_mac(key: Key, day: str, address: str) -> str:
    return hmac_digest(key.secret, f"{key.id}{day}{address}".encode(), "sha1").hex()[:6]


def _write_day(day: date) -> str:
    number = (day - _EPOCH).days
    if not 0 <= number < 32**3:
        raise ValueError(f"{day} is before {_EPOCH}, or too far in the future")
    return _DIGITS[number >> 10] + _DIGITS[number >> 5 & 31] + _DIGITS[number & 31]


def _read_day(text: str) -> date:
    number = 0
    for digit in text:
        number = number << 5 | _DIGITS.index(digit)
    return _EPOCH + timedelta(days=number)
