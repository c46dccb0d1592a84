"""Bytes to text, whatever the label says.

The rules that keep this file honest: a label from the wire is a key of the closed table below and never a codec's name, so `punycode`, `rot13`,
`undefined` and their kin cannot be reached; every reader is total and linear; text that nobody declared is guessed, not dropped; a lone surrogate
never comes out.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from typing import Final

_CODECS: Final[dict[str, str]] = {
    "utf8": "utf-8", "utf8mb4": "utf-8", "unicode11utf8": "utf-8", "ascii": "ascii", "usascii": "ascii", "ansix341968": "ascii", "646": "ascii",
    "iso88591": "cp1252", "latin1": "cp1252", "cp1252": "cp1252", "iso885915": "iso8859_15", "latin9": "iso8859_15",
    "iso88592": "iso8859_2", "latin2": "iso8859_2", "iso88593": "iso8859_3", "iso88594": "iso8859_4", "iso885910": "iso8859_10",
    "iso885913": "iso8859_13", "iso885914": "iso8859_14", "iso885916": "iso8859_16", "cp1250": "cp1250", "cp1257": "cp1257",
    "iso88595": "iso8859_5", "cp1251": "cp1251", "koi8r": "koi8_r", "koi8u": "koi8_u", "cp866": "cp866",
    "iso88597": "iso8859_7", "cp1253": "cp1253", "iso88599": "cp1254", "cp1254": "cp1254", "iso88598": "iso8859_8", "iso88598i": "iso8859_8",
    "cp1255": "cp1255", "iso88596": "iso8859_6", "cp1256": "cp1256", "cp1258": "cp1258", "cp874": "cp874", "tis620": "cp874", "iso885911": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "cp936": "gb18030", "euccn": "gb18030", "hzgb2312": "hz",
    "big5": "big5hkscs", "big5hkscs": "big5hkscs", "cp950": "cp950",
    "shiftjis": "cp932", "sjis": "cp932", "cp31j": "cp932", "cp932": "cp932", "eucjp": "euc_jis_2004",
    "euckr": "cp949", "ksc56011987": "cp949", "ksc5601": "cp949", "cp949": "cp949", "uhc": "cp949", "iso2022kr": "iso2022_kr",
    "iso2022jp": "iso2022_jp", "iso2022jp2": "iso2022_jp", "cp50220": "iso2022_jp", "cp50221": "iso2022_jp",
    "utf7": "utf-7", "unicode11utf7": "utf-7", "utf16": "utf-16", "utf16le": "utf-16-le", "utf16be": "utf-16-be",
    "macintosh": "mac_roman", "cp437": "cp437", "cp850": "cp850", "cp852": "cp852",
}  # fmt: skip
"""Label without case, marks and the prefixes windows-, ibm-, x- and cs -> codec (IANA names and what mail programs write)."""

_MARKS: Final = str.maketrans("", "", "-_ .:'\"()")
_SEVEN_BIT: Final = frozenset({"utf-7", "hz", "utf-16", "utf-16-le", "utf-16-be", "iso2022_kr"})  # text of these may look like ASCII
_OFTEN_UTF8: Final = frozenset({"ascii", "cp1252", "iso8859_15", "iso8859_2", "cp1250", "cp1251", "koi8_r"})  # labels that UTF-8 text often bears

_KANA: Final = "".join(map(chr, range(0x3041, 0x30FF)))
_PUNCTUATION: Final = "，。、：；！？（）「」“”《》・ー　"
_JAPANESE: Final = frozenset(
    _KANA + _PUNCTUATION + "日本人送信受者宛先不明配失敗存在通知利用規制件名時間日月年上下中大小会社株式様御電子使容量超過確認"
)
_SIMPLIFIED: Final = frozenset(
    _PUNCTUATION + "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天而能好都然没于起还发"
    "成事只作当想看文无开手用主行方又如前所本见经头面公同三已从动两长知样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话向情部正名定女"
    "问力机给等几很业最间新什打便位因重被走电第门相次政海口使教再平真听世气信北少关并内加化由代产入先五体处总师书比住员通目报立件安表原应期提"
    "邮箱送退址户存败误错服务器域接收超限满拒绝系统垃圾附名投递未其他查检您请联系管理取消息失寄空间已经够"
)
_TRADITIONAL: Final = frozenset(
    _PUNCTUATION + "的一是不了在人有我他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可里裡後小麼心多天而能好都然沒於起還"
    "發成事只作當想看文無開手用主行方又如前所本見經頭面公同三已從動兩長知樣現分將外但身些與高意進把法此實回二理點月明其種聲全工己話向情部正名定"
    "問力機給等幾很業最間新什打便位因重被走電第門相次政海口使教再平真聽世氣信北少關並內加化由代產入先五體處總師書比住員通目報立件安表原應期提"
    "郵箱送退址戶存敗誤錯服務器伺域接收超限滿拒絕系統垃圾附投遞未查檢您請聯管取消息失寄空間夠帳號遠端"
)
_KOREAN: Final = frozenset(
    "이다는을를에의가고하지기사로한은도니대어인해리자시라정아있나수부전일그서과습장원주제들적면보게안상세요구여으거중등없메발송실패소신받편함용존재않오류반버"
    "입할때문계못됩되었확바랍달려된배메일주소초량"
)
_WIDE: Final = (
    ("gb18030", _SIMPLIFIED), ("big5hkscs", _TRADITIONAL), ("cp932", _JAPANESE), ("euc_jis_2004", _JAPANESE), ("cp949", _KOREAN),
)  # fmt: skip
_CYRILLIC: Final = frozenset("оеаинтсрвлкмдпуья")
_NARROW: Final = (
    ("koi8_r", _CYRILLIC), ("cp1251", _CYRILLIC), ("iso8859_5", _CYRILLIC), ("cp866", _CYRILLIC),
    ("cp1253", frozenset("αοιετσνηυρπκμλςάίόέή")), ("cp1255", frozenset("יוהלאמתרנשבעדחק")), ("cp1256", frozenset("اليموترنبةعدسف")),
    ("cp874", frozenset("านรอกเงมยลวดท่้ีิัะ")),
)  # fmt: skip
_LATIN: Final = (
    ("cp1252", frozenset("éèêàâçäöüßñáíóúãõåæøëïîôûùìò’“”–«»§°€")), ("cp1250", frozenset("ąćęłńóśźżěščřžýáíéůőűăîâșț’“”–")),
    ("iso8859_2", frozenset("ąćęłńóśźżěščřžýáíéůőűăîâ")),
)  # fmt: skip
"""Codec and the commonest letters, or the usual words' characters, of the languages written in it."""

