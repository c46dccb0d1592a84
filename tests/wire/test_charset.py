"""Any bytes under any label become clean text; what was declared reads as declared, what was not is guessed right."""

from __future__ import annotations

import encodings.aliases
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bounceparse.wire import charset
from bounceparse.wire.charset import decode_text, fix_mojibake

SURROGATE = re.compile("[\ud800-\udfff]")
SPEECH = {
    "gb18030": "收件人的邮箱地址不存在，邮件无法送达。",
    "big5": "收件人的信箱已滿，郵件無法送達",
    "shift_jis": "宛先不明のため送信できませんでした",
    "euc_jp": "宛先不明のため送信できませんでした",
    "euc_kr": "메일을 전송하지 못했습니다. 받는 사람이 없습니다",
    "koi8_r": "Пользователь не найден: ящик переполнен",
    "cp1251": "Пользователь не найден: ящик переполнен",
    "iso8859_5": "Письмо не доставлено, такого адреса нет",
    "cp866": "Письмо не доставлено, почтовый ящик не существует",
    "cp1252": "Empfänger für diese Nachricht „nicht verfügbar“",
    "iso8859_1": "L'adresse électronique n'a pas été trouvée",
    "cp1250": "Nie można dostarczyć wiadomości, skrzynka jest pełna",
    "iso8859_2": "Zpráva nemohla být doručena, schránka je plná",
    "cp1253": "Το μήνυμα δεν παραδόθηκε",
    "cp1255": "לא ניתן היה למסור את ההודעה שלך",
    "cp1256": "لم يتم تسليم الرسالة إلى المستلم",
    "cp874": "ไม่สามารถส่งข้อความถึงผู้รับได้",
    "iso2022_jp": "宛先不明のため送信できませんでした",
    "utf-8": "Größe überschritten, 收件人 не найден",
    "utf-16": "Größe überschritten",
}
LABELS = sorted({*charset._CODECS, "ISO-8859-1", "Windows-1252", "x-sjis", "csISO2022JP", "ks_c_5601-1987", "unicode-1-1-utf-7", "unknown-8bit", ""})
HOSTILE = sorted(
    {*encodings.aliases.aliases, *encodings.aliases.aliases.values(), "undefined", "idna", "punycode", "unicode_escape", "raw_unicode_escape"}
)


@pytest.mark.parametrize("label", ["", "us-ascii", "x-unknown", "own"])
@pytest.mark.parametrize("codec", SPEECH)
def test_what_is_said_is_read_under_any_label(codec: str, label: str) -> None:
    text = SPEECH[codec]
    assert decode_text(text.encode(codec), codec if label == "own" else label)[0] == text


@pytest.mark.parametrize("codec", ["gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "koi8_r", "cp1251", "utf-8"])
def test_the_wrong_label_of_a_multibyte_charset_is_noticed(codec: str) -> None:
    text = SPEECH[codec]
    read, clean = decode_text(text.encode(codec), "utf-8")
    assert (read, clean) == (text, codec == "utf-8")


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("ISO-8859-1", "cp1252"), ("latin1", "cp1252"), ("Windows-1251", "cp1251"), ("X-SJIS", "cp932"), ("csISO2022JP", "iso2022_jp"),
        ("ks_c_5601-1987", "cp949"), ("unicode-1-1-utf-7", "utf-7"), ("IBM866", "cp866"), ("UTF8", "utf-8"), ("gb2312", "gb18030"),
        ("iso-8859-8-i", "iso8859_8"), ("punycode", ""), ("rot13", ""), ("zlib", ""), ("undefined", ""), ("a\0b", ""), ("utf-8" * 100, ""),
    ],
)  # fmt: skip
def test_labels_are_keys_of_a_closed_table(label: str, codec: str) -> None:
    assert charset._codec(label) == codec


@pytest.mark.parametrize("label", HOSTILE)
def test_no_label_selects_code(label: str) -> None:
    text, _ = decode_text(b"\\x1b[2J \\ud800 caf\xc3\xa9 rkgenpg", label)
    assert SURROGATE.search(text) is None and "\x1b" not in text and "extract" not in text


