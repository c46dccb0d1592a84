"""TOML files → the tables, every entry checked; one function for each file of the package, in the order of `Tables`.

Used only when the compiled copy is missing or old, and for rule files of the user.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from bounceparse.tables.rules import (
    FAULTS,
    Rules,
    check_names,
    join_manners,
    once,
    read_all_samples,
    read_dialect,
    read_manner,
    read_phrases,
    read_provider,
    read_range,
    read_rules,
    read_samples,
)
from bounceparse.tables.shapes import (
    AutoReply,
    Bearings,
    Blocklist,
    NoticeWords,
    Phrase,
    Provider,
    Reason,
    Reply,
    Sample,
    Sign,
    Status,
    SystemResult,
    Tables,
    VendorStatus,
    Vocabulary,
)
from bounceparse.tables.toml import Source
from bounceparse.text import squeeze


def compile_tables(package: str, names: list[str]) -> Tables:
    """Return the tables of the package in a folder, read from the TOML files of these names and checked. Raises TableError for the first mistake."""

    def source(name: str) -> Source:
        return Source(f"{package}/data/{name}.toml", f"bounceparse/data/{name}.toml")

    def sources(folder: str) -> Iterator[Source]:
        return (Source(f"{package}/{name}", f"bounceparse/{name}") for name in names if name.rpartition("/")[0] == folder)

    reasons = _compile_reasons(source("reasons"))
    languages = list(sources("data/phrases"))
    phrases = tuple(phrase for file in languages for phrase in _compile_phrases(file, reasons))
    providers = tuple(_compile_provider(file, reasons) for file in sources("data/providers"))
    dialects = tuple(read_dialect(file.top(), file.stem, reasons) for file in sources("dialects"))
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
        join_manners({}, [read_manner(file.top(), "bearings", Bearings, file.stem) for file in languages]),
        join_manners({}, [read_manner(file.top(), "notice", NoticeWords, file.stem) for file in languages]),
        providers,
        _compile_blocklists(source("blocklists")),
        _compile_autoreply(source("autoreply")),
        _compile_signs(source("signs")),
        dialects,
        _compile_vocabularies(source("vocabularies"), reasons),
    )
    check_names([Rules(tuple(phrases), providers, dialects)])
    return tables


def add_rules(tables: Tables, paths: list[str]) -> Tables:
    """Return the tables with the rules of some files of the user before the built-in ones."""
    own = [read_rules(path, tables.reasons) for path in paths]
    check_names([Rules(tables.phrases, tables.providers, tables.dialects), *own])  # so that a clash is told at the rule that can be changed
    return msgspec.structs.replace(
        tables,
        bearings=join_manners(tables.bearings, [rules.bearings for rules in own]),
        notices=join_manners(tables.notices, [rules.notices for rules in own]),
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
    return tuple(sample for source in sources for sample in read_all_samples(source, reasons))


def _compile_reasons(source: Source) -> dict[str, Reason]:
    entries = source.tables("reason")
    once(entries, "name")
    once(entries, "rank")
    reasons = {}
    for entry in entries:
        name = entry.text("name")
        reasons[name] = Reason(
            name,
            entry.text("title"),
            entry.text("meaning"),
            entry.choice("bounce", ("hard", "by_class", "soft", "none")),
            entry.choice("fault", FAULTS),
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
    once(entries, "code")
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
            entry.choice("fault", FAULTS, ""),
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
    once([entry for entry, _ in nested], "key")
    for entry, codes in nested:
        key, hosts, marks, said = entry.text("key"), entry.hosts(), entry.literals("marks"), entry.text("source")
        entry.text("title")
        entry.taken.add("code")
        entry.done()
        if not hosts and not marks:
            raise entry.error(f"nothing tells the vendor {key!r}", "add hosts = […] or marks = […]")
        for code in codes:
            written = code.text("code")
            meaning = VendorStatus(key, written, code.text("title"), code.reason(reasons), hosts, marks, code.choice("fault", FAULTS, ""), said)
            code.done()
            for one in read_range(code, written):
                if not _is_status(one, "X45"):
                    raise code.error(f"{one!r} is no enhanced status code", 'write it as "5.1.1", or "X.1.1" for every class', written)
                vendors[one[2:]] = (*vendors.get(one[2:], ()), msgspec.structs.replace(meaning, code=one))
    return vendors


def _compile_replies(source: Source, reasons: dict[str, Reason]) -> dict[str, tuple[Reply, ...]]:
    replies = {}
    nested = source.nested("reply", "use")
    once([entry for entry, _ in nested], "code")
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
                    use.choice("fault", FAULTS, ""),
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
    once(entries, "name")
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
    once(entries, "name")
    for entry in entries:
        yield from read_phrases(entry, source.stem, language, reasons)
    list(read_samples(source, reasons))
    top.taken.update(("bearings", "notice", "phrase", "sample"))
    top.done()


def _compile_provider(source: Source, reasons: dict[str, Reason]) -> Provider:
    list(read_samples(source, reasons))
    return read_provider(source.top(), source.stem, source.tables("token"), reasons)


def _compile_blocklists(source: Source) -> tuple[Blocklist, ...]:
    entries = source.tables("blocklist")
    once(entries, "name")
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
