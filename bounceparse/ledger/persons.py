"""Under what an address is kept: one spelling for each, so that Ann@Example.COM and ann@example.com are the same person.

RFC 5321 2.4 lets the local part tell cases apart; no mail system of note does, and a person who asked to be left alone must not come back in
capitals. Domains are kept in their ASCII form (RFC 5891), where there is one.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from bounceparse import limits
from bounceparse.wire.address import read_address

FORGOTTEN: Final = "hash:"
"""What the key of a forgotten person begins with; it holds no "@", so no address can be taken for one."""

_PLAIN: Final = re.compile(r"[!-~]{1,255}@[A-Za-z0-9._-]{1,255}")
_ODD: Final = frozenset('<>()",;:\\[] ')


def person_of(address: str) -> str:
    """Return the key of an address, "" when there is no address in the text."""
    if _PLAIN.fullmatch(address) is not None and _ODD.isdisjoint(address) and len(address) <= limits.ADDRESS:
        return address.lower()
    local, at, domain = read_address(address.strip()).rpartition("@")
    if not at:
        return ""
    key = f"{local.lower()}@{domain_of(domain)}"
    return key if len(key) <= limits.ADDRESS and key.isprintable() else ""


def domain_of(domain: str) -> str:
    """Return the key of a domain: lower case, in its ASCII form."""
    domain = domain.strip().strip(".@").lower()[: limits.ADDRESS]
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def hash_of(person: str, salt: str) -> str:
    """Return what stays of a forgotten person: a keyed hash of 128 bits, good for nothing but to recognise the address when it comes again."""
    return FORGOTTEN + blake2b(person.encode(), key=salt.encode()[:64], digest_size=16).hexdigest()


def domain_in(person: str) -> str:
    """Return the domain of a key."""
    return person.rpartition("@")[2]
