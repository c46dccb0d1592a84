"""The tables: complete, sourced, quick to load, and clear about mistakes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bounceparse import tables as package
from bounceparse.engine import Engine
from bounceparse.tables import TableError, Tables, load_samples, load_tables
from bounceparse.tables.compile import compile_tables

ROOT = Path(package.__file__).parent.parent
TABLES = load_tables()
SEED_2002 = [200, 211, 214, 220, 221, 250, 251, 252, 354, 421, 450, 451, 452, 500, 501, 502, 503, 504, 521, 530, 550, 551, 552, 553, 554, 557, 572]
VOCABULARIES = {"sisimai", "sparkpost", "ses", "postmark", "anymail", "powermta", "kumomta"}
EVENTS = {"feedback_complaint", "delivered", "auto_reply"}


# What is in them.


def test_every_table_loads() -> None:
    for name in (
        "reasons",
        "classes",
        "subjects",
        "statuses",
        "vendors",
        "replies",
        "system",
        "phrases",
        "blocklists",
        "signs",
        "dialects",
    ):
        assert getattr(TABLES, name), name
    assert TABLES.autoreply.subjects and TABLES.autoreply.headers and TABLES.autoreply.phrases


def test_the_reasons_are_36_in_one_order() -> None:
    assert len(TABLES.reasons) == 36
    assert len({reason.rank for reason in TABLES.reasons.values()}) == 36
    order = sorted(TABLES.reasons, key=lambda name: TABLES.reasons[name].rank)
    assert order[0] == "feedback_complaint" and order[-2:] == ["policy", "undetermined"]
    for first, later in (
        ("auth_failure", "blocklisted"),
        ("mailbox_full", "user_unknown"),
        ("relay_denied", "user_unknown"),
        ("user_unknown", "spam"),
    ):
        assert order.index(first) < order.index(later)


def test_only_what_is_the_recipients_can_be_hard() -> None:
    for reason in TABLES.reasons.values():
        assert reason.bounce not in ("hard", "by_class") or reason.fault == "recipient", reason.name
        assert (reason.bounce == "none") == (reason.name in EVENTS), reason.name
    hard = {name for name, reason in TABLES.reasons.items() if reason.bounce in ("hard", "by_class")}
    assert hard == {"user_unknown", "mailbox_disabled", "mailbox_moved", "domain_unknown", "null_mx", "suppressed"}
    assert TABLES.statuses["1.3"].reason == "syntax" and TABLES.statuses["1.3"].fault == "recipient"


def test_every_reason_has_words_or_codes() -> None:
    used = {phrase.reason for phrase in TABLES.phrases} | {token.reason for provider in TABLES.providers for token in provider.tokens}
    used |= {reason for status in TABLES.statuses.values() for reason in (status.reason, status.reason_4, status.reason_5)}
    used |= {meaning.reason for meanings in TABLES.replies.values() for meaning in meanings}
    used |= {result.reason for result in TABLES.system.values()}
    structural = {"feedback_complaint", "auto_reply", "challenge_response"}  # told by the shape of the message
    assert set(TABLES.reasons) - used <= structural


def test_the_registry_of_enhanced_status_codes_is_complete() -> None:
    highest = {0: 0, 1: 10, 2: 4, 3: 6, 4: 7, 5: 6, 6: 10, 7: 30}  # state of December 2024
    registered = {f"{subject}.{detail}" for subject, last in highest.items() for detail in range(last + 1)}
    assert registered - set(TABLES.statuses) == set()
    assert {key: status.code for key, status in TABLES.statuses.items()} == {key: f"X.{key}" for key in TABLES.statuses}
    assert set(TABLES.classes) == {"2", "4", "5"} and set(TABLES.subjects) == {str(subject) for subject in range(8)}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1.1", "user_unknown"),
        ("1.2", "domain_unknown"),
        ("1.6", "mailbox_moved"),
        ("1.8", "sender_rejected"),
        ("1.10", "null_mx"),
        ("2.1", "mailbox_disabled"),
        ("2.2", "mailbox_full"),
        ("3.1", "system_full"),
        ("3.4", "message_too_large"),
        ("4.6", "loop"),
        ("4.7", "expired"),
        ("5.3", "rate_limited"),
        ("7.2", "mailbox_rejects"),
        ("7.25", "no_ptr"),
        ("7.26", "auth_failure"),
    ],
)
def test_enhanced_status_codes_mean(code: str, reason: str) -> None:
    assert TABLES.statuses[code].reason == reason


def test_services_mean_their_own_by_some_codes() -> None:
    def meaning(vendor: str, code: str) -> str:
        return next(one.reason for one in TABLES.vendors[code[2:]] if one.vendor == vendor and one.code[0] in ("X", code[0]))

    assert meaning("microsoft365", "5.1.10") == "user_unknown"
    assert meaning("microsoft365", "5.4.1") == "user_unknown"
    assert meaning("microsoft365", "5.7.620") == "blocklisted"  # within a range
    assert meaning("microsoft365", "4.7.650") == "reputation"
    assert meaning("gmail", "5.7.30") == "auth_failure"
    for codes in TABLES.vendors.values():
        assert all(one.hosts or one.marks for one in codes)


@pytest.mark.parametrize("code", SEED_2002)
def test_every_code_of_2002_is_there(code: int) -> None:
    assert any("2002" in meaning.source for meaning in TABLES.replies[str(code)])


@pytest.mark.parametrize(
    ("code", "phase", "reason"),
    [
        ("450", "RCPT", "greylisted"),
        ("452", "RCPT", "rate_limited"),
        ("452", "", "system_full"),
        ("550", "RCPT", "user_unknown"),
        ("550", "RCPT", "relay_denied"),
        ("550", "RCPT", "mailbox_rejects"),
        ("550", "MAIL", "sender_rejected"),
        ("552", "RCPT", "mailbox_full"),
        ("552", "EOD", "message_too_large"),
        ("554", "CONNECT", "blocklisted"),
        ("557", "", "rate_limited"),
        ("572", "", "relay_denied"),
    ],
)
def test_reply_codes_mean(code: str, phase: str, reason: str) -> None:
    assert any(meaning.reason == reason and (phase in meaning.phases or (not phase and not meaning.phases)) for meaning in TABLES.replies[code])


def test_reply_codes_are_told_apart() -> None:
    for code, meanings in TABLES.replies.items():
        assert sum(meaning.default for meaning in meanings) == 1, code
        assert not [meaning for meaning in meanings if not (meaning.words or meaning.phases or meaning.default)], (
            f"{code} has a meaning that nothing chooses"
        )
        assert not [meaning for meaning in meanings if code[0] == "4" and meaning.reason in ("delivered", "suppressed")], code


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("winsock:10060", "network_error"),
        ("winsock:11001", "domain_unknown"),
        ("win32:9003", "domain_unknown"),
        ("errno:ECONNREFUSED", "network_error"),
        ("errno:EDQUOT", "mailbox_full"),
        ("exit:67", "user_unknown"),
        ("exit:75", "mailer_error"),
        ("dns:NXDOMAIN", "domain_unknown"),
        ("dns:NULL_MX", "null_mx"),
        ("dns:EAI_AGAIN", "network_error"),
    ],
)
def test_results_of_the_system_mean(key: str, reason: str) -> None:
    assert TABLES.system[key].reason == reason


def test_the_class_of_a_result_fits_its_reason() -> None:
    for result in TABLES.system.values():
        if TABLES.reasons[result.reason].bounce in ("by_class", "hard"):
            assert result.status[0] == "5", result.id


def test_every_entry_has_a_source() -> None:
    entries = [*TABLES.reasons.values(), *TABLES.statuses.values(), *TABLES.system.values(), *TABLES.phrases, *TABLES.providers, *TABLES.blocklists]
    entries += [*TABLES.signs, *TABLES.vocabularies.values(), *(one for codes in TABLES.vendors.values() for one in codes)]
    entries += [meaning for meanings in TABLES.replies.values() for meaning in meanings]
    assert not [entry for entry in entries if not entry.source]


@pytest.mark.parametrize("name", sorted(VOCABULARIES))
def test_vocabularies_go_both_ways(name: str) -> None:
    vocabulary = TABLES.vocabularies[name]
    assert set(vocabulary.labels) == set(TABLES.reasons)
    assert set(vocabulary.labels.values()) <= set(vocabulary.reasons)
    assert set(vocabulary.reasons.values()) <= set(TABLES.reasons)
    for reason, label in vocabulary.labels.items():
        back = TABLES.reasons[vocabulary.reasons[label]]
        both = label in ("Permanent/General", "invalid")  # cover recipient and sender alike
        if TABLES.reasons[reason].fault != "recipient" and not both:
            assert back.bounce not in ("hard", "by_class"), f"{reason} comes back from {name} as {back.name}"


def test_the_vocabularies_are_those_of_the_manual() -> None:
    assert set(TABLES.vocabularies) == VOCABULARIES


def test_words_are_squeezed() -> None:
    literals = [piece for phrase in TABLES.phrases for piece in phrase.words]
    literals += [word for result in TABLES.system.values() for word in result.words]
    literals += [word for blocklist in TABLES.blocklists for word in blocklist.words]
    for literal in literals:
        assert literal == literal.lower() and literal.strip() and "  " not in literal, literal


def test_lines_are_true() -> None:
    for phrase in TABLES.phrases[:: max(1, len(TABLES.phrases) // 200)]:
        lines = (ROOT.parent / phrase.file).read_text("utf-8").split("\n")
        assert phrase.text in lines[phrase.line - 1], f"{phrase.file}:{phrase.line}"


def test_samples_say_what_they_expect() -> None:
    samples = load_samples()
    assert samples
    for sample in samples:
        assert sample.text and sample.expect and (ROOT.parent / sample.file).is_file() and sample.line


# How rules of the user come in.

OWN = """\
language = "en"

