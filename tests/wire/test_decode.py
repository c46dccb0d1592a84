"""Transfer encodings, encoded words and parameters: the standard library where it succeeds, sense where it does not, linear work everywhere."""

from __future__ import annotations

import base64
import binascii
import email.header
import email.message
import quopri
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bounceparse.wire import decode
from bounceparse.wire.decode import decode_body, decode_params, decode_words

SURROGATE = re.compile("[\ud800-\udfff]")
ENCODINGS = ["base64", "quoted-printable", "x-uuencode", "uuencode", "7bit", "8bit", "binary", "", "x-unknown", "quoted printable"]
READABLE = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=60)


def uuencode(data: bytes) -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
    return b"begin 644 a.txt\n" + b"".join(lines) + b"`\nend\n"


# Bodies


@given(st.binary(max_size=300))
def test_base64_comes_back(data: bytes) -> None:
    assert decode_body(base64.encodebytes(data), "base64") == (data, True)
    assert decode_body(base64.b64encode(data), "base64") == (data, True)


@given(st.binary(max_size=300).filter(lambda data: b"\r" not in data))
def test_quoted_printable_comes_back(data: bytes) -> None:
    assert decode_body(quopri.encodestring(data), "quoted-printable") == (data, True)


@given(st.binary(min_size=1, max_size=300))
def test_uuencode_comes_back(data: bytes) -> None:
    assert decode_body(uuencode(data), "x-uuencode") == (data, True)


@given(st.binary(max_size=300), st.sampled_from(ENCODINGS))
@example(b"=", "base64")
@example(b"A", "base64")
@example(b"begin 644 x\n\xff\xff\n", "x-uuencode")
@example(b"=\n==\n= \n=4", "quoted-printable")
def test_any_body_is_read_and_never_grows(data: bytes, encoding: str) -> None:
    decoded, _ = decode_body(data, encoding)
    assert len(decoded) <= len(data)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_a_cut_body_is_a_prefix(data: bytes, at: int) -> None:
    for encode, encoding in ((base64.encodebytes, "base64"), (uuencode, "x-uuencode")):
        decoded, _ = decode_body(encode(data)[: max(at, 16)], encoding)
        assert data.startswith(decoded.rstrip(b"\0")) or encoding == "x-uuencode"


@pytest.mark.parametrize(
    ("data", "encoding", "expected"),
    [
        (b"SGVsbG8", "base64", b"Hello"),  # padding lost
        (b"SGVsbG8gd29ybGQ", "base64", b"Hello world"),
        (b"SGVsbG8gd29ybG", "base64", b"Hello worl"),  # cut
        (b"SGVs!bG8=", "base64", b"Hello"),  # junk within
        (b"SGVsbG8=\nIHdvcmxk\n", "base64", b"Hello world"),  # two texts
        (b"SGVsbG8gd29ybGQh\n\n_____\nThis mail was scanned.\n", "base64", b"Hello world!"),  # a gateway's footer
        (b"SGVsbG8gd29ybGQh\n--\n", "base64", b"Hello world!"),
        (b"Your message could not be delivered.\n", "base64", b"Your message could not be delivered.\n"),  # not encoded at all
        (b"", "base64", b""),
        (b"a=20b=\nc", "quoted-printable", b"a bc"),
        (b"a=  \nb", "quoted-printable", b"ab"),  # blanks after a soft break
        (b"a=b =zz ===== x=3d", "quoted-printable", b"a=b =zz ===== x="),  # not encoded
        (b"==41", "quoted-printable", b"=A"),
        (b"cut=4", "quoted-printable", b"cut=4"),
        (b"soft=", "quoted-printable", b"soft"),
        (b"plain, no begin line\n", "x-uuencode", b"plain, no begin line\n"),
        (b"before\nbegin 644 a\n#0V%T\n`\nend\nafter\n", "x-uuencode", b"before\nCat"),
        (b"begin 644 a\n#0V%TX\n", "x-uuencode", b"Cat"),  # checksum behind the line, no end
        (b"\x80 a=20", "8bit", b"\x80 a=20"),
    ],
)
def test_the_wild(data: bytes, encoding: str, expected: bytes) -> None:
    assert decode_body(data, encoding)[0] == expected


def test_what_is_clean_and_what_is_not() -> None:
    assert decode_body(b"a", "7bit")[1] and decode_body(b"a", "")[1] and not decode_body(b"a", "x-unknown")[1]
    assert not decode_body(b"SGVsbG8", "base64")[1]
    assert not decode_body(b"a=b", "quoted-printable")[1]
    assert not decode_body(b"begin 644 a\n#0V%T\n", "uuencode")[1]


