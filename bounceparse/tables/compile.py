"""TOML files → the tables, every entry checked. Used only when the compiled copy is missing or old, and for rule files of the user.

It is a little longer than other files because the spelling of each table stands here, exactly once, in the order of `Tables`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from bounceparse.tables.shapes import (
    CAPTURES,
    AutoReply,
    Blocklist,
    Dialect,
    Phrase,
    Provider,
    Reason,
    Reply,
    Sample,
    Sign,
    Status,
    SystemResult,
    TableError,
    Tables,
    Token,
    VendorStatus,
    Vocabulary,
)
from bounceparse.tables.toml import Source, Table, listed, meant
from bounceparse.text import squeeze

LONGEST_RANGE: Final = 1_000  # tokens that one range may stand for
_KINDS: Final = ("bounce", "delay", "delivered", "complaint", "auto_reply", "challenge", "disposition", "unsubscribe", "not_bounce")
_FAULTS: Final = ("recipient", "sender", "message", "network", "receiver", "unknown")


class _Rules(Struct, frozen=True):
    """What a rule file can bring, built-in or of the user."""

    phrases: tuple[Phrase, ...] = ()
    providers: tuple[Provider, ...] = ()
    dialects: tuple[Dialect, ...] = ()


def add_rules(tables: Tables, paths: list[str]) -> Tables:
    """Return the tables with the rules of some files of the user before the built-in ones."""
    own = [_read_rules(path, tables.reasons) for path in paths]
    _check_names([_Rules(tables.phrases, tables.providers, tables.dialects), *own])  # so that a clash is told at the rule that can be changed
    return msgspec.structs.replace(
        tables,
        phrases=(*(phrase for rules in own for phrase in rules.phrases), *tables.phrases),
        providers=(*(provider for rules in own for provider in rules.providers), *tables.providers),
        dialects=(*(dialect for rules in own for dialect in rules.dialects), *tables.dialects),
    )


def compile_samples(package: str, names: list[str], extra: list[str]) -> tuple[Sample, ...]:
    """Return the samples of the tables of these names in a package and of the rule files of the user."""
    reasons = _compile_reasons(Source(f"{package}/data/reasons.toml", "bounceparse/data/reasons.toml"))
    sources = [Source(path) for path in extra]
    sources += [
        Source(f"{package}/{name}", f"bounceparse/{name}") for name in names if name.startswith(("data/phrases/", "data/providers/", "dialects/"))
    ]
    return tuple(sample for source in sources for sample in _read_all_samples(source, reasons))


def _read_rules(path: str, reasons: dict[str, Reason]) -> _Rules:
    """Return the rules of a file of the user, which may also be one dialect or one provider as the package has them, a file each."""
    source = Source(path)
    top = source.top()
    if "claims" in source.values:
        return _Rules(dialects=(_read_dialect(top, source.stem, reasons, own=True),))
    if "title" in source.values:
        list(_read_samples(source, reasons))
        return _Rules(providers=(_read_provider(top, top.text("key", source.stem), source.tables("token"), reasons, own=True),))
    language = top.text("language", "")
    named = top.inner("dialect")
    phrases = source.tables("phrase")
    _once(phrases, "name")
    rules = _Rules(
        tuple(phrase for entry in phrases for phrase in _read_phrases(entry, source.stem, language, reasons, own=True)),
        tuple(
            _read_provider(entry, entry.text("key", source.stem), tokens, reasons, own=True) for entry, tokens in source.nested("provider", "token")
        ),
        tuple(_read_dialect(named.inner(name), name, reasons, own=True) for name in named.values),
    )
    list(_read_samples(source, reasons))
    top.taken.update(("phrase", "provider", "sample"))
    top.done()
    _check_words(rules.phrases)
    return rules


def _read_phrases(entry: Table, owner: str, language: str, reasons: dict[str, Reason], own: bool = False) -> Iterator[Phrase]:
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
        fault=entry.choice("fault", _FAULTS, ""),
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
        yield msgspec.structs.replace(phrase, words=entry.pieces(text), text=text, line=line)


def _read_provider(entry: Table, key: str, tokens: list[Table], reasons: dict[str, Reason], own: bool = False) -> Provider:
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
        entry.choice("fault", _FAULTS, ""),
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
        for one in _range(entry, text):
            yield msgspec.structs.replace(token, id=f"{key}/{one}", text=one, words=entry.pieces(one, 2), line=line)


def _range(entry: Table, text: str) -> list[str]:
    """Return the texts that `A01..A09` stands for, or the text itself."""
    first, dots, last = text.partition("..")
    if not dots or last.startswith("."):
        return [text]
    head = first.rstrip("0123456789")
    digits, until = first[len(head) :], last.removeprefix(head)
    if not digits or not until.isdigit() or not int(digits) < int(until) < int(digits) + LONGEST_RANGE:
        raise entry.error(f"{text!r} is no range", "write it as TS01..TS09", text)
    return [f"{head}{number:0{len(digits)}}" for number in range(int(digits), int(until) + 1)]


def _read_dialect(entry: Table, name: str, reasons: dict[str, Reason], own: bool = False) -> Dialect:
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


def _read_samples(source: Source, reasons: dict[str, Reason]) -> Iterator[Sample]:
    """Return the samples of a file of phrases or a provider."""
    for entry in source.tables("sample"):
        expect = {key: value for key, value in entry.values.items() if key != "text"}
        yield _read_sample(entry, expect, reasons, tuple(expect))


def _read_all_samples(source: Source, reasons: dict[str, Reason]) -> Iterator[Sample]:
    """Return the samples of any file: of phrases, a provider, a dialect, or rules of the user."""
    if "claims" in source.values:
        yield from _read_dialect_samples(source.top(), reasons)
        return
    yield from _read_samples(source, reasons)
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


def _check_names(groups: list[_Rules]) -> None:
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


def _once(tables: list[Table], key: str) -> None:
    """Raise TableError for two tables of a file that have the same value of a key."""
    seen: dict[Any, int] = {}
    for table in tables:
        value = table.values.get(key)
        if value is not None and seen.setdefault(value, table.line) != table.line:
            at = f'= "{value}"' if isinstance(value, str) else f"{key} = {value}"
            raise table.error(f"{key} {value!r} is in line {seen[value]} too", "join the two, or rename one", at)


# The tables of the package, one function for each file.


def compile_tables(package: str, names: list[str]) -> Tables:
    """Return the tables of the package in a folder, read from the TOML files of these names and checked. Raises TableError for the first mistake."""

    def source(name: str) -> Source:
        return Source(f"{package}/data/{name}.toml", f"bounceparse/data/{name}.toml")

    def sources(folder: str) -> Iterator[Source]:
        return (Source(f"{package}/{name}", f"bounceparse/{name}") for name in names if name.rpartition("/")[0] == folder)

    reasons = _compile_reasons(source("reasons"))
    phrases = tuple(phrase for file in sources("data/phrases") for phrase in _compile_phrases(file, reasons))
    providers = tuple(_compile_provider(file, reasons) for file in sources("data/providers"))
    dialects = tuple(_read_dialect(file.top(), file.stem, reasons) for file in sources("dialects"))
    status = source("status")
    tables = Tables(
        reasons,
        _compile_titles(status, "class"),
        _compile_titles(status, "subject"),
        _compile_statuses(status, reasons),
        _compile_vendors(status, reasons),
        _compile_replies(source("reply"), reasons),
        {result.id: result for name, kinds in _SYSTEM.items() for kind in kinds for result in _compile_system(source(name), kind, reasons)},
        phrases,
        providers,
        _compile_blocklists(source("blocklists")),
        _compile_autoreply(source("autoreply")),
        _compile_signs(source("signs")),
        dialects,
        _compile_vocabularies(source("vocabularies"), reasons),
    )
    _check_names([_Rules(tuple(phrases), providers, dialects)])
    return tables


def _compile_reasons(source: Source) -> dict[str, Reason]:
    entries = source.tables("reason")
    _once(entries, "name")
    _once(entries, "rank")
    reasons = {}
    for entry in entries:
        name = entry.text("name")
        reasons[name] = Reason(
            name,
            entry.text("title"),
            entry.text("meaning"),
            entry.choice("bounce", ("hard", "by_class", "soft", "none")),
            entry.choice("fault", _FAULTS),
            entry.number("rank"),
            entry.text("remedy"),
            entry.text("source"),
        )
        entry.done()
    _all_taken(source, "reason")
    return reasons


def _all_taken(source: Source, *keys: str) -> None:
    """Raise TableError for anything in a file beside the tables that were read."""
    top = source.top()
    top.taken.update(keys)
    top.done()


def _compile_titles(source: Source, key: str) -> dict[str, str]:
    table = source.top().inner(key)
    return {name: table.text(name) for name in table.values}


def _compile_statuses(source: Source, reasons: dict[str, Reason]) -> dict[str, Status]:
    entries = source.tables("status")
    _once(entries, "code")
    statuses = {}
    for entry in entries:
        code = entry.text("code")
        if not _is_status(code, "X"):
            raise entry.error(f"{code!r} is no enhanced status code", 'write it as "X.1.1"', code)
        statuses[code[2:]] = Status(
            code,
            entry.text("title"),
            entry.reason(reasons),
            entry.reason(reasons, "reason_4", optional=True),
            entry.reason(reasons, "reason_5", optional=True),
            entry.choice("confidence", ("high", "medium", "low")),
            entry.choice("fault", _FAULTS, ""),
            entry.text("note", ""),
            entry.text("source"),
        )
        entry.done()
    _all_taken(source, "class", "subject", "status", "vendor")
    return statuses


def _is_status(code: str, classes: str) -> bool:
    """Say whether `code` is an enhanced status code whose class is one of `classes` (RFC 3463 2)."""
    digits = code.split(".")
    return len(digits) == 3 and digits[0] in tuple(classes) and all(d.isdecimal() and len(d) <= 3 and (d == "0" or d[0] != "0") for d in digits[1:])


def _compile_vendors(source: Source, reasons: dict[str, Reason]) -> dict[str, tuple[VendorStatus, ...]]:
    vendors: dict[str, tuple[VendorStatus, ...]] = {}
    nested = source.nested("vendor", "code")
    _once([entry for entry, _ in nested], "key")
    for entry, codes in nested:
        key, hosts, marks, said = entry.text("key"), entry.hosts(), entry.literals("marks"), entry.text("source")
        entry.text("title")
        entry.taken.add("code")
        entry.done()
        if not hosts and not marks:
            raise entry.error(f"nothing tells the vendor {key!r}", "add hosts = […] or marks = […]")
        for code in codes:
            written = code.text("code")
            meaning = VendorStatus(key, written, code.text("title"), code.reason(reasons), hosts, marks, code.choice("fault", _FAULTS, ""), said)
            code.done()
            for one in _range(code, written):
                if not _is_status(one, "X45"):
                    raise code.error(f"{one!r} is no enhanced status code", 'write it as "5.1.1", or "X.1.1" for every class', written)
                vendors[one[2:]] = (*vendors.get(one[2:], ()), msgspec.structs.replace(meaning, code=one))
    return vendors


def _compile_replies(source: Source, reasons: dict[str, Reason]) -> dict[str, tuple[Reply, ...]]:
    replies = {}
    nested = source.nested("reply", "use")
    _once([entry for entry, _ in nested], "code")
    for entry, uses in nested:
        code, title, said = entry.text("code"), entry.text("title"), entry.text("source")
        if len(code) != 3 or not code.isdecimal():
            raise entry.error(f"{code!r} is no reply code", 'write three digits, as in "550"', code)
        meanings = []
        for use in uses:
            meanings.append(
                Reply(
                    code,
                    title,
                    use.text("meaning"),
                    use.reason(reasons),
                    use.phases(),
                    use.literals("words", 2),
                    use.flag("default"),
                    use.choice("fault", _FAULTS, ""),
                    use.text("source", said),
                )
            )
            use.done()
        if sum(meaning.default for meaning in meanings) != 1:
            raise entry.error(
                f"{code} needs one default among its meanings", "set default = true in the [[reply.use]] that holds when nothing else is known"
            )
        entry.taken.add("use")
        entry.done()
        replies[code] = tuple(meanings)
    _all_taken(source, "reply")
    return replies


_SYSTEM: Final = {"winsock": ("winsock", "win32"), "errno": ("errno",), "exits": ("exit",), "resolver": ("dns",)}
"""The files of results that are no replies, and the kinds that each holds."""


def _compile_system(source: Source, kind: str, reasons: dict[str, Reason]) -> Iterator[SystemResult]:
    entries = source.tables(kind)
    _once(entries, "name")
    for entry in entries:
        number, name, status = entry.number("number"), entry.text("name"), entry.text("status")
        if not _is_status(status, "245"):
            raise entry.error(f"{status!r} is no enhanced status code", 'write it as "4.4.1"', status)
        key = name if kind in ("errno", "dns") else str(number)
        result = SystemResult(
            f"{kind}:{key}", name, number, entry.text("meaning"), entry.reason(reasons), status, entry.literals("words"), entry.text("source")
        )
        entry.done()
        yield result
    _all_taken(source, *_SYSTEM[source.stem])


def _compile_phrases(source: Source, reasons: dict[str, Reason]) -> Iterator[Phrase]:
    top = source.top()
    language = top.text("language")
    entries = source.tables("phrase")
    _once(entries, "name")
    for entry in entries:
        yield from _read_phrases(entry, source.stem, language, reasons)
    list(_read_samples(source, reasons))
    top.taken.update(("phrase", "sample"))
    top.done()


def _compile_provider(source: Source, reasons: dict[str, Reason]) -> Provider:
    list(_read_samples(source, reasons))
    return _read_provider(source.top(), source.stem, source.tables("token"), reasons)


def _compile_blocklists(source: Source) -> tuple[Blocklist, ...]:
    entries = source.tables("blocklist")
    _once(entries, "name")
    blocklists = []
    for entry in entries:
        zones = entry.hosts("zones")
        words = tuple(dict.fromkeys((*entry.literals("words"), *(squeeze(zone) for zone in zones))))
        lists = tuple(entry.texts("lists"))
        blocklists.append(Blocklist(entry.text("name"), entry.text("title"), zones, words, lists, entry.text("lookup", ""), entry.text("source")))
        entry.done()
        for thing in lists:
            if thing not in ("ip", "domain", "url"):
                raise entry.error(f"a blocklist lists no {thing!r}", "use ip, domain or url", f'"{thing}"')
        if not words:
            raise entry.error("the blocklist has no words", "add words = […] or zones = […]")
    _all_taken(source, "blocklist")
    return tuple(blocklists)


def _compile_autoreply(source: Source) -> AutoReply:
    top = source.top()
    subject, header, phrase = top.inner("subject"), top.inner("header"), top.inner("phrase")
    top.done()
    return AutoReply(
        {language: subject.literals(language, 2) for language in subject.values},
        {name.lower(): tuple(value.lower() for value in header.texts(name)) for name in header.values},
        {language: phrase.literals(language, 2) for language in phrase.values},
    )


def _compile_signs(source: Source) -> tuple[Sign, ...]:
    signs = []
    for entry in source.tables("sign"):
        where = entry.choice("where", ("from", "subject", "text"))
        signs.append(Sign(entry.text("kind"), where, tuple(entry.pieces(text, 2) for text in entry.texts("words")), entry.text("source")))
        entry.done()
    _all_taken(source, "sign")
    return tuple(signs)


def _compile_vocabularies(source: Source, reasons: dict[str, Reason]) -> dict[str, Vocabulary]:
    vocabularies = {}
    top = source.top()
    for name in top.values:
        entry = top.inner(name)
        labels, back = entry.inner("labels"), entry.inner("reasons")
        known = {label: back.text(label) for label in back.values}
        for label, reason in known.items():
            if reason not in reasons:
                raise back.unknown_reason(reason, reasons)
            back.taken.add(label)
        mine = {reason: labels.text(reason) for reason in labels.values}
        for reason in mine:
            if reason not in reasons:
                raise labels.unknown_reason(reason, reasons)
        for reason in reasons:
            if reason not in mine:
                raise labels.error(f"{name} has no label for {reason}", f'add {reason} = "…" under [{name}.labels]')
        special = {}
        for kind in ("hard", "soft", "delay"):
            table = entry.inner(kind)
            special[kind] = {reason: table.text(reason) for reason in table.values}
            for reason in special[kind]:
                if reason not in reasons and (kind, reason) != ("delay", "any"):
                    raise table.unknown_reason(reason, reasons)
        for label in (label for table in (mine, *special.values()) for label in table.values()):
            if label not in known:
                raise labels.error(f"nothing leads back from {label!r}", f"add it under [{name}.reasons]", f'"{label}"')
        dialects = entry.inner("dialects")
        agents = {dialect: dialects.text(dialect) for dialect in dialects.values}
        vocabularies[name] = Vocabulary(name, entry.text("title"), mine, known, entry.text("source"), **special, dialects=agents)
        entry.done()
    return vocabularies