[[phrase]]
name = "sealed"
reason = "mailbox_disabled"
words = ["mailbox is sealed", "box … nailed shut", "seal*", "封印"]
class = "5"
phase = ["rcpt", "end"]

[[provider]]
key = "example"
title = "Example Mail"
hosts = ["*.mx.example.com"]
[[provider.token]]
text = ["EX01..EX03", "EX-9"]
reason = "rate_limited"
meaning = "slow down"

[dialect.exampled]
title = "Example Mail Daemon"
[dialect.exampled.claims]
from = ["mailer-daemon@"]
phrase = ["this is the example mail daemon"]
[dialect.exampled.report]
begin = ["The following addresses failed"]
recipient = ["<{address}>: {diagnostic}"]
more = "indented"
[dialect.exampled.reasons]
"mailbox is sealed" = "mailbox_disabled"
[[dialect.exampled.sample]]
text = "<a@example.com>: mailbox is sealed"
expect = { address = "a@example.com", reason = "mailbox_disabled" }
"""


def test_rules_of_the_user_come_first(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(OWN.replace(', "end"', ', "data"'), "utf-8")
    tables = load_tables((path,))
    first, second, third, fourth = tables.phrases[:4]
    assert first.id == "mine/sealed" and first.own and first.words == (" mailbox is sealed ",) and first.phases == ("RCPT", "DATA")
    assert second.words == (" box ", " nailed shut ") and third.words == (" seal",) and fourth.words == ("封印",)
    assert (first.line, first.reply_class, first.file) == (6, "5", str(path))
    provider = tables.providers[0]
    assert provider.hosts == ("mx.example.com",)
    assert [(token.id, token.words) for token in provider.tokens] == [
        ("example/EX01", (" ex01 ",)),
        ("example/EX02", (" ex02 ",)),
        ("example/EX03", (" ex03 ",)),
        ("example/EX-9", (" ex 9 ",)),
    ]
    dialect = tables.dialects[0]
    assert dialect.name == "exampled" and dialect.begin == ("the following addresses failed",) and dialect.claims_from == (" mailer daemon ",)
    assert dialect.reasons[0].id == "exampled/mailbox-is-sealed" and dialect.samples[0].expect["reason"] == "mailbox_disabled"
    assert tables.phrases[4:] == TABLES.phrases and tables.reasons is TABLES.reasons
    assert load_samples((path,))[0].line == 30
    assert load_tables() is TABLES


def test_bearings_of_the_user_add_to_the_language(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('language = "en"\n[bearings]\nbefore = ["upstream"]\n', "utf-8")
    reply = "550 upstream user unknown"
    assert Engine().classify(reply)[1].bounce == "hard"
    assert Engine((path,)).classify(reply)[1].bounce == "soft"
    assert Engine((path,)).classify("550 your user unknown")[1].bounce == "soft"
    with pytest.raises(TableError, match="add language"):
        path.write_text('[bearings]\nbefore = ["upstream"]\n', "utf-8")
        load_tables((path,))


TWICE = '[[provider.token]]\ntext = "EX02"\nreason = "spam"\nmeaning = "x"\n[dialect.exampled]\n'


def edited(old: str, new: str) -> str:
    assert old in OWN
    return OWN.replace(', "end"', "").replace(old, new)


@pytest.mark.parametrize(
    ("text", "line", "what", "mend"),
    [
        (OWN, 8, "there is no phase 'end'", "use some of connect"),
        (edited('reason = "mailbox_disabled"\nwords', 'reason = "mailbox_disable"\nwords'), 5, "no reason 'mailbox_disable'", "'mailbox_disabled'?"),
        (edited("words =", "word ="), 6, "unknown key 'word'", "did you mean 'words'?"),
        (edited('"mailbox is sealed", ', '"mailbox is sealed", "", '), 6, "holds ''", "take the entry away"),
        (edited('"seal*"', '"?!"'), 6, "nothing to look for is left of '?!'", "at least 3"),
        (edited('"seal*"', '"se*al"'), 6, "a * stands within", "end of a piece"),
        (edited("box … nailed", "box ... nailed"), 6, "three dots", "write …"),
        (edited("mailbox is sealed", "mailbox is sealed " * 12), 6, "is too long", "telling words"),
        (edited('class = "5"', 'class = "3"'), 7, "class '3' is not known", "use one of 4, 5"),
        (edited('class = "5"', "class = 5"), 7, "class of [[phrase]] is no text", 'write class = "…"'),
        (edited('name = "sealed"', 'name = "Sealed Box"'), 4, "'Sealed Box' is not plain", "hyphens"),
        (edited('name = "sealed"\n', ""), 3, "has no name", "add name"),
        (edited('language = "en"', 'langage = "en"'), 1, "unknown key 'langage'", "did you mean 'language'?"),
        (edited('hosts = ["*.mx.example.com"]\n', ""), 10, "nothing tells the provider", "add hosts"),
        (edited("*.mx.example.com", "mx example com"), 13, "no host name", "mx.example.com"),
        (edited("EX01..EX03", "EX03..EX01"), 15, "is no range", "TS01..TS09"),
        (edited("[dialect.exampled]\n", TWICE), 20, "'example/EX02' is in", "name of its own"),
        (edited("{address}>", "{adress}>"), 26, "no capture word {adress}", "did you mean 'address'?"),
        (edited("{address}>", "{address>"), 26, "braces do not match", "{address}"),
        (edited("<{address}>: ", "user: "), 26, "finds nobody", "{address}"),
        (edited("<{address}>", "<{address}}>"), 26, "braces do not match", "{address}"),
        (edited('more = "indented"', 'more = "indent"'), 27, "more 'indent' is not known", "'indented'?"),
        (edited('sealed" = "mailbox_disabled"', 'sealed" = "sealed"'), 29, "no reason 'sealed'", "reasons.toml"),
        (edited('reason = "mailbox_disabled" }', 'reason = "gone" }'), 32, "no reason 'gone'", "reasons.toml"),
        (edited('phrase = ["this', 'phrases = ["this'), 23, "unknown key 'phrases'", "'phrase'?"),
        (edited('phrase = ["this is', 'phrase = ["this … is'), 23, "there is a gap", "[[phrase]] alone"),
        (edited("[[phrase]]", "[phrase]"), 3, "not an array of tables", "[[phrase]]"),
        (edited('name = "sealed"', 'name = "sealed'), 4, "no TOML here", "toml.io"),
        (edited('language = "en"', 'language = "en"\nlanguage = "de"'), 2, "no TOML here", "toml.io"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_mend(tmp_path: Path, text: str, line: int, what: str, mend: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(TableError) as caught:
        load_tables((path,))
    error = caught.value
    assert what in error.what and mend in error.mend
    assert (error.file, error.line) == (str(path), line), str(error)
    assert str(error) == f"{path}:{line}: {error.what}; {error.mend}" and "\n" not in str(error)


def test_a_name_may_stand_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[phrase]]\nname = "a"\nreason = "spam"\nwords = ["abc"]\n\n[[phrase]]\nname = "a"\nreason = "virus"\nwords = ["def"]\n', "utf-8"
    )
    with pytest.raises(TableError, match=r"mine.toml:7: name 'a' is in line 1 too; join"):
        load_tables((path,))
    other = tmp_path / "other.toml"
    built_in = TABLES.dialects[0].name
    other.write_text(f'[dialect.{built_in}]\ntitle = "x"\n[dialect.{built_in}.claims]\nfrom = ["xyz"]\n', "utf-8")
    with pytest.raises(TableError, match=f"other.toml:1: the dialect '{built_in}' is in bounceparse/dialects/{built_in}.toml too"):
        load_tables((other,))


def test_a_rule_file_must_be_there_and_in_utf_8(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_tables((tmp_path / "none.toml",))
    path = tmp_path / "latin.toml"
    path.write_bytes(b'language = "en"\n# caf\xe9\n')
    with pytest.raises(TableError, match=r"latin.toml:2: not UTF-8; save"):
        load_tables((path,))


# How the built-in tables are checked and kept.


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of its own: a copy of the tables, and a cache folder that nobody else uses."""
    for folder in ("data", "dialects"):
        shutil.copytree(ROOT / folder, tmp_path / "package" / folder, ignore=shutil.ignore_patterns(".compiled", ".tables*", "__pycache__"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "package"


def load(place: Path) -> Tables:
    return package._load.__wrapped__(str(place))


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        ("reasons", 'fault = "recipient"', 'fault = "receptor"', "fault 'receptor' is not known; use one of recipient"),
        ("reasons", "rank = 20\n", "rank = 10\n", "rank 10 is in line"),
        ("status", 'code = "X.1.1"', 'code = "5.1.1"', "'5.1.1' is no enhanced status code; write it as"),
        ("status", 'code = "X.1.2"', 'code = "X.1.1"', "code 'X.1.1' is in line"),
        ("status", 'code = "5.7.606..5.7.649"', 'code = "5.7.606..5.7.600"', "is no range; write it as"),
        ("reply", 'code = "550"', 'code = "5500"', "'5500' is no reply code; write three digits"),
        ("reply", 'reason = "null_mx"\ndefault = true', 'reason = "null_mx"', "needs one default among its meanings; set default"),
        ("winsock", 'status = "4.4.2"', 'status = "4.4"', "'4.4' is no enhanced status code; write"),
        ("exits", 'reason = "user_unknown"', 'reason = "nobody"', "there is no reason 'nobody'; see data/reasons.toml"),
        ("blocklists", 'lists = ["ip"]', 'lists = ["host"]', "a blocklist lists no 'host'; use ip"),
        ("vocabularies", 'user_unknown = "userunknown"', 'user_unknown = "unknownuser"', "nothing leads back from 'unknownuser'; add it"),
        ("vocabularies", 'user_unknown = "userunknown"\n', "", "has no label for user_unknown; add"),
    ],
)
def test_a_mistake_in_a_built_in_table(place: Path, file: str, old: str, new: str, what: str) -> None:
    path = place / "data" / f"{file}.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(TableError) as caught:
        load(place)
    assert str(caught.value).startswith(f"bounceparse/data/{file}.toml:{caught.value.line}: ") and what in str(caught.value)
    assert caught.value.line > 1


