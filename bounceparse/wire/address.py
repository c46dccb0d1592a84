"""Addresses as they stand in reports, cleaned up by the steps of RFC 3464 2.3 and of what the wild makes of them.

One fast pattern takes the usual `rfc822; user@example.com`; everything else walks through the steps below it.
"""

from __future__ import annotations

import re
from typing import Final

from bounceparse import limits

_PLAIN: Final = re.compile(r"[ \t]*+(?:[A-Za-z0-9/-]++[ \t]*+;[ \t]*+)?<?([!#-'*+./0-9=?A-Z^_`a-z{|}~-]++)@([A-Za-z0-9._-]++)>?[ \t]*+")
_TYPE: Final = re.compile(r"\s*(?:rfc/?822|utf-?8|x400|x500|unknown|local|smtp|internet|x-[a-z-]+)\s*;\s*", re.I)
_FOLD: Final = re.compile(r"\n[ \t]*")
_ANGLE: Final = re.compile(r"<([^<>]*)>")
_COMMENT: Final = re.compile(r"\([^()]{0,300}\)")
_ROUTE: Final = re.compile(r"^@[^:\s]{1,300}:")
_HEX: Final = re.compile(r"\+([0-9A-Fa-f]{2})")
_UTF8: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_LOCAL: Final = r"(?:\"(?:[^\"\\\n]|\\.){1,64}\"|[^\s<>\"(),:;@\[\]\\|]{1,255})"
_DOMAIN: Final = r"(?:\[[0-9A-Za-z.:]{2,60}\]|[^\s<>\"'(),:;@\[\]\\|/!?=&%#*$+`{}]{1,255})"
_VALID: Final = re.compile(rf"{_LOCAL}@{_DOMAIN}")
_GLUED: Final = re.compile(
    "^.*[\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\u2018-\u201f\u00ab\u00bb]"
    "|^[\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af]+(?=[!-~]+@)"
)
"""What stands before an address without a blank where words are written so: `宛先：a@example.com`, `アドレスa@example.com`."""
_ASCII_DOMAIN: Final = r"(?:[A-Za-z0-9_-]{1,63}\.){1,20}[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9](?![A-Za-z0-9])"
_SOUND: Final = r"[^\x00-/:-@\[-`{-\xa0]"  # an ASCII letter or digit, or anything beyond; said so, it compiles at once
_ANY_DOMAIN: Final = rf"{_SOUND}(?:[\w.-]{{0,250}}{_SOUND})?"
ADDRESS: Final = re.compile(rf"(?<![\w.+/=-]){_LOCAL}@(?:{_ASCII_DOMAIN}|\[[0-9A-Fa-f.:]{{3,45}}\]|{_ANY_DOMAIN})")
"""Finds addresses in running text; the domain may lack a dot (`user@localhost`)."""


def read_address(value: str) -> str:
    """Return the address that a recipient field holds, its domain in lower case; "" when there is none.

    Takes off the address type, angle brackets, display names, comments, quotes, source routes, folds and trailing marks; decodes IMCEA forms of
    Exchange, the `\\x{…}` escapes of RFC 6533 and xtext that cannot be an address otherwise (RFC 3461 4).
    """
    match = _PLAIN.fullmatch(value)
    if match is not None and "\t" not in value:
        local: str = match[1]
        domain: str = match[2]
        sound = "." in domain and domain[-1] not in "._" and ".." not in domain
        if sound and len(value) <= limits.ADDRESS and local[:5] not in ("IMCEA", "imcea"):
            return f"{local}@{domain.lower()}"
    return _read_odd(value[: limits.FIELD])


def _read_odd(value: str) -> str:
    value = _FOLD.sub("", value).strip()
    match = _TYPE.match(value)
    if match is not None:
        value = value[match.end() :]
    elif ";" in value and "@" in value.partition(";")[2]:
        value = value.partition(";")[2]
    angles = [found for found in _ANGLE.findall(value) if "@" in found]
    if angles:
        value = angles[-1].strip()
        value = value[7:] if value[:7].lower() == "mailto:" else value
    else:
        value = _COMMENT.sub("", value)
    value = _ROUTE.sub("", value.strip(" \t'<>").rstrip(".,:;")).strip()
    if value[:1] == '"' and value[-1:] == '"' and "@" in value:
        value = value[1:-1]
    if "\\x{" in value:
        value = _UTF8.sub(_codepoint, value)
    if value[:5].upper() == "IMCEA":
        value = _imcea(value)
    if "@" not in value and _HEX.search(value):
        value = _HEX.sub(lambda m: chr(int(m[1], 16)), value)
    return check_address(value)


def check_address(value: str) -> str:
    """Return `value` with its domain in lower case when it is one address, else the first address in it, else ""."""
    if not value.isprintable():
        value = "".join(filter(str.isprintable, value))
    if len(value) > limits.ADDRESS:
        return ""
    if value[:1] == "'" and (value[-1:] == "'" or value.count("'") == 1):
        value = value.strip("'")
    match = _VALID.fullmatch(value) if value.isascii() else None
    if match is None:
        match = ADDRESS.search(value)
        if match is None:
            return ""
    found = match[0] if match[0].isascii() else _GLUED.sub("", match[0])
    local, _, domain = found.rpartition("@")
    domain = domain.strip(".").lower()
    local = local[5:] if local[:5].lower() == "smtp=" else local
    if local[:7].upper() in ("IMCEAEX", "IMCEAIN", "IMCEAX4", "IMCEAFA"):
        return ""  # a directory name of Exchange, no address
    return f"{local}@{domain}" if domain and local and ".." not in domain else ""


def find_addresses(text: str) -> list[str]:
    """Return the addresses in running text, in order, their domains in lower case."""
    if "@" not in text:
        return []
    if '"' not in text:  # no blank inside an address then, so the words without an @ need not be tried letter by letter
        text = " ".join([word for word in text.split() if "@" in word])
    found = ADDRESS.findall(text)
    if not text.isascii():
        found = [address if address.isascii() else _GLUED.sub("", address) for address in found]
    return [f"{local}@{domain.lower().rstrip('.-_')}" for local, _, domain in (address.rpartition("@") for address in found) if local]


def without_addresses(text: str) -> str:
    """Return running text with its addresses cut out."""
    if "@" not in text or '"' in text:
        return ADDRESS.sub("", text)
    kept: list[str] = []
    for word in text.split():
        if "@" in word:
            before, _, text = text.partition(word)
            kept += (before, ADDRESS.sub("", word))
    return "".join(kept) + text


def _codepoint(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    return "" if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF or number < 32 else chr(number)


def _imcea(value: str) -> str:
    """Decode Exchange's encapsulation: IMCEASMTP-user+40example+2Ecom@host holds an address, IMCEAEX a directory name that is none."""
    kind, _, rest = value.partition("-")
    if kind.upper() in ("IMCEAEX", "IMCEAINVALID", "IMCEAX400", "IMCEAFAX"):
        return ""
    inner = _HEX.sub(lambda m: chr(int(m[1], 16)), rest.rpartition("@")[0].replace("_", "/"))
    return inner if inner.count("@") == 1 else value
