"""Outlook files go through mail-parser, and what it raises is a failure that is told."""

from __future__ import annotations

import importlib.util
import struct
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace

import mailparser
import pytest

from bounceparse import parse
from bounceparse.intake import Failure, read

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def converted(path: Path, failures: list[Failure]) -> list[tuple[str, bytes]]:
    path.write_bytes(OLE)
    return list(read([str(path)], False, failures.append))


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)


def test_without_a_converter_the_way_to_get_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    failures: list[Failure] = []
    assert converted(tmp_path / "a.msg", failures) == []
    assert "pip install 'mail-parser[outlook]'" in failures[0].why


def test_a_message_is_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, converter: None) -> None:
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content("hello")

    def parse(path: str) -> SimpleNamespace:
        assert Path(path).read_bytes() == OLE
        return SimpleNamespace(message=message)

    monkeypatch.setattr(mailparser, "parse_from_file_msg", parse)
    assert converted(tmp_path / "a.msg", []) == [(str(tmp_path / "a.msg"), message.as_bytes())]


def test_any_trouble_of_the_converter_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, converter: None) -> None:
    def parse(path: str) -> None:
        raise KeyError("stream")

    monkeypatch.setattr(mailparser, "parse_from_file_msg", parse)
    failures: list[Failure] = []
    assert converted(tmp_path / "a.msg", failures) == []
    assert "could not be converted" in failures[0].why


def test_a_real_file(tmp_path: Path) -> None:
    """A bounce as Outlook keeps it: an OLE store with one stream a property."""
    extract_msg = pytest.importorskip("extract_msg")
    writer = extract_msg.OleWriter()
    texts = {
        "0037001F": "Undelivered Mail Returned to Sender",
        "001A001F": "IPM.Note",
        "1000001F": "<user1@example.net>: host mx.example.net said: 550 5.1.1 user unknown\r\n",
        "007D001F": "From: MAILER-DAEMON@mx.example.com\r\nTo: list@example.org\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\n",
    }
    properties = bytes(32)
    for name, text in texts.items():
        data = text.encode("utf-16-le")
        writer.addEntry([f"__substg1.0_{name}"], data)
        properties += struct.pack("<IIII", int(name, 16), 6, len(data) + 2, 0)
    writer.addEntry(["__properties_version1.0"], properties)
    writer.addEntry(["__nameid_version1.0"], storage=True)
    for name in ("00020102", "00030102", "00040102"):
        writer.addEntry(["__nameid_version1.0", f"__substg1.0_{name}"], b"")
    writer.write(str(tmp_path / "a.msg"))
    ((_, message),) = read([str(tmp_path / "a.msg")], False, [].append)
    ((recipient, verdict),) = parse(message).results
    assert (recipient.address, verdict.reason) == ("user1@example.net", "user_unknown")