_HIGH: Final = re.compile(rb"[\x80-\xff]")
_HIGH_RUN: Final = re.compile(rb"[\x80-\xff]{3,}")
_STRAY: Final = re.compile(r"[\udc80-\udcff]")
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_ASCII_BYTES: Final = bytes(range(128))
_ASCII_CHARACTERS: Final = dict.fromkeys(range(128))
_CUT: Final = ("unexpected end of data", "incomplete multibyte sequence", "truncated data")  # what the codecs say of a cut character
_SAMPLE: Final = 2_048  # bytes that a guess looks at
_ESCAPES: Final = re.compile(rb"\x1b(\$[@B]|\$\(?[A-DOPQ]|\([A-Z])")
_GR: Final = bytes(c | 0x80 if 0x21 <= c <= 0x7E else c for c in range(256))
_UTF7: Final = re.compile(r"\+(?:-|([A-Za-z0-9+/]{3,})-?(?![\w.+-]{0,64}@))")


def decode_text(data: bytes, charset: str) -> tuple[str, bool]:
    """Return `data` as text, and whether the bytes are what the label says (without a label: UTF-8).

    Total and linear. Where the label is unknown or wrong: UTF-8, ISO-2022-JP by its escapes, the charset whose reading holds most of a language's
    usual letters, at last Windows-1252 with Latin-1 for its gaps. A character that was cut at the end is dropped; no lone surrogate comes out.
    """
    codec = _codec(charset)
    if data.isascii():
        if b"\x1b" in data and (b"\x1b$" in data or b"\x1b(" in data) and codec != "iso2022_kr":
            return _read_iso2022(data)
        if codec not in _SEVEN_BIT:
            return data.decode("ascii"), True
        if codec == "utf-7":
            return _UTF7.sub(_read_utf7, data.decode("ascii")), True
    elif codec == "" or codec in _OFTEN_UTF8:
        text = _read(data, "utf-8")
        if text is not None:
            return text.removeprefix("\ufeff"), not charset
    if codec:
        text = _read(data, codec)
        if text is not None:
            return text.removeprefix("\ufeff"), True
    return _guess(data, codec), False


def fix_mojibake(text: str) -> str:
    """Return `text` as it was before UTF-8 was read as Latin-1 or Windows-1252, when all of it bears that out, else `text` itself."""
    if text.isascii():
        return text
    try:
        try:
            data = text.encode("latin-1")
        except UnicodeEncodeError:
            data = text.encode("cp1252")
        fixed = data.decode("utf-8")
    except UnicodeError:
        return text
    return text if any("\x80" <= c <= "\x9f" for c in fixed) else fixed


