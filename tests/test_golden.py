"""Every fixture gets exactly the answer that stands beside it, and is fit to be published."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from bounceparse import Engine
from tests import golden

CASES = golden.fixtures()
SLUG = re.compile(r"\d\d-[a-z0-9]+(?:-[a-z0-9]+)*\.eml")

# Documentation networks (RFC 5737, RFC 3849) and those that mean nobody in particular.
_NETWORKS = "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 127.0.0.0/8 10.0.0.0/8 192.168.0.0/16 172.16.0.0/12 0.0.0.0/32"
NETWORKS = [ip_network(network) for network in _NETWORKS.split()]
IPV4 = re.compile(rb"[\[(@ =](\d{1,3}(?:\.\d{1,3}){3})(?=[\])\s:;,]|$)", re.MULTILINE)
ADDRESS = re.compile(rb"(?<![\w.+=-])[\w.+=/-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})")
RESERVED = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org)|example|test|invalid|localhost|local)$")


@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_golden(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert golden.answer(path) == expected, "if the new answer is right: make golden, then read the diff"


def test_the_fixtures_are_pairs_with_plain_names() -> None:
    assert CASES
    assert not [golden.name(p) for p in CASES if not p.with_suffix(".json").exists() or not SLUG.fullmatch(p.name)]
    assert not [golden.name(p) for p in golden.FIXTURES.rglob("*.json") if not p.with_suffix(".eml").exists()]


def test_there_are_enough_fixtures() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("path", CASES, ids=golden.name)
def test_a_fixture_names_nobody(path: Path) -> None:
    """Addresses are of the reserved domains, or are those by which a mail service is known: its hosts and marks stand in our tables."""
    raw = path.read_bytes()
    found = {ip.decode() for ip in IPV4.findall(raw) if all(int(byte) < 256 for byte in ip.split(b"."))}
    assert not [ip for ip in found if not any(ip_address(ip) in network for network in NETWORKS)]
    known = _known_hosts()
    domains = {d.decode().lower() for d in ADDRESS.findall(raw)}
    assert not [d for d in domains if not RESERVED.search(d) and not any(d == k or d.endswith("." + k) for k in known)]


def _known_hosts() -> set[str]:
    """The host names that the tables themselves know a service by."""
    from bounceparse.tables import load_tables

    tables = load_tables()
    hosts = {h.strip(".").lower() for provider in tables.providers for h in provider.hosts}
    claims = " ".join(c for d in tables.dialects for c in (*d.claims_from, *d.claims_header))
    return hosts | {d.decode() for d in ADDRESS.findall(claims.encode())}


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
