"""Policies: the presets say what the table of the manual says, and a wrong file says where it is wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bounceparse.policy import NETWORK, PRESETS, Policy
from bounceparse.tables import TableError, load_tables

DAY = timedelta(days=1)
NEVER = timedelta()


@pytest.mark.parametrize(
    ("reason", "strikes", "days", "within", "apart", "expires", "scope"),
    [
        *((reason, 1, 1, NEVER, NEVER, NEVER, "everywhere") for reason in ("user_unknown", "mailbox_moved", "syntax", "null_mx")),
        ("domain_unknown", 2, 2, NEVER, DAY, 180 * DAY, "everywhere"),
        ("mailbox_disabled", 2, 2, 30 * DAY, NEVER, 180 * DAY, "everywhere"),
        ("suppressed", 1, 1, NEVER, NEVER, 180 * DAY, "everywhere"),
        ("mailbox_full", 5, 5, 30 * DAY, NEVER, 90 * DAY, "everywhere"),
        ("mailbox_rejects", 1, 1, NEVER, NEVER, 365 * DAY, "list"),
        *((reason, 7, 7, 30 * DAY, NEVER, 60 * DAY, "everywhere") for reason in sorted(NETWORK)),
        ("feedback_complaint", 1, 1, NEVER, NEVER, NEVER, "sender"),
        ("unsubscribe", 1, 1, NEVER, NEVER, NEVER, "list"),
    ],
)
def test_the_default(reason: str, strikes: int, days: int, within: timedelta, apart: timedelta, expires: timedelta, scope: str) -> None:
    line = Policy.preset("default").line_of(reason)
    assert line is not None
    assert (line.strikes, line.days, line.within, line.apart, line.expires, line.scope) == (strikes, days, within, apart, expires, scope)


def test_the_default_has_a_storm_breaker_and_forgets() -> None:
    policy = Policy.preset("default")
    assert policy.stale == 30 * DAY
    assert (policy.storm.least, policy.storm.share, policy.storm.within) == (20, 0.05, DAY)
    assert [policy.storm.breaks(failing, known) for failing, known in ((20, 20), (21, 20), (50, 1_000), (51, 1_000))] == [False, True, False, True]


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_counts_what_is_not_the_recipients_fault(preset: str) -> None:
    policy = Policy.preset(preset)
    assert policy.name == preset and policy.title
    for name, reason in load_tables().reasons.items():
        counted = policy.line_of(name)
        if reason.fault != "recipient" and name not in {*NETWORK, "feedback_complaint", "syntax"}:
            assert counted is None, name


def test_presets_by_their_models() -> None:
    mailman, mailchimp, ses = (Policy.preset(name) for name in ("mailman", "mailchimp", "ses"))
    assert mailman.stale == 7 * DAY and mailman.line_of("user_unknown") is mailman.line_of("mailbox_full")
    assert mailman.line_of("user_unknown").strikes == 5  # type: ignore[union-attr]
    assert [mailchimp.line_of(reason).strikes for reason in ("domain_unknown", "mailbox_full", "expired")] == [1, 7, 7]  # type: ignore[union-attr]
    assert [ses.line_of(reason) is None for reason in ("user_unknown", "feedback_complaint", "mailbox_full", "expired")] == [False, False, True, True]
    assert Policy.preset("bouncemail").line_of("mailbox_disabled").strikes == 5  # type: ignore[union-attr]


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="use one of default, gentle"):
        Policy.preset("../default")


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_file_may_begin_with_a_preset(tmp_path: Path) -> None:
    text = 'base = "default"\nstale = "never"\n\n[line.mailbox_full]\nstrikes = 0\n\n[line.moved]\nreasons = ["mailbox_moved"]\nstrikes = 2\n'
    policy = Policy.load(write(tmp_path, text))
    assert policy.name == "mine" and policy.stale == NEVER and policy.storm.least == 20
    assert policy.line_of("mailbox_full").strikes == 0  # type: ignore[union-attr]
    assert policy.line_of("mailbox_moved").strikes == 2  # type: ignore[union-attr]
    assert policy.line_of("user_unknown").reasons == ("user_unknown", "syntax", "null_mx")  # type: ignore[union-attr]
    assert policy.line_of("mailbox_full").expires == 90 * DAY, "what it does not say stays"  # type: ignore[union-attr]
    assert policy.line_of("domain_unknown") == Policy.preset("default").line_of("domain_unknown")


@pytest.mark.parametrize(
    ("text", "line", "what", "mend"),
    [
        ("[line.spam]\nstrikes = 1", 1, "spam is the message's fault", "take it out"),
        ('[line.a]\nstrikes = 1\nreasons = ["user_unknown", "blocklisted"]', 3, "blocklisted is the sender's fault", "take it out"),
        ('[line.a]\nstrikes = 1\nreasons = ["user_unknwon"]', 3, "no reason 'user_unknwon'", "did you mean 'user_unknown'"),
        ("[line.a]\nstrikes = 1", 1, "names no reason", "add reasons"),
        ("[line.user_unknown]", 1, "has no strikes", "add strikes = 1"),
        ("[line.user_unknown]\nstrikes = -1", 2, "strikes of [line.user_unknown] is -1", "from 0"),
        ('[line.user_unknown]\nstrikes = "1"', 2, "is '1'", "whole number"),
        ('[line.user_unknown]\nstrikes = 1\nexpires = "soon"', 3, "expires of [line.user_unknown] is 'soon'", 'expires = "30d"'),
        ('[line.user_unknown]\nstrikes = 1\nexpires = "99999w"', 3, "is '99999w'", 'or "never"'),
        ('[line.user_unknown]\nstrikes = 1\nscope = "world"', 3, "scope 'world'", "everywhere, list, sender, domain"),
        ('[line.user_unknown]\nstrikes = 1\nscope = "domain"', 3, "nothing about its domain", "domain_unknown and null_mx"),
        ('[line.user_unknown]\nstrikes = 1\nproof = "contradicted"', 3, "proof 'contradicted'", "auto, claimed, matched, proven"),
        ("[line.user_unknown]\nstrikes = 1\nsaid = 'a ... b'", 3, "three dots", "write …"),
        ("[line.user_unknown]\nstrikes = 1\nwithn = '2d'", 3, "unknown key 'withn'", "did you mean 'within'"),
        ("[line.mailbox_full]\nstrikes = 2\ndays = 3", 3, "2 strikes cannot fall on 3 days", "days = 2"),
        ('[line.mailbox_full]\nstrikes = 5\nwithin = "2d"', 3, "never fall within 2 days", "longer"),
        ('[line.mailbox_full]\nstrikes = 1\napart = "2d"', 3, "a single strike", "strikes = 2"),
        ("[line.user_unknown]\nstrikes = 1\n[line.b]\nstrikes = 2\nreasons = ['user_unknown']", 5, "counted by line user_unknown already", "one of"),
        ("[line.'A B']\nstrikes = 1", 1, "the name 'A B'", "after its reason"),
        ("line = 1", 1, "line is not a table", "[line]"),
        ("[line]\na = 1", 2, "line.a is not a table", "[line.a]"),
        ('base = "mailmen"', 1, "base 'mailmen'", "did you mean 'mailman'"),
        ('base = "default"\n[storm]\nshare = 5', 3, "share of [storm] is 5", "0.05"),
        ('base = "default"\n[storm]\nleast = 0', 3, "least of [storm] is 0", "from 1"),
        ('base = "default"\nstale = 30', 2, "stale of the file is 30", '"30d"'),
        ('base = "default"\nname = ""', 2, "name of the file is no text", "name ="),
        ("title = 'empty'", 1, "no line", "base = "),
        ("titel = 'x'\nbase = 'default'", 1, "unknown key 'titel'", "did you mean 'title'"),
        ("[line.a\n", 1, "no TOML here", "toml.io"),
    ],
)
def test_a_wrong_file_says_where_what_and_how_to_mend_it(tmp_path: Path, text: str, line: int, what: str, mend: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(TableError) as caught:
        Policy.load(path)
    error = caught.value
    assert (error.file, error.line) == (str(path), line), str(error)
    assert what in error.what and mend in error.mend, str(error)
    assert str(error) == f"{path}:{line}: {error.what}; {error.mend}"