@lru_cache(maxsize=256)  # there are few labels
def _codec(label: str) -> str:
    """Return the codec of a label, "" when it is not in the table."""
    key = label[:40].lower().translate(_MARKS)
    codec = _CODECS.get(key)
    if codec is None and key:
        key = key.removeprefix("x").removeprefix("cs").replace("windows", "cp").replace("ibm", "cp")
        codec = _CODECS.get(key)
    return codec or ""


def _read(data: bytes, codec: str) -> str | None:
    """Return `data` in `codec`, without a last character that was cut; None when the bytes are not in it."""
    if codec == "utf-7":
        return None
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        if error.reason not in _CUT or error.start < len(data) - 3:
            return None
        cut = error.start
    try:
        text = data[:cut].decode(codec)
    except UnicodeDecodeError:
        return None
    return None if text.isascii() else text  # one 8-bit byte at the end is more likely a Latin letter


def _guess(data: bytes, codec: str) -> str:
    """Return the text that undeclared or mislabelled bytes most likely are."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    high = len(data.translate(None, _ASCII_BYTES))
    text = data.decode("utf-8", "surrogateescape")
    if len(_STRAY.findall(text)) * 4 <= high:  # UTF-8 with a few broken or foreign bytes
        return _STRAY.sub(_read_stray, text)
    if codec and codec not in _OFTEN_UTF8 and codec != "utf-8" and codec != "utf-7":
        text = data.decode(codec, "replace")
        if text.count("\ufffd") * 20 <= high:
            return text
    codec = _likely(data)
    if codec:
        text = data.decode(codec, "replace")
        if text.count("\ufffd") * 20 <= high:
            return text
    return _STRAY.sub(_read_gap, data.decode("cp1252", "surrogateescape"))


def _likely(data: bytes) -> str:
    """Return the codec in which the first 8-bit stretch reads most like a language, "" when none does."""
    match = _HIGH.search(data)
    if match is None:
        return ""
    sample = data[match.start() : match.start() + _SAMPLE]
    best, codec = max((_share(sample, *one) for one in _WIDE), default=(0.0, ""))
    if best > 0.3:
        return codec
    in_runs = sum(map(len, _HIGH_RUN.findall(sample)))
    narrow = in_runs * 2 >= len(sample.translate(None, _ASCII_BYTES))
    best, codec = max((_share(sample, *one) for one in (_NARROW if narrow else _LATIN)), key=lambda one: one[0])
    return codec if best > 0.5 else ""


def _share(sample: bytes, codec: str, common: frozenset[str]) -> tuple[float, str]:
    """Return which share of the 8-bit characters of `sample`, read in `codec`, is common."""
    text = _read(sample, codec)
    if text is None:
        return 0.0, codec
    letters = text.translate(_ASCII_CHARACTERS)
    return (sum(map(common.__contains__, letters)) / len(letters), codec) if letters else (0.0, codec)


def _read_stray(match: re.Match[str]) -> str:
    return bytes((ord(match[0]) & 0xFF,)).decode("cp1252", "replace").replace("\ufffd", " ")


def _read_gap(match: re.Match[str]) -> str:
    return chr(ord(match[0]) & 0xFF)


def _read_iso2022(data: bytes) -> tuple[str, bool]:
    """Return text with the escapes of ISO-2022-JP (RFC 1468), the vendors' characters and cut sequences included."""
    try:
        return data.decode("iso2022_jp_ext"), True
    except UnicodeDecodeError:
        pieces = _ESCAPES.split(data)
    found = [pieces[0].decode("ascii")]
    for escape, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if escape in (b"$B", b"$@"):
            found.append(piece.translate(_GR).decode("euc_jis_2004", "replace"))
        elif escape == b"$(C":
            found.append(piece.translate(_GR).decode("euc_kr", "replace"))
        elif escape in (b"$A", b"$(A"):
            found.append(piece.translate(_GR).decode("gb2312", "replace"))
        elif escape == b"(I":
            found.append(piece.translate(_GR).decode("cp932", "replace"))
        else:
            found.append(piece.decode("ascii"))
    return "".join(found), False


def _read_utf7(match: re.Match[str]) -> str:
    """Return one shifted run of UTF-7 (RFC 2152) as text, or as it stands when it is a plus sign in plain text."""
    run = match[1]
    if run is None:
        return "+"
    if len(run) % 8 in (1, 2, 4, 5, 7):  # no whole number of UTF-16 units
        return match[0]
    try:
        text = binascii.a2b_base64(run + "=" * (-len(run) % 4)).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        return match[0]
    return text if _NO_TEXT.search(text) is None else match[0]
