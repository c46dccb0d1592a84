"""Phrases are code: each one yields its reason, none is dead or shadowed, and the samples beside the tables pass."""

from __future__ import annotations

from collections import Counter

import pytest

from bounceparse.judge import Judge
from bounceparse.model import Recipient, Verdict
from bounceparse.tables import Phrase, Sample, Token, load_samples, load_tables

TABLES = load_tables()
JUDGE = Judge(TABLES)
EVENTS = frozenset({"auto_reply", "delivered", "feedback_complaint", "challenge_response"})
USUALLY_4 = frozenset({"greylisted", "rate_limited", "too_many_connections", "system_error", "network_error", "expired"})
DEAD_ADDRESS = frozenset({"user_unknown", "mailbox_disabled", "mailbox_moved", "domain_unknown", "null_mx"})
SAMPLES = [sample for sample in load_samples() if sample.file.startswith(("bounceparse/data/phrases/", "bounceparse/data/providers/"))]


def heard(words: tuple[str, ...], reason: str, klass: str = "", phases: tuple[str, ...] = (), temporary: bool = False, host: str = "") -> Verdict:
    """What the judge says to a reply of nothing but these words."""
    said = " x ".join(word.strip() for word in words)
    if reason in EVENTS:
        return JUDGE.classify(said)[1]
    klass = klass or ("4" if temporary or reason in USUALLY_4 else "5")
    return JUDGE.judge(Recipient(reply_code=f"{klass}50", diagnostic=f"{klass}50 {said}", command=phases[0] if phases else "", remote_mta=host))


def test_every_phrase_yields_its_reason() -> None:
    wrong = []
    for phrase in TABLES.phrases:
        verdict = heard(phrase.words, phrase.reason, phrase.reply_class, phrase.phases, phrase.temporary)
        if verdict.reason != phrase.reason:
            wrong.append(f"{phrase.file}:{phrase.line}: {phrase.text!r} gives {verdict.reason} by {verdict.rule}, not {phrase.reason}")
    assert not wrong, "\n".join(wrong)


def test_every_mark_of_a_provider_yields_its_reason() -> None:
    wrong = []
    for provider in TABLES.providers:
        for token in provider.tokens:
            verdict = heard(token.words, token.reason, token.reply_class, token.phases, token.temporary, _host_of(token))
            if verdict.reason != token.reason:
                wrong.append(f"{token.file}:{token.line}: {token.text!r} gives {verdict.reason} by {verdict.rule}, not {token.reason}")
    assert not wrong, "\n".join(wrong)


def _host_of(token: Token) -> str:
    hosts = next(provider.hosts for provider in TABLES.providers if provider.key == token.provider)
    return f"mx1.{hosts[0]}" if hosts else ""


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.file.rpartition('/')[2]}:{sample.line}")
def test_a_sample_passes(sample: Sample) -> None:
    recipient, verdict = JUDGE.classify(sample.text)
    found = {"reason": verdict.reason, "bounce": verdict.bounce, "fault": verdict.fault, "rule": verdict.rule, "blocklist": verdict.blocklist}
    found |= {"status": recipient.status, "reply_code": recipient.reply_code, "command": recipient.command, "address": recipient.address}
    assert {key: found[key] for key in sample.expect if key in found} == sample.expect


def test_every_provider_has_a_sample() -> None:
    assert {sample.file for sample in SAMPLES} >= {f"bounceparse/data/providers/{provider.key}.toml" for provider in TABLES.providers}


def test_no_phrase_stands_twice_with_two_reasons() -> None:
    """Two languages may share words, but not disagree about them in the same class and phase."""
    seen: dict[object, Phrase] = {}
    for phrase in TABLES.phrases:
        key = (phrase.words, phrase.reply_class, phrase.phases)
        first = seen.setdefault(key, phrase)
        assert first.reason == phrase.reason or first.weak or phrase.weak, f"{phrase.id} and {first.id}: {phrase.text!r}"


def test_a_phrase_stands_once_in_its_language() -> None:
    counted = Counter((phrase.id, phrase.words) for phrase in TABLES.phrases)
    assert not [key for key, count in counted.items() if count > 1]


def test_a_4xx_with_any_phrase_is_never_hard() -> None:
    for phrase in TABLES.phrases:
        if phrase.reason in DEAD_ADDRESS:
            assert heard(phrase.words, phrase.reason, "4", phrase.phases).bounce != "hard", phrase.text


def test_words_for_now_are_never_hard() -> None:
    for phrase in TABLES.phrases:
        if phrase.temporary:
            assert heard((*phrase.words, "user unknown"), phrase.reason, "5").bounce != "hard", phrase.text


def test_other_reasons_are_never_hard() -> None:
    """Only a dead address is hard: blame on a list, the content or the sender never is, whatever the code."""
    for phrase in TABLES.phrases:
        if phrase.reason not in DEAD_ADDRESS | {"suppressed", "syntax", "undetermined"}:
            verdict = heard(phrase.words, phrase.reason, "5", phrase.phases)
            assert verdict.bounce != "hard", f"{phrase.id} {phrase.text!r} {verdict}"


def test_the_languages_are_there() -> None:
    languages = {phrase.language for phrase in TABLES.phrases}
    wanted = "en de fr es pt it nl pl ru ja zh sv da no fi cs hu tr ko el he ar uk ro bg hr sk sl et lt id vi"
    assert languages >= set(wanted.split(" "))
    for language in languages:
        assert {phrase.reason for phrase in TABLES.phrases if phrase.language == language} >= {"user_unknown", "mailbox_full", "spam"}, language