def test_escapes_win_over_an_ascii_label() -> None:
    assert decode_text("宛先不明".encode("iso2022_jp"), "us-ascii") == ("宛先不明", True)
    assert decode_text(b"\x1b$B08@hITL@", "us-ascii")[0] == "宛先不明"  # no escape back
    assert decode_text(b'\x1b$B-!-"-j\x1b(B x', "iso-2022-jp")[0] == "①②㈱ x"  # vendor characters
    assert decode_text(b"\x1b(I1\x1b(B x \x1b$B-!\x1b(B", "iso-2022-jp")[0] == "ｱ x ①"


def test_utf_7_is_mostly_ascii() -> None:
    assert decode_text(b"user+tag@example.com, C++, a+b-c", "unicode-1-1-utf-7") == ("user+tag@example.com, C++, a+b-c", True)
    assert decode_text("größer + 日本語!".encode("utf-7"), "utf-7") == ("größer + 日本語!", True)
    assert decode_text(b"+2AA- +2ADcAA-", "utf-7")[0].isprintable()


@given(st.text(alphabet=st.characters(categories=["L", "N", "Zs"], max_codepoint=0xFFFF), max_size=60))
def test_utf_7_reads_what_the_standard_library_writes(text: str) -> None:
    assert decode_text(text.encode("utf-7"), "utf-7")[0] == text


def test_a_character_cut_at_the_end_is_no_flaw() -> None:
    for codec in ("utf-8", "gb18030", "shift_jis", "euc_kr"):
        assert decode_text(("x" + SPEECH[codec if codec != "utf-8" else "big5"]).encode(codec)[:-1], codec)[1]


@pytest.mark.parametrize("label", ["", "utf-8", "us-ascii", "iso-8859-1", "gb2312", "x"])
def test_a_lone_letter_at_the_end_is_no_cut(label: str) -> None:
    assert decode_text(b"caf\xe9", label)[0] == "café"


def test_a_few_broken_bytes_do_not_spoil_the_rest() -> None:
    data = "Größe überschritten für äußerst große Anhänge".encode()
    assert decode_text(data[:2] + b"\xff" + data[2:], "utf-8")[0].replace("ÿ", "") == data.decode()
    chinese = ("收件人的邮箱地址不存在，邮件无法送达。" * 3).encode("gb18030")
    read, clean = decode_text(chinese + b"\xff\n" + chinese, "gb2312")
    assert "收件人" in read and not clean


def test_undeclared_text_is_never_lost() -> None:
    data = bytes(range(0x80, 0x100))
    assert len(decode_text(data, "")[0]) == len(data)


def test_mojibake_is_mended_only_when_all_of_it_is() -> None:
    assert fix_mojibake("GrÃ¶ÃŸe") == "Größe"
    assert fix_mojibake("GrÃ¶Ã\x9fe") == "Größe"
    assert fix_mojibake("cafÃ© â€“ dÃ©jÃ\xa0") == "café – déjà"
    for whole in ("Größe", "Größe Ã¶", "Ärger", "plain", "é?Ã©"):
        assert fix_mojibake(whole) == whole


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=40))
def test_mojibake_is_never_made(text: str) -> None:
    assert SURROGATE.search(fix_mojibake(text)) is None
    spoiled = text.encode().decode("latin-1")
    if not text.isascii() and not any("\x80" <= c <= "\x9f" for c in text):
        assert fix_mojibake(spoiled) == text


@given(st.binary(max_size=400), st.sampled_from(LABELS) | st.text(max_size=12))
@example(b"\x1b$B\xff", "")
@example(b"+2AA-", "utf-7")
@example(b"\xff\xfe\x00\xd8", "")
@example(b"\x00\xd8", "utf-16")
def test_any_bytes_under_any_label_become_clean_text(data: bytes, label: str) -> None:
    text, _ = decode_text(data, label)
    assert SURROGATE.search(text) is None
    assert decode_text(data, label)[0] == text


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_utf_8_needs_no_label(text: str) -> None:
    if "\x1b" not in text and not text.startswith("\ufeff"):
        assert decode_text(text.encode(), "") == (text, True)
        assert decode_text(text.encode(), "utf-8") == (text, True)


def test_the_codecs_of_the_table_exist_and_never_yield_surrogates() -> None:
    import codecs

    for codec in set(charset._CODECS.values()):
        assert codecs.lookup(codec)._is_text_encoding  # type: ignore[attr-defined]
    assert {"punycode", "idna", "undefined", "unicode_escape", "rot_13"}.isdisjoint(charset._CODECS.values())
