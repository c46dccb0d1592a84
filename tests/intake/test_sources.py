"""Files, directories, Maildirs, patterns and archives, told by content; what cannot be read is told and the rest goes on."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from bounceparse import limits
from bounceparse.intake import Failure, Slice, read, read_unit, units, weigh
from bounceparse.intake.form import tell
from bounceparse.intake.units import BIG

FROM = b"From a@example.com  Mon Jan  5 00:00:00 2026\n"
MAIL = b"Subject: x\n\nHello\n"
MBOX = (FROM + MAIL + b"\n") * 3


class Reading:
    """What was read, and what was not."""

    def __init__(self, *paths: Path | str, recurse: bool = False) -> None:
        self.failures: list[Failure] = []
        self.mails = list(read([str(path) for path in paths], recurse, self.failures.append))
        in_pieces: list[Failure] = []
        pieces = list(units([str(path) for path in paths], recurse, in_pieces.append))
        again = [mail for unit in pieces for mail in read_unit(unit, in_pieces.append)]
        assert again == self.mails, "the same in pieces"
        assert sorted(in_pieces) == sorted(self.failures)

    @property
    def origins(self) -> list[str]:
        return [origin for origin, _ in self.mails]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def zipped(**files: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return data.getvalue()


def tarred(mode: str = "w", **files: bytes) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def test_one_message(here: Path) -> None:
    (here / "a.txt").write_bytes(MAIL)
    assert Reading("a.txt").mails == [("a.txt", MAIL)]


def test_a_mailbox_by_any_name(here: Path) -> None:
    (here / "a.eml").write_bytes(MBOX)
    assert Reading("a.eml").mails == [(f"a.eml#{n}", MAIL) for n in (1, 2, 3)]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed(here: Path, pack: object) -> None:
    assert callable(pack)
    (here / "a").write_bytes(pack(MAIL))
    (here / "b").write_bytes(pack(MBOX))
    assert Reading("a", "b").mails == [("a", MAIL), *[(f"b#{n}", MAIL) for n in (1, 2, 3)]]


def test_packed_twice_and_no_more_than_four_times(here: Path) -> None:
    (here / "a").write_bytes(gzip.compress(lzma.compress(MBOX)))
    assert len(Reading("a").mails) == 3
    data = MAIL
    for _ in range(5):
        data = gzip.compress(data)
    (here / "b").write_bytes(data)
    assert not Reading("b").mails
    assert "packed" in Reading("b").failures[0].why


def test_a_packed_file_that_breaks_off_gives_what_came_before(here: Path) -> None:
    many = b"".join(FROM + MAIL + os.urandom(3000).hex().encode() + b"\n\n" for _ in range(400))
    for name, pack in (("a", gzip.compress), ("b", bz2.compress), ("c", lzma.compress)):
        data = pack(many)
        (here / name).write_bytes(data[: len(data) * 9 // 10])
        found = Reading(name)
        assert len(found.mails) >= (100 if name == "b" else 350)
        assert [failure.trouble for failure in found.failures] == ["unreadable"]


def test_archives(here: Path) -> None:
    (here / "a.zip").write_bytes(zipped(x__1=MAIL, x__2=MBOX, x__3=b'{"no": "mail"}'))
    (here / "a.tar").write_bytes(tarred(x__1=MAIL, x__2=gzip.compress(MBOX)))
    (here / "a.tgz").write_bytes(tarred("w:gz", x__1=MAIL))
    assert Reading("a.zip").origins == ["a.zip/x/1", "a.zip/x/2#1", "a.zip/x/2#2", "a.zip/x/2#3"]
    assert Reading("a.tar").origins == ["a.tar/x/1", "a.tar/x/2#1", "a.tar/x/2#2", "a.tar/x/2#3"]
    assert Reading("a.tgz").mails == [("a.tgz/x/1", MAIL)]


def test_damaged_archives_are_told(here: Path) -> None:
    whole = zipped(**{f"m{n}": MAIL * 50 for n in range(20)})
    (here / "a").write_bytes(whole[:-40])
    (here / "b").write_bytes(tarred(**{f"m{n}": MAIL * 50 for n in range(20)})[:9000])
    for name in "ab":
        assert {failure.trouble for failure in Reading(name).failures} == {"unreadable"}
    assert len(Reading("b").mails) >= 5


def test_mbx(here: Path) -> None:
    one = b" 5-Jan-2026 00:00:00 +0000,%d;000000000000-00000001\r\n" % len(MAIL) + MAIL
    (here / "a").write_bytes(b"*mbx*\r\n".ljust(2048, b"\0") + one * 3)
    assert Reading("a").mails == [(f"a#{n}", MAIL) for n in (1, 2, 3)]
    (here / "b").write_bytes(b"*mbx*\r\n".ljust(2048, b"\0") + one + b"rubbish" * 30)
    assert len(Reading("b").mails) == len(Reading("b").failures) == 1


def test_maildir(here: Path) -> None:
    for folder in ("new", "cur", "tmp", ".Sub/new", ".Sub/cur"):
        (here / "box" / folder).mkdir(parents=True)
        (here / "box" / folder / "1").write_bytes(MAIL)
    (here / "box/dovecot.index").write_bytes(b'{"no": "mail"}')
    assert Reading("box").origins == ["box/new/1", "box/cur/1"]
    assert Reading("box", recurse=True).origins == ["box/new/1", "box/cur/1", "box/.Sub/new/1", "box/.Sub/cur/1"]
    assert Reading(".", recurse=True).origins == ["./box/new/1", "./box/cur/1", "./box/.Sub/new/1", "./box/.Sub/cur/1"]


def test_a_directory_needs_to_be_asked_for(here: Path) -> None:
    (here / "d/b").mkdir(parents=True)
    (here / "d/b/2.eml").write_bytes(MAIL)
    (here / "d/1.eml").write_bytes(MAIL)
    (here / "d/3.mbox").write_bytes(MBOX)
    (here / "d/1.json").write_bytes(b'{"golden": "pair"}')
    (here / "d/x.png").write_bytes(b"\x89PNG\r\n")
    (here / "d/.hidden").write_bytes(MAIL)
    (here / "d/empty").write_bytes(b"")
    found = Reading("d")
    assert not found.mails
    assert "add -r" in found.failures[0].why
    found = Reading("d", recurse=True)
    assert found.origins == ["d/1.eml", "d/3.mbox#1", "d/3.mbox#2", "d/3.mbox#3", "d/empty", "d/b/2.eml"]
    assert not found.failures


def test_what_the_user_named_is_never_passed_over_in_silence(here: Path) -> None:
    (here / "a.json").write_bytes(b'{"no": "mail"}')
    (here / "b.jsonl").write_bytes(b'{"schema":"bounceparse/1"}')
    (here / "c.pst").write_bytes(b"!BDN" + bytes(600))
    (here / "d.msg").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    found = Reading("a.json", "b.jsonl", "c.pst", "d.msg", "missing", "no*.eml")
    assert not found.mails
    assert [failure.trouble for failure in found.failures] == ["unreadable"] * 4 + ["missing"] * 2


def test_patterns(here: Path) -> None:
    for name in ("b.eml", "a.eml", "[x].eml"):
        (here / name).write_bytes(MAIL)
    assert Reading("?.eml").origins == ["a.eml", "b.eml"]
    assert Reading("[x].eml").origins == ["[x].eml"], "a file of that very name comes first"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_no_permission(here: Path) -> None:
    (here / "a.eml").write_bytes(MAIL)
    (here / "a.eml").chmod(0)
    assert [failure.trouble for failure in Reading("a.eml").failures] == ["permission"]


def test_a_big_mailbox_goes_out_in_slices(here: Path) -> None:
    one = FROM + MAIL + b"word word word\n" * 500 + b"\n"
    data = one * (3 * BIG // len(one))
    (here / "a").write_bytes(data)
    pieces = list(units(["a"], False, [].append))
    assert len(pieces) > 3
    slices = [piece for piece in pieces if isinstance(piece, Slice)]
    assert slices == pieces
    assert slices[0].start == 0
    assert slices[-1].end == len(data)
    assert all(a.end == b.start for a, b in pairwise(slices))
    assert Reading("a").origins == [f"a#{n + 1}" for n in range(len(data) // len(one))]


def test_a_message_over_the_limit_is_cut_one_byte_late(here: Path) -> None:
    (here / "a").write_bytes(MAIL + b"word " * (limits.MESSAGE // 5 + 100))
    ((_, data),) = read(["a"], False, [].append)
    assert len(data) == limits.MESSAGE + 1


def test_weigh(here: Path) -> None:
    (here / "a").write_bytes(MAIL)
    (here / "b").write_bytes(gzip.compress(MAIL))
    assert weigh(["a", "a"]) == 2 * len(MAIL)
    assert weigh(["a", "b"]) == weigh(["."]) == weigh(["missing"]) == 0


@pytest.mark.parametrize(
    ("head", "form"),
    [(b"", "eml"), (b"Subject: x", "eml"), (b"\n\nhello", "eml"), (b"From x", "mbox"), (b"\xef\xbb\xbf\r\nFrom x", "mbox"), (b">From x", "eml")],
)
def test_tell(head: bytes, form: str) -> None:
    assert tell(head) == form


def test_packings_inside_one_another(here: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.tar", tarred(b=bz2.compress(MBOX), c=zstandard.compress(MAIL)))
        archive.writestr("d", zstandard.compress(lzma.compress(MBOX)))
    (here / "all").write_bytes(data.getvalue())
    assert Reading("all").origins == [*(f"all/a.tar/b#{n}" for n in (1, 2, 3)), "all/a.tar/c", *(f"all/d#{n}" for n in (1, 2, 3))]
