"""Header fields: one regular expression finds them all, folded lines included.

The rule that keeps this file honest: fields are read from a header block that was cut out before, in one pass, and decoded only when asked for.
"""

from __future__ import annotations

import re
from typing import Final

from bounceparse.text import printable
from bounceparse.wire.charset import decode_text, fix_mojibake
from bounceparse.wire.decode import decode_words

FIELD: Final = re.compile(r"\n([!-9;-~]++)[ \t]*+:[ \t]*+(.*+(?:\n[ \t].*+)*+)")
"""One field (RFC 5322 2.2) and the line end before it: name and raw value; blanks before the colon are tolerated.

Patterns that begin with a line end are found by memchr, twice as fast as those that begin with `^`; so a block is read with one put before it.
"""


_NAMES: Final = {
    name: name.lower()
    for name in (
        *("Return-Path", "Received", "From", "To", "Cc", "Subject", "Date", "Message-ID", "Message-Id", "MIME-Version", "Mime-Version"),
        *("Content-Type", "Content-Transfer-Encoding", "Auto-Submitted", "Delivered-To", "X-Original-To", "X-Failed-Recipients", "Sender"),
        *("In-Reply-To", "References", "Reply-To", "Precedence", "DKIM-Signature", "Authentication-Results", "List-Id", "X-Mailer"),
    )
}
"""The usual names as they are usually spelt: looking one up is faster than lowering it and hashing it anew."""


def read_fields(block: str) -> dict[str, str]:
    """Return the fields of a header block: lower-case name -> first value, still folded and encoded."""
    found = FIELD.findall("\n" + block)
    found.reverse()  # so that the first of several wins
    return {_NAMES.get(name) or name.lower(): value for name, value in found}


def unfold(value: str) -> str:
    """Return a folded value as one line."""
    return " ".join(value.split()) if "\n" in value or "\t" in value or value[-1:] == " " else value


def decode_field(value: str, limit: int) -> str:
    """Return an unstructured field as clean text: unfolded, RFC 2047 words decoded, raw 8-bit bytes read as the text they most likely are."""
    if value.isascii() and value.isprintable() and "=?" not in value and value[-1:] != " " and len(value) <= limit:
        return value  # as most are
    if not value.isascii():
        value = fix_mojibake(decode_text(value.encode("latin-1", "replace"), "utf-8")[0])
    value = unfold(value)
    if "=?" in value:
        value = decode_words(value)
    return printable(value, limit)