# Encoded words (RFC 2047)


@given(READABLE, st.sampled_from(["utf-8", "iso-8859-1", "koi8-r", "iso-2022-jp"]), st.integers(20, 76))
def test_words_come_back(text: str, charset: str, width: int) -> None:
    try:
        encoded = email.header.Header(text, charset, maxlinelen=width).encode()
        if charset == "iso-8859-1":
            text.encode("latin-1").decode()  # Latin-1 that is UTF-8 too is read as UTF-8
            return
    except UnicodeDecodeError:
        pass
    except (UnicodeError, ValueError):
        return
    if "=?" in encoded and "\x1b" not in text:
        unfolded = encoded.replace("\n", "").strip()
        assert decode_words(unfolded) == str(email.header.make_header(email.header.decode_header(unfolded)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?J=C3=B6rg_M=C3=BCller?= <a@example.com>", "Jörg Müller <a@example.com>"),
        ('"=?utf-8?q?J=C3=B6rg?=" <a@example.com>', '"Jörg" <a@example.com>'),
        ("a =?utf-8?q?b?= c =?utf-8?q?d?= e", "a b c d e"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\n =?iso-8859-1?q?=E4?=", "aä"),
        ("=?UTF-8*de?Q?gr=C3=BC=C3=9Fe?=", "grüße"),
        ("=?utf-8?q?gr=C3?= =?utf-8?b?vMOfZQ==?=", "grüße"),  # a character split over two words
        ("=?utf-8?b?R3LDtsO?= =?utf-8?b?fZQ==?=", "Größe"),  # the base64 itself split
        ("=?utf-8?b?YQ?= =?utf-8?b?YmI=?=", "abb"),  # padding lost in the first
        ("=?utf-8?B?R3LDtsOfZQ?=", "Größe"),
        ("=?gb2312?B?08O7p7K7tObU2g==?=", "用户不存在"),
        ("=?x-unknown?Q?Gr=C3=B6=C3=9Fe?=", "Größe"),
        ("=?punycode?Q?Gr=C3=B6=C3=9Fe?=", "Größe"),
        ("=?utf-8?Q?what?_yes?=", "what? yes"),
        ("=?utf-8?Q?blanks in it?=", "blanks in it"),
        ("=?utf-8?Q?a=?=", "a"),
        ("=?utf-8?Q?Undelivered_Mail_Ret", "Undelivered Mail Ret"),  # cut
        ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
        ("=?utf-8?Q??=x", "x"),
        ("=? =?q?= =??q?a?=", "=? =?q?= =??q?a?="),
    ],
)
def test_words_of_the_wild(value: str, expected: str) -> None:
    assert decode_words(value) == expected


@given(st.text(max_size=80) | st.text("=?utf-8qQbB_ \n=?==", max_size=60))
@example("=?utf-8?q?\ud800?=")
def test_any_value_is_read(value: str) -> None:
    read = decode_words(value)
    assert SURROGATE.search(read) is None or SURROGATE.search(value) is not None


# Parameters (RFC 2045, 2231)


NAMES = st.from_regex(r"[A-Za-z][A-Za-z-]{0,9}", fullmatch=True)


@given(st.dictionaries(NAMES.map(str.lower), READABLE.filter(lambda t: t != "" and "=?" not in t), max_size=4))
def test_parameters_come_back(params: dict[str, str]) -> None:
    message = email.message.Message()
    message["Content-Type"] = "text/plain"
    for name, value in params.items():
        message.set_param(name, value if value.isascii() else ("utf-8", "", value))
    read = decode_params(str(message["Content-Type"]))
    assert {name: " ".join(value.split()) for name, value in read.items()} == {name: " ".join(value.split()) for name, value in params.items()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/plain", {}),
        ("multipart/report; report-type=delivery-status;\n\tboundary=\"a/b.c=_d\"", {"report-type": "delivery-status", "boundary": "a/b.c=_d"}),
        ("text/plain; CHARSET = UTF-8 ; Format=flowed", {"charset": "UTF-8", "format": "flowed"}),
        ("text/plain; charset=us-ascii (Plain; text=x)", {"charset": "us-ascii"}),
        ("text/plain; charset=(a (nested) one) utf-8", {"charset": "utf-8"}),
        ('text/plain; name="a \\"quoted\\" (one); b=c"; x=y', {"name": 'a "quoted" (one); b=c', "x": "y"}),
        ('text/plain; name="C:\\dir\\\\file"', {"name": "C:\\dir\\file"}),
        ("text/plain; name=my own file.txt; x=y", {"name": "my own file.txt", "x": "y"}),
        ('multipart/mixed; boundary="unclosed; x=y', {"boundary": "unclosed", "x": "y"}),
        ('multipart/mixed boundary="abc"', {"boundary": "abc"}),
        ("multipart/report; report-type=delivery-status boundary=abc", {"report-type": "delivery-status", "boundary": "abc"}),
        ("text/plain;;; ; charset=a; charset=b;", {"charset": "a"}),
        ("text/plain; charset=", {"charset": ""}),
        ("text/plain; charset=utf-8 (unclosed; x=y", {"charset": "utf-8 (unclosed", "x": "y"}),
        ("attachment; filename*=UTF-8''gr%C3%BC%C3%9Fe.txt", {"filename": "grüße.txt"}),
        ("attachment; filename*=gr%C3%BC%C3%9Fe.txt", {"filename": "grüße.txt"}),
        ("attachment; filename=a; filename*=utf-8'de'b", {"filename": "b"}),
        ("attachment; f*1=def; f*0=abc; f*2=\"g h\"", {"f": "abcdefg h"}),
        ("attachment; f*0*=iso-8859-1''%E4; f*1*=%F6; f*2=%20", {"f": "äö%20"}),
        ("attachment; f*0*=utf-8''%C3; f*1*=%A4", {"f": "ä"}),  # a character split over two sections
        ("attachment; f*x=1; f*123456=2", {"f*x": "1", "f*123456": "2"}),
        ("attachment; filename=\"=?utf-8?q?gr=C3=BC=C3=9Fe?=\"", {"filename": "grüße"}),
        ("attachment; filename=\"gr\xc3\xbc\xc3\x9fe\"", {"filename": "grüße"}),
        ("attachment; filename=\"grüße 日本\"", {"filename": "grüße 日本"}),
        ("multipart/mixed; boundary=\"=?x?q?a?=\"", {"boundary": "=?x?q?a?="}),
    ],
)  # fmt: skip
def test_parameters_of_the_wild(value: str, expected: dict[str, str]) -> None:
    assert decode_params(value) == expected


