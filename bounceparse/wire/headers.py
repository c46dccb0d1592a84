"""Header fields (RFC 5322 2.2), folded lines included; blanks before the colon are tolerated.

The rule that keeps this file honest: fields are read from a header block that was cut out before, in one pass, and decoded only when asked for.
"""

from __future__ import annotations

from typing import Final

from bounceparse.text import printable
from bounceparse.wire.charset import decode_text, fix_mojibake
from bounceparse.wire.decode import decode_words

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
    fields: dict[str, str] = {}
    size = len(block)
    block += "\n\n"  # so that the last line ends too, and something stands behind its end
    start = 0
    while start < size:
        end = block.find("\n", start)
        while block[end + 1] == " " or block[end + 1] == "\t":
            end = block.find("\n", end + 1)
        colon = block.find(":", start, end)
        if colon > start:
            label = block[start:colon]
            name = _NAMES.get(label) or _read_name(label)
            if name:
                fields.setdefault(name, block[skip_blanks(block, colon + 1) : end])
        start = end + 1
    return fields


def skip_blanks(text: str, at: int) -> int:
    """Return the next place in a text, which must hold one, where no blank stands."""
    while text[at] == " " or text[at] == "\t":
        at += 1
    return at


def end_of_field(text: str, end: int) -> int:
    """Return where a field ends whose first line ends at `end`: folded lines carry it on, blank ones do not. Behind `text` stand two line ends."""
    while text[end + 1] == " " or text[end + 1] == "\t":
        inner = skip_blanks(text, end + 2)
        if text[inner].isspace():
            break
        end = text.find("\n", inner)
    return end


def _read_name(label: str) -> str:
    """Return the lower-case field name that stands before a colon, "" when it is none."""
    name = label.rstrip(" \t")
    return name.lower() if name.isascii() and name.isprintable() and " " not in name else ""


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
