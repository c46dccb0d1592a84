"""Transfer encodings, encoded words and parameters, as the wild writes them.

The rules that keep this file honest: nothing raises, nothing is longer decoded than it was encoded, and every pattern either consumes what it
looked at or looks no farther than the next place where it could begin, so that work grows with the length and not with its square.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from bounceparse.wire.charset import decode_text

_IDENTITY: Final = frozenset({"", "7bit", "8bit", "binary", "7-bit", "8-bit", "none"})
_UUENCODE: Final = frozenset({"uuencode", "x-uuencode", "x-uue", "uue"})
_BLANKS: Final = b" \t\r\n"
_NOT_BASE64: Final = bytes(c for c in range(256) if not re.match(rb"[A-Za-z0-9+/=]", bytes((c,))))
_PADDING: Final = re.compile(rb"=+")
_BARE_EQUALS: Final = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*(?:\r?\n|\Z))")
_SOFT_BREAK: Final = re.compile(rb"=[ \t]+(?=\r?\n|\Z)")
_UU_BEGIN: Final = re.compile(rb"^begin [0-7]{3,4} [^\n]*\n", re.M)
_WORD: Final = re.compile(r"=\?([^?=\s]{1,60})\?([BbQq])\?((?:[^?=]|\?(?!=)|=(?!\?[^=]))*+)(?:\?=|\?\Z|\Z)")
_PARAM: Final = re.compile(
    r"[;\s]([\w!#$%&'*+.^`{|}~-]{1,100})\s*=\s*(?:\"([^\"]*)\"|\"?([^\s;\"]*(?:[ \t]+[^\s;\"=]++(?=[ \t;]|\Z))*))"  # quoted; or bare, unclosed
)
_SECTION: Final = re.compile(r"([^*]+)\*(?:([0-9]{1,5})(\*)?)?")
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_MARKS: Final = re.compile(r"[()\"]|\\.?|[^()\"\\]+", re.S)


def decode_body(data: bytes, encoding: str) -> tuple[bytes, bool]:
    """Return `data` without its transfer encoding (RFC 2045 6), and whether it decoded cleanly; never longer than `data`.

    `encoding` is the lower-case Content-Transfer-Encoding. Junk, lost padding, cut ends and bodies that are not encoded at all are read as far as
    they make sense; an unknown encoding leaves the bytes as they are.
    """
    if encoding == "base64":
        return _read_base64(data)
    if encoding == "quoted-printable":
        return _read_quoted_printable(data, False)
    if encoding in _UUENCODE:
        return _read_uuencode(data)
    return data, encoding in _IDENTITY


def decode_words(value: str) -> str:
    """Return a header value with its encoded words read (RFC 2047), also inside quotes and where blanks or the end are missing.

    Adjacent words of one charset are joined as bytes, because a character may be split over two.
    """
    if "=?" not in value:
        return value
    found: list[str] = []
    run: list[tuple[str, str]] = []  # kind and text of adjacent words of one charset
    charset, end = "", 0
    for match in _WORD.finditer(value):
        label, kind, text = match.groups()
        label = label.partition("*")[0].lower()  # RFC 2231 5: a language may follow
        gap = value[end : match.start()]
        if run and (label != charset or not (gap == "" or gap.isspace())):
            found.append(decode_text(_read_run(run), charset)[0])
            run = []
            gap = "" if gap.isspace() else gap
        elif run:
            gap = ""
        if gap:
            found.append(gap)
        run.append((kind, text))
        charset, end = label, match.end()
    if run:
        found.append(decode_text(_read_run(run), charset)[0])
    found.append(value[end:])
    return "".join(found)


def decode_params(value: str) -> dict[str, str]:
    """Return the parameters of a Content-Type or Content-Disposition value by lower-case name; of several with one name the first.

    Reads quotes, comments, lost quotes and semicolons, continuations and charsets of RFC 2231, encoded words and raw UTF-8.
    """
    odd = "\\" in value or "(" in value
    params: dict[str, str] = {}
    for name, quoted, bare in _PARAM.findall(_without_comments(value) if odd else value):
        params.setdefault(name.lower(), quoted or bare)
    if odd:
        params = {name: text.replace("\0", '"') for name, text in params.items()}
    if "*" in value:
        params = _join_sections(params)
    if "=?" in value or not value.isascii():
        return {name: text if name == "boundary" else _read_value(text) for name, text in params.items()}
    return params


def _read_base64(data: bytes) -> tuple[bytes, bool]:
    try:
        return binascii.a2b_base64(data.translate(None, _BLANKS), strict_mode=True), True
    except binascii.Error:
        kept = list(map(_base64_line, data.split(b"\n")))
    if sum(map(len, kept)) * 4 < len(data.translate(None, _BLANKS)):
        return data, False  # plain text with the wrong label
    decoded = []
    for piece in _PADDING.split(b"".join(kept)):  # several encoded texts may stand one after another
        whole = len(piece) - 1 if len(piece) % 4 == 1 else len(piece)
        decoded.append(binascii.a2b_base64(piece[:whole] + b"=" * (-whole % 4)))
    return b"".join(decoded), False


def _base64_line(line: bytes) -> bytes:
    """Return the base64 characters of a line, none when it is a line of text, as gateways append them."""
    line = line.strip(_BLANKS)
    clean = line.translate(None, _NOT_BASE64)
    return clean if len(clean) == len(line) or (b" " not in line and len(clean) * 8 >= len(line) * 7) else b""


def _read_quoted_printable(data: bytes, header: bool) -> tuple[bytes, bool]:
    clean = True
    if _BARE_EQUALS.search(data) is not None:
        data, clean = _BARE_EQUALS.sub(b"=3D", data), False
    return binascii.a2b_qp(_SOFT_BREAK.sub(b"=", data), header=header), clean


def _read_uuencode(data: bytes) -> tuple[bytes, bool]:
    match = _UU_BEGIN.search(data)
    start = match.end() if match is not None else 0
    clean = match is not None
    decoded = [data[: match.start()].lstrip(_BLANKS)] if match is not None else []
    for line in data[start:].split(b"\n"):
        line = line.rstrip(b"\r")
        if line == b"end":
            return b"".join(decoded), clean
        if not line:
            continue
        try:
            decoded.append(binascii.a2b_uu(line))
        except binascii.Error:
            clean = False
            try:
                decoded.append(binascii.a2b_uu(line[: ((line[0] - 32 & 63) * 4 + 5) // 3]))  # some encoders write a checksum behind the line
            except binascii.Error:
                continue
    return (b"".join(decoded), False) if match is not None else (data, False)


def _read_run(run: list[tuple[str, str]]) -> bytes:
    """Return the bytes of adjacent encoded words."""
    decoded: list[bytes] = []
    base64: list[bytes] = []
    for kind, text in run:
        data = text.encode("utf-8", "replace")
        if kind in "Bb":
            base64.append(data)
        else:
            _flush_base64(base64, decoded)
            decoded.append(_read_quoted_printable(data, True)[0])
    _flush_base64(base64, decoded)
    return b"".join(decoded)


def _flush_base64(words: list[bytes], decoded: list[bytes]) -> None:
    """Move base64 words to `decoded`: one by one, or joined where the encoder cut its output between groups of four."""
    if len(words) > 1 and any(len(word) % 4 for word in words) and sum(map(len, words)) % 4 == 0 and not any(b"=" in word for word in words[:-1]):
        words[:] = [b"".join(words)]
    decoded.extend(_read_base64(word)[0] for word in words)
    words.clear()


def _without_comments(value: str) -> str:
    """Return `value` without comments (RFC 5322 3.2.2); an escaped quote becomes NUL, so that quotes pair up."""
    kept: list[str] = []
    quoted, depth = False, 0
    for token in _MARKS.findall(value):
        if quoted:
            quoted = token != '"'
            kept.append("\0" if token == '\\"' else "\\" if token == "\\\\" else token)
        elif token == "(":
            depth += 1
        elif depth:
            depth -= token == ")"
        else:
            quoted = token == '"'
            kept.append(token)
    return value if depth else "".join(kept)


def _join_sections(params: dict[str, str]) -> dict[str, str]:
    """Return the parameters with name*0*, name*1 … joined and name* decoded (RFC 2231 3 and 4); these win over a plain `name`."""
    joined: dict[str, str] = {}
    sections: dict[str, list[tuple[int, bool, str]]] = {}
    for name, value in params.items():
        match = _SECTION.fullmatch(name)
        if match is None:
            joined[name] = value
        else:
            sections.setdefault(match[1], []).append((int(match[2] or 0), match[2] is None or match[3] is not None, value))
    for name, pieces in sections.items():
        pieces.sort(key=lambda piece: piece[0])
        charset = ""
        first = pieces[0]
        if first[1] and first[2].count("'") >= 2:
            charset, _, rest = first[2].split("'", 2)
            pieces[0] = (first[0], True, rest)
        data = b"".join(
            _PERCENT.sub(_unhex, text.encode("utf-8", "replace")) if encoded else text.encode("utf-8", "replace") for _, encoded, text in pieces
        )
        joined[name] = decode_text(data, charset)[0]
    return joined


def _unhex(match: re.Match[bytes]) -> bytes:
    return bytes((int(match[1], 16),))


def _read_value(text: str) -> str:
    """Return a parameter whose bytes came as Latin-1 as the text they most likely are, encoded words read."""
    if not text.isascii():
        try:
            text = decode_text(text.encode("latin-1"), "")[0]
        except UnicodeEncodeError:  # was text already
            return decode_words(text)
    return decode_words(text)