@given(st.text(max_size=100) | st.text("a*=;\"\\() \n'%0", max_size=60))
def test_any_parameters_are_read(value: str) -> None:
    for text in decode_params("text/plain; " + value).values():
        assert SURROGATE.search(text) is None or SURROGATE.search(value) is not None


# Work grows with the length, not with its square


class Counted:
    """Counts the steps of a reader: each call of a pattern's callback, and the length of each piece that is read."""

    def __init__(self) -> None:
        self.bytes = 0

    def watch(self, reader: Callable[..., object]) -> Callable[..., object]:
        def counted(data: bytes, *rest: object) -> object:
            self.bytes += len(data)
            return reader(data, *rest)

        return counted


@pytest.mark.parametrize("unit", ["=?utf-8?q?=41?= ", "=?utf-8?b?QQ?= ", "=?utf-8?b?QUI?==?utf-8?q?=?=", "=?a?q?b"])
def test_each_byte_of_many_words_is_read_once(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted()
    monkeypatch.setattr(decode, "_read_base64", counted.watch(decode._read_base64))
    monkeypatch.setattr(decode, "_read_quoted_printable", counted.watch(decode._read_quoted_printable))
    monkeypatch.setattr(decode, "decode_text", counted.watch(decode.decode_text))
    value = unit * (1_000_000 // len(unit))
    decode_words(value)
    assert counted.bytes <= 2 * len(value)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("text/plain; " + ";" * 1_000_000, 0),
        ('text/plain; a="' + ";" * 1_000_000, 1),
        ('text/plain; a="' + "\\" * 1_000_000, 1),
        ("text/plain" + ';a="\\"' * 150_000, 1),
        ("text/plain; a=" + "b " * 500_000, 1),
        ("text/plain; a" + " " * 1_000_000, 0),
        ("text/plain; " + "(" * 1_000_000, 0),
        ("text/plain; " + "(a)" * 300_000, 0),
        ("text/plain" + "".join(f"; p{n}=1" for n in range(80_000)), 80_000),
        ("text/plain" + "".join(f"; n*{n}*=%41" for n in range(30_000)), 1),
        ("text/plain; n*=" + "'" * 1_000_000, 1),
        ("text/plain; " + "a" * 1_000_000, 0),
        ("text/plain; a=" + '"b"' * 300_000, 1),
    ],
)
def test_bombs_of_parameters_are_read(value: str, count: int) -> None:
    assert len(decode_params(value)) == count