def test_the_compiled_copy_holds_the_same(place: Path) -> None:
    first = load(place)
    assert (place / "data/.compiled").is_file()
    assert load(place) == first == compile_tables(str(place), [name for name, _, _ in package._list_files(str(place), package._FOLDERS, ".toml")])
    assert not list((place / "data").glob(".tables*"))


def test_a_changed_table_is_read_anew(place: Path) -> None:
    load(place)
    path = place / "data/reasons.toml"
    path.write_text(path.read_text("utf-8").replace('title = "no such user"', 'title = "nobody"'), "utf-8")
    assert load(place).reasons["user_unknown"].title == "nobody"
    (place / "dialects/zz-new.toml").write_text('title = "New"\nseen = "2026"\n[claims]\nfrom = ["new daemon"]\n', "utf-8")
    assert load(place).dialects[-1].name == "zz-new"
    (place / "dialects/zz-new.toml").unlink()
    assert load(place).dialects[-1].name != "zz-new"


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other", "type"])
def test_a_damaged_copy_is_made_again(place: Path, damage: str) -> None:
    import zlib

    first = load(place)
    copy = place / "data/.compiled"
    content = copy.read_bytes()
    head = len(package._HEAD) + 32
    middle = len(content) // 2
    forged = content[head + 4 :][:100]
    copy.write_bytes(
        {
            "cut": content[:middle],
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "emptied": b"",
            "other": b"something else" * 1000,
            "type": content[:head] + zlib.crc32(forged).to_bytes(4, "big") + forged,
        }[damage]
    )
    assert load(place) == first
    assert copy.read_bytes() == content


def test_a_folder_that_cannot_be_written(place: Path) -> None:
    (place / "data/.compiled").mkdir()  # stands in the way, also for root
    first = load(place)
    kept = place.parent / "cache/bounceparse/tables"
    assert kept.is_file() and load(place) == first
    assert not list((place / "data").glob(".tables*"))


def test_no_place_to_write_at_all(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "data/.compiled").mkdir()
    (place.parent / "file").write_text("")
    for cache in (str(place.parent / "file"), "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
        assert load(place).reasons == TABLES.reasons
    assert not Path("relative").exists()


def test_loading_reads_no_toml(tmp_path: Path) -> None:
    code = "import sys\nfrom bounceparse.tables import load_tables\nload_tables()\nprint(*sorted(sys.modules))"
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=ROOT.parent)
    assert not {"tomllib", "difflib", "bounceparse.tables.compile", "pathlib", "tempfile"} & set(run.stdout.split())
