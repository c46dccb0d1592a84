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


def read_header(text: str, start: int, stop: int) -> tuple[dict[str, str], int]:
    """Return the fields of the header block at `start`, lower-case name -> first value, still folded and encoded, and where the empty line stands.

    That is `stop` when there is none before it. Behind the last line stands a line end, or `stop` is inside of `text`.
    """
    fields: dict[str, str] = {}
    while start < stop and text[start] != "\n":
        end = text.find("\n", start, stop)
        while 0 < end < stop - 1 and (text[end + 1] == " " or text[end + 1] == "\t"):
            end = text.find("\n", end + 1, stop)
        if end < 0:
            end = stop
        colon = text.find(":", start, end)
        if colon > start:
            label = text[start:colon]
            name = _NAMES.get(label) or _read_name(label)
            if name:
                fields.setdefault(name, text[skip_blanks(text, colon + 1) : end])
        start = end + 1
    return fields, min(start, stop)


def read_fields(block: str) -> dict[str, str]:
    """Return the fields of all of a block, empty lines in it or not."""
    block += "\n"
    fields, end = read_header(block, 0, len(block))
    while end < len(block):
        more, end = read_header(block, end + 1, len(block))
        for name, value in more.items():
            fields.setdefault(name, value)
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
