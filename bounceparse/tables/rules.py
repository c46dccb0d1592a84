"""The entries that the package and a rule file of the user share, each checked: phrases, providers, dialects and their samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from bounceparse.tables.shapes import (
    CAPTURES,
    Bearings,
    Dialect,
    NoticeWords,
    Phrase,
    Provider,
    Reason,
    Sample,
    TableError,
    Token,
)
from bounceparse.tables.toml import Source, Table, listed, meant
from bounceparse.text import squeeze

Manner = TypeVar("Manner", Bearings, NoticeWords)
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_NORDIC: Final = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa"})
_IN_ASCII: Final = {"de": _UMLAUTS, "da": _NORDIC, "no": _NORDIC}
LONGEST_RANGE: Final = 1_000  # tokens that one range may stand for
FAULTS: Final = ("recipient", "sender", "message", "network", "receiver", "unknown")
_KINDS: Final = ("bounce", "delay", "delivered", "complaint", "auto_reply", "challenge", "disposition", "unsubscribe", "not_bounce")


class Rules(Struct, frozen=True):
    """What a rule file can bring, built-in or of the user."""

    phrases: tuple[Phrase, ...] = ()
    providers: tuple[Provider, ...] = ()
    dialects: tuple[Dialect, ...] = ()
    bearings: dict[str, Bearings] = {}  # by language
    notices: dict[str, NoticeWords] = {}  # by language


def read_rules(path: str, reasons: dict[str, Reason]) -> Rules:
    """Return the rules of a file of the user, which may also be one dialect or one provider as the package has them, a file each."""
    source = Source(path)
    top = source.top()
    if "claims" in source.values:
        return Rules(dialects=(read_dialect(top, source.stem, reasons, own=True),))
    if "title" in source.values:
        list(read_samples(source, reasons))
        return Rules(providers=(read_provider(top, top.text("key", source.stem), source.tables("token"), reasons, own=True),))
    language = top.text("language", "")
    named = top.inner("dialect")
    phrases = source.tables("phrase")
    once(phrases, "name")
    rules = Rules(
        tuple(phrase for entry in phrases for phrase in read_phrases(entry, source.stem, language, reasons, own=True)),
        tuple(
            read_provider(entry, entry.text("key", source.stem), tokens, reasons, own=True) for entry, tokens in source.nested("provider", "token")
        ),
        tuple(read_dialect(named.inner(name), name, reasons, own=True) for name in named.values),
        read_manner(top, "bearings", Bearings, language),
        read_manner(top, "notice", NoticeWords, language),
    )
    list(read_samples(source, reasons))
    top.taken.update(("phrase", "provider", "sample"))
    top.done()
    _check_words(rules.phrases)
    return rules


def read_phrases(entry: Table, owner: str, language: str, reasons: dict[str, Reason], own: bool = False) -> Iterator[Phrase]:
    """Return a phrase for each of the words of a [[phrase]]."""
    name = entry.text("name")
    if squeeze(name).strip().replace(" ", "-") != name:
        raise entry.error(f"the name {name!r} is not plain", "use small letters, digits and hyphens", f'"{name}"')
    phrase = Phrase(
        f"{owner}/{name}",
        language,
        entry.reason(reasons),
        (),
        "",
        entry.choice("class", ("4", "5"), ""),
        entry.phases(),
        entry.flag("weak"),
        entry.text("provider", ""),
        entry.line,
        entry.source.file,
        entry.flag("temporary"),
        fault=entry.choice("fault", FAULTS, ""),
        own=own,
        source=entry.text("source", "" if own else None),
    )
    written = entry.texts("words")
    entry.done()
    if not written:
        raise entry.error(f"the phrase {name!r} has no words", 'add words = ["…"]')
    end = entry.source.end_of(entry.line)
    for text in written:
        line = entry.source.line_of(text, entry.line, end)
        for spelt in _spellings(text, language):
            yield msgspec.structs.replace(phrase, words=entry.pieces(spelt), text=text, line=line)


def read_manner(top: Table, name: str, shape: type[Manner], language: str) -> dict[str, Manner]:
    """Return the table of a file that says how its language speaks, `[bearings]` or `[notice]`, by the language; nothing where there is none."""
    table = top.inner(name)
    least = 1 if shape is NoticeWords else 2
    fields = [[spelt for text in table.texts(field) for spelt in _spellings(text, language)] for field in shape.__struct_fields__]
    manner = shape(*[tuple(dict.fromkeys([table.literal(text, least) for text in texts])) for texts in fields])
    table.done()
    if not table.values:
        return {}
    if not language:
        raise table.error(f"[{name}] is that of a language", 'add language = "en" above all tables')
    return {language: manner}


def join_manners(known: dict[str, Manner], own: Iterable[dict[str, Manner]]) -> dict[str, Manner]:
    """Return what is known of the ways of languages, with that of rule files before it."""
    joined = dict(known)
    for language, one in (pair for rules in own for pair in rules.items()):
        shape = type(one)
        old = joined.get(language, shape())
        joined[language] = shape(*[getattr(one, field) + getattr(old, field) for field in shape.__struct_fields__])
    return joined


def _spellings(text: str, language: str) -> tuple[str, ...]:
    """Return a text as it is written, and as the language is written where there is nothing but ASCII: `Empfänger`, `Empfaenger`."""
    letters = _IN_ASCII.get(language)
    return tuple(dict.fromkeys((text, text.translate(letters)))) if letters else (text,)


def read_provider(entry: Table, key: str, tokens: list[Table], reasons: dict[str, Reason], own: bool = False) -> Provider:
    """Return a provider with its tokens."""
    provider = Provider(
        key,
        entry.text("title"),
        entry.hosts(),
        entry.literals("marks"),
        tuple(token for table in tokens for token in _read_tokens(table, key, reasons, own)),
        entry.text("source", "" if own else None),
    )
    entry.taken.update(("token", "sample"))
    entry.done()
    if not provider.hosts and not provider.marks:
        raise entry.error(f"nothing tells the provider {key!r}", "add hosts = […] or marks = […]")
    return provider


def _read_tokens(entry: Table, key: str, reasons: dict[str, Reason], own: bool) -> Iterator[Token]:
    """Return a token for each of the texts of a [[token]]; `TS01..TS09` stands for nine of them."""
    token = Token(
        "",
        key,
        "",
        (),
        entry.reason(reasons),
        entry.text("meaning"),
        entry.choice("class", ("4", "5"), ""),
        entry.phases(),
        entry.flag("temporary"),
        entry.choice("fault", FAULTS, ""),
        entry.line,
        entry.source.file,
        own,
        entry.text("source", ""),
    )
    written = entry.texts("text")
    entry.done()
    if not written:
        raise entry.error("a token has no text", 'add text = "…"')
    end = entry.source.end_of(entry.line)
    for text in written:
        line = entry.source.line_of(text, entry.line, end)
        for one in read_range(entry, text):
            yield msgspec.structs.replace(token, id=f"{key}/{one}", text=one, words=entry.pieces(one, 2), line=line)


def read_range(entry: Table, text: str) -> list[str]:
    """Return the texts that `A01..A09` stands for, or the text itself."""
    first, dots, last = text.partition("..")
    if not dots or last.startswith("."):
        return [text]
    head = first.rstrip("0123456789")
    digits, until = first[len(head) :], last.removeprefix(head)
    if not digits or not until.isdigit() or not int(digits) < int(until) < int(digits) + LONGEST_RANGE:
        raise entry.error(f"{text!r} is no range", "write it as TS01..TS09", text)
    return [f"{head}{number:0{len(digits)}}" for number in range(int(digits), int(until) + 1)]


def read_dialect(entry: Table, name: str, reasons: dict[str, Reason], own: bool = False) -> Dialect:
    """Return a dialect."""
    claims, report, words = entry.inner("claims"), entry.inner("report"), entry.inner("reasons")
    headers = claims.texts("header")
    for header in headers:
        if not header.replace("-", "").replace("_", "").isalnum():
            raise claims.error(f"{header!r} is no header name", "give the name alone, such as x-mailer", header)
    templates = report.texts("recipient")
    for template in templates:
        _check_template(report, template)
    dialect = Dialect(
        name,
        entry.text("title"),
        entry.text("seen", "" if own else None),
        claims.literals("from"),
        claims.literals("subject"),
        tuple(header.lower() for header in headers),
        claims.literals("phrase"),
        tuple(text.lower() for text in report.texts("begin")),
        templates,
        report.choice("more", ("indented", "until-blank", "above", "none"), "none"),
        tuple(text.lower() for text in report.texts("end")),
        tuple(_read_dialect_words(words, name, reasons, own)),
        tuple(_read_dialect_samples(entry, reasons)),
        entry.text("hook", ""),
        entry.source.file,
        entry.line,
        entry.choice("kind", _KINDS, ""),
    )
    entry.taken.update(("sample", "source", "note"))
    for table in (claims, report, entry):
        table.done()
    if own and dialect.hook:
        raise entry.error("a dialect of your own has no hook", "describe its lines under [report]", "hook")
    if not (dialect.claims_from or dialect.claims_subject or dialect.claims_header or dialect.claims_phrase):
        raise claims.error(f"the dialect {name} claims no mail", "add from, subject, header or phrase under [claims]")
    return dialect


def _read_dialect_words(words: Table, name: str, reasons: dict[str, Reason], own: bool) -> Iterator[Phrase]:
    """Return the phrases of the [reasons] of a dialect."""
    for text, reason in words.values.items():
        if not isinstance(reason, str) or reason not in reasons:
            raise words.unknown_reason(str(reason), reasons)
        pieces = words.pieces(text)
        yield Phrase(
            f"{name}/{'-'.join(' '.join(pieces).split())}",
            "",
            reason,
            pieces,
            text,
            line=words.source.line_of(text, words.line),
            file=words.source.file,
            dialect=name,
            own=own,
        )


def _check_template(report: Table, template: str) -> None:
    """Raise TableError for a line template that cannot be compiled."""
    for number, piece in enumerate(template.split("{")):
        word, closed, after = piece.partition("}")
        if "}" in after or bool(closed) != bool(number):
            raise report.error(f"braces do not match in {template!r}", "write capture words as {address}", template)
        if number and word not in CAPTURES:
            mend = f"use {{{'}, {'.join(sorted(CAPTURES))}}}{meant(word, CAPTURES)}"
            raise report.error(f"there is no capture word {{{word}}}", mend, "{" + word)
    if "{address}" not in template:
        raise report.error(f"the template {template!r} finds nobody", "put {address} where the recipient stands", template)


def _read_dialect_samples(entry: Table, reasons: dict[str, Reason]) -> Iterator[Sample]:
    line = entry.line
    for values in listed(entry.values.get("sample", [])):
        line = next((n for n in range(line + 1, len(entry.source.lines) + 1) if entry.source.lines[n - 1].rstrip().endswith("sample]]")), line)
        sample = Table(entry.source, values, "[[sample]]", line)
        yield _read_sample(sample, sample.inner("expect").values, reasons, ("expect",))


def read_samples(source: Source, reasons: dict[str, Reason]) -> Iterator[Sample]:
    """Return the samples of a file of phrases or a provider."""
    for entry in source.tables("sample"):
        expect = {key: value for key, value in entry.values.items() if key != "text"}
        yield _read_sample(entry, expect, reasons, tuple(expect))


def read_all_samples(source: Source, reasons: dict[str, Reason]) -> Iterator[Sample]:
    """Return the samples of any file: of phrases, a provider, a dialect, or rules of the user."""
    if "claims" in source.values:
        yield from _read_dialect_samples(source.top(), reasons)
        return
    yield from read_samples(source, reasons)
    named = source.top().inner("dialect")
    for name in named.values:
        yield from _read_dialect_samples(named.inner(name), reasons)


_EXPECTED: Final = frozenset(
    {"reason", "bounce", "fault", "rule", "address", "status", "reply_code", "blocklist", "command", "diagnostic", "kind", "dialect", "host"}
)


def _read_sample(entry: Table, expect: dict[str, Any], reasons: dict[str, Reason], taken: tuple[str, ...]) -> Sample:
    """Return a sample, its expectations checked."""
    sample = Sample(entry.text("text"), expect, entry.source.file, entry.line)
    entry.taken.update(taken)
    entry.done()
    for key, value in expect.items():
        if key not in _EXPECTED:
            raise entry.error(f"a sample expects {key!r}", f"use some of {', '.join(sorted(_EXPECTED))}{meant(key, _EXPECTED)}", key)
        if not isinstance(value, str):
            raise entry.error(f"{key} of the sample is no text", f'write {key} = "…"', key)
    if not expect:
        raise entry.error("the sample expects nothing", "say what it must give, at least its reason")
    if "reason" in expect and expect["reason"] not in reasons:
        raise entry.unknown_reason(expect["reason"], reasons)
    return sample


def check_names(groups: list[Rules]) -> None:
    """Raise TableError for a name that two entries have, and for a provider that no entry has."""
    seen: dict[tuple[str, str], str] = {}
    providers = {provider.key for rules in groups for provider in rules.providers}
    for rules in groups:
        # The words of one [[phrase]] share its name, so phrases of one file are compared while that is read.
        named = [("phrase", phrase.id, phrase.file, phrase.line, phrase.file) for phrase in rules.phrases]
        named += [("dialect", dialect.name, dialect.file, dialect.line, dialect.file) for dialect in rules.dialects]
        for token in (token for provider in rules.providers for token in provider.tokens):
            named.append(("token", f"{token.id} {token.reply_class}{''.join(token.phases)}", token.file, token.line, f"{token.file}:{token.line}"))
        for kind, name, file, line, place in named:
            if seen.setdefault((kind, name), place) != place:
                raise TableError(file, line, f"the {kind} {name.split(' ')[0]!r} is in {seen[kind, name]} too", "give it a name of its own")
        for phrase in rules.phrases:
            if phrase.provider and phrase.provider not in providers:
                mend = meant(phrase.provider, providers).lstrip(", ") or "add it to data/providers, or take provider away"
                raise TableError(phrase.file, phrase.line, f"there is no provider {phrase.provider!r}", mend)


def _check_words(phrases: tuple[Phrase, ...]) -> None:
    """Raise TableError for words that two phrases of a file have, with the same limits and another reason."""
    seen: dict[tuple[object, ...], Phrase] = {}
    for phrase in phrases:
        first = seen.setdefault((phrase.words, phrase.reply_class, phrase.phases, phrase.provider, phrase.weak), phrase)
        if first.reason != phrase.reason:
            what = f"the words {phrase.text!r} are in line {first.line} too, for {first.reason}"
            raise TableError(phrase.file, phrase.line, what, "keep one of them, or limit them by class, phase or provider")


def once(tables: list[Table], key: str) -> None:
    """Raise TableError for two tables of a file that have the same value of a key."""
    seen: dict[Any, int] = {}
    for table in tables:
        value = table.values.get(key)
        if value is not None and seen.setdefault(value, table.line) != table.line:
            at = f'= "{value}"' if isinstance(value, str) else f"{key} = {value}"
            raise table.error(f"{key} {value!r} is in line {seen[value]} too", "join the two, or rename one", at)
