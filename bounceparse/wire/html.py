"""HTML to the plain text that a reader would see, line by line.

Line breaks are marked in the source with white space that the parser keeps where it stands: blocks with a form feed, <br> and paragraphs with line
feeds, cells with a tab. lexbor then reads tags, entities and scripts in C, and no Python code walks the tree. Its tree builder looks through all open
elements for some tags, so a page with more tags than mail has is stripped with a pattern instead: the cost of either is bounded.
"""

from __future__ import annotations

import re
from typing import Final

from bounceparse import limits

_TAGS: Final = 2_500  # tags of one page that lexbor is given
_SOFT: Final = (
    "div|tr|li|dl|table|tbody|thead|tfoot|caption|section|article|header|footer|main|nav|address|center|form|fieldset|option|body|html|title"
)
_MARKED: Final = re.compile(rf"<(?:/?(?:(p|h[1-6]|ul|ol|blockquote|pre|hr)|({_SOFT}))\b|(br|dt)\b|(t[dh]|dd)\b)", re.I)
_PRE: Final = re.compile(r"<pre\b.*?(?:</pre|\Z)", re.I | re.S)
_LINES: Final = str.maketrans("\t\n\r\f\v\xa0", "      ")
_BARE_ADDRESS: Final = re.compile(r"<(?=(?:mailto:)?[^\s<>@\"'=]{1,100}@[^\s<>@\"'=]{1,255}>)")
_CONTROLS: Final = dict.fromkeys([*range(9), *range(14, 28), 127])
_INVISIBLE: Final = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
_DROPPED: Final = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|head|title)\b.*?(?:</\1\b[^>]*>|\Z)", re.I | re.S)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>?|<![^<>]*>?")
_ENTITY: Final = re.compile(r"&(?:#(?:([0-9]{1,7})|[xX]([0-9A-Fa-f]{1,6}))|(amp|lt|gt|quot|apos|nbsp));?", re.I)
_NAMED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " "}


def html_to_text(html: str) -> tuple[str, bool]:
    """Return the text of an HTML page, and whether a real parser read it; at most limits.TEXT characters of it are looked at.

    Blocks and <br> begin lines, paragraphs are set off by an empty line, table cells and descriptions by two blanks; scripts, styles and the head are
    dropped; a mailto link keeps its address where the text does not show it.
    """
    html = html[: limits.TEXT]
    if "<pre" in html or "<PRE" in html:
        html = _PRE.sub(_break_lines, html)
    if "@" in html:
        html = _BARE_ADDRESS.sub("&lt;", html)
    html = _MARKED.sub(_mark, html.translate(_LINES))
    if html.count("<") > _TAGS:
        return _tidy(_strip(html)), False
    try:
        return _tidy(_read(html)), True
    except (ImportError, RuntimeError, ValueError, TypeError, AttributeError):
        return _tidy(_strip(html)), False


def _mark(match: re.Match[str]) -> str:
    paragraph, soft, line, _ = match.groups()
    return ("\n\n" if paragraph else "\f" if soft else "\n" if line else "\t") + match[0]


def _break_lines(match: re.Match[str]) -> str:
    return match[0].replace("\n", "<br>")


def _read(html: str) -> str:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html.encode("utf-8", "replace"))
    body = tree.body
    if body is None:
        return ""
    tree.strip_tags(["script", "style", "noscript", "template", "title"])
    if "mailto:" in html:
        for link in body.css("a"):
            address = link.attributes.get("href") or ""
            if address[:7].lower() == "mailto:":
                address = address[7:].partition("?")[0]
                if "@" in address and address not in link.text():
                    link.insert_after(f" <{address}>")
    return body.text()


def _strip(html: str) -> str:
    """Return `html` without tags, comments, scripts and the commonest entities, as far as patterns can tell."""
    return _ENTITY.sub(_entity, _TAG.sub("", _DROPPED.sub("", html)))


def _entity(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return _NAMED[name.lower()]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return " " if code < 32 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF else chr(code)


def _tidy(text: str) -> str:
    """Turn the marks into lines: an empty line stays when a hard break ends it, and only one of several."""
    text = text.translate(_CONTROLS) if text.isascii() else _INVISIBLE.sub("", text)
    squeeze = _squeeze_cells if "\t" in text else _squeeze
    lines = [""]
    for piece in text.split("\n"):
        if "\f" in piece:
            *soft, piece = piece.split("\f")
            lines.extend(filter(None, map(squeeze, soft)))
        line = squeeze(piece)
        if line or lines[-1]:
            lines.append(line)
    return "\n".join(lines).strip("\n")


def _squeeze(line: str) -> str:
    return " ".join(line.split())


def _squeeze_cells(line: str) -> str:
    return "  ".join(filter(None, map(_squeeze, line.split("\t")))) if "\t" in line else " ".join(line.split())
