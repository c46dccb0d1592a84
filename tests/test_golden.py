"""Every fixture gets exactly the answer that stands beside it, and is fit to be published."""

from __future__ import annotations

import json
import re
from difflib import unified_diff
from importlib.resources import files
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from bounceparse import Engine
from tests import golden

CASES = golden.fixtures()
SLUG = re.compile(r"\d\d-[a-z0-9]+(?:-[a-z0-9]+)*\.eml")

# SERVICE: the robots of a mail service, or a message-id. Documentation networks (RFC 5737, RFC 3849) and those that mean nobody in particular.
_NETWORKS = "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 127.0.0.0/8 10.0.0.0/8 192.168.0.0/16 172.16.0.0/12 0.0.0.0/32"
NETWORKS = [ip_network(network) for network in _NETWORKS.split()]
IPV4 = re.compile(rb"[\[(@ =](\d{1,3}(?:\.\d{1,3}){3})(?=[\])\s:;,]|$)", re.MULTILINE)
ADDRESS = re.compile(r"(?<![\w.+=-])([\w.+=/-]+)@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})")
RESERVED = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org)|exam?p?l?e?|test|invalid|local)$")  # exam: an address that was cut
SERVICE = re.compile(r"mailer-daemon|post_?master|no-?reply|scomp|staff|sysadmin|apps|complaints|notify|feedback(loop)?|(\D*\d){5}.*", re.I)


@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_golden(path: Path) -> None:
    written, answer = path.with_suffix(".json").read_text("utf-8"), golden.text(golden.answer(path))
    difference = "\n".join(unified_diff(written.splitlines(), answer.splitlines(), "written", "now", n=0, lineterm=""))
    assert not difference, f"if the new answer is right: make golden, then read the diff\n{difference}"


def test_the_fixtures_are_pairs_with_plain_names() -> None:
    assert CASES
    assert not [golden.name(p) for p in CASES if not p.with_suffix(".json").exists() or not SLUG.fullmatch(p.name)]
    assert not [golden.name(p) for p in golden.FIXTURES.rglob("*.json") if not p.with_suffix(".eml").exists()]


def test_there_are_enough_fixtures() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_a_fixture_names_nobody(path: Path) -> None:
    """Addresses are of reserved domains, or the robots of a mail service; networks are those of documentation."""
    raw = path.read_bytes()
    found = {ip.decode() for ip in IPV4.findall(raw) if all(int(byte) < 256 for byte in ip.split(b"."))}
    assert not [ip for ip in found if not any(ip_address(ip) in network for network in NETWORKS)]
    addresses = set(ADDRESS.findall(raw.decode("latin-1")))
    assert not [(local, domain) for local, domain in addresses if not RESERVED.search(domain.lower()) and not SERVICE.fullmatch(local)]


@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_the_record_keeps_its_schema(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((files("bounceparse") / "data" / "record.schema.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    for row in golden.answer(path):
        validator.validate(row)


def test_the_same_engine_gives_the_same_answer_twice() -> None:
    engine = Engine()
    for path in CASES[:10]:
        raw = path.read_bytes()
        assert engine.parse(raw) == engine.parse(raw)
