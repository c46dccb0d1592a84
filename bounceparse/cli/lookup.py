"""Codes and rules in words, from the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from msgspec import Struct

from bounceparse.tables import Blocklist, Dialect, Phrase, Reply, SystemResult, Tables, Token
from bounceparse.text import squeeze

SYSTEMS: Final = {"winsock": "Winsock error", "win32": "Windows error", "errno": "error number", "exit": "exit status", "dns": "resolver result"}

LANGUAGES: Final = {
    "ar": "Arabic", "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "et": "Estonian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_MANY: Final = {"winsock": "Winsock errors", "win32": "Windows errors", "errno": "error numbers", "exit": "exit statuses", "dns": "resolver results"}
ACTIONS: Final = frozenset(("failed", "delayed", "delivered", "relayed", "expanded"))
WORDS: Final = 4  # words of a meaning that are named where all meanings of a code are told


class Entry(Struct, frozen=True):
    """One line of a table, in words. `facts` are labels with what they say, in the order to show them."""

    id: str
    table: str
    title: str
    reason: str
    facts: tuple[tuple[str, str], ...] = ()


def facts(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the pairs that say something."""
    return tuple(pair for pair in pairs if pair[1])


def status_title(tables: Tables, code: str) -> str:
    """Return an enhanced status code in words, "" when it is no code."""
    digit, _, detail = code.partition(".")
    if digit not in tables.classes or not detail:
        return ""
    subject = tables.subjects.get(detail.partition(".")[0], "an unregistered subject")
    known = tables.statuses.get(detail)
    return f"{tables.classes[digit]}, {subject}: {known.title if known else 'a detail that is not registered'}"


def reply_title(tables: Tables, code: str, phase: str = "", reason: str = "") -> str:
    """Return what a reply code means, in the phase and for the reason where those are told apart; "" when it is not in the table."""
    meanings = tables.replies.get(code, ())
    if not meanings:
        return ""
    for fits in (
        [meaning for meaning in meanings if meaning.reason == reason and (not meaning.phases or phase in ("", *meaning.phases))],
        [meaning for meaning in meanings if phase and phase in meaning.phases and not meaning.words],
    ):
        if fits and fits[0].meaning:
            return fits[0].meaning[:1].lower() + fits[0].meaning[1:].rstrip(".")
    return meanings[0].title


def statuses(tables: Tables) -> Iterator[Entry]:
    """Yield every enhanced status code of the registry, and what some services mean by it."""
    for detail, status in tables.statuses.items():
        others = "; ".join(f"{vendor.vendor} {vendor.code}: {vendor.title} → {vendor.reason}" for vendor in tables.vendors.get(detail, ()))
        reasons = ", ".join(facts_of_class(status.reason, status.reason_4, status.reason_5))
        yield Entry(
            f"X.{detail}",
            "enhanced status code",
            f"{tables.subjects.get(detail.partition('.')[0], '')}: {status.title}",
            reasons,
            facts(("trust", status.confidence), ("fault", status.fault), ("note", status.note), ("others", others), ("source", status.source)),
        )


def facts_of_class(reason: str, four: str, five: str) -> list[str]:
    """Return the reasons of a status code, with their class where they differ."""
    return [reason, *([f"4.x {four}"] if four else []), *([f"5.x {five}"] if five else [])]


def replies(tables: Tables) -> Iterator[Entry]:
    """Yield every meaning of every reply code."""
    for code, meanings in tables.replies.items():
        for meaning in meanings:
            yield reply_entry(code, meaning)


def reply_entry(code: str, meaning: Reply) -> Entry:
    words = ", ".join(f'"{word.strip()}"' for word in meaning.words)
    return Entry(
        code,
        "reply code",
        meaning.meaning or meaning.title,
        meaning.reason,
        facts(("of", meaning.title), ("phase", ", ".join(meaning.phases)), ("words", words), ("fault", meaning.fault), ("source", meaning.source)),
    )


def systems(tables: Tables) -> Iterator[Entry]:
    """Yield every error number, exit status and resolver result."""
    for result in tables.system.values():
        yield system_entry(result)


def system_entry(result: SystemResult) -> Entry:
    number = str(result.number) if result.number else ""
    return Entry(
        result.id,
        SYSTEMS.get(result.id.partition(":")[0], "system result"),
        f"{result.name}: {result.meaning}",
        result.reason,
        facts(("number", number), ("status", result.status), ("source", result.source)),
    )


def reasons(tables: Tables) -> Iterator[Entry]:
    """Yield every reason."""
    for reason in tables.reasons.values():
        yield Entry(
            reason.name,
            "reason",
            reason.meaning,
            reason.name,
            facts(
                ("bounce", reason.bounce.replace("by_class", "hard when final")),
                ("fault", reason.fault),
                ("remedy", reason.remedy),
                ("elsewhere", ", ".join(f"{vocabulary.name} {vocabulary.labels[reason.name]}" for vocabulary in tables.vocabularies.values())),
                ("source", reason.source),
            ),
        )


def labels(tables: Tables) -> Iterator[Entry]:
    """Yield every name that another system has for a reason."""
    for vocabulary in tables.vocabularies.values():
        for label, reason in vocabulary.reasons.items():
            covers = sorted(name for name, theirs in vocabulary.labels.items() if theirs == label and name != reason)
            told = facts(("also for", ", ".join(covers)), ("source", vocabulary.source))
            yield Entry(f"{vocabulary.name}:{label}", vocabulary.title, f"{label}: {tables.reasons[reason].meaning}", reason, told)


def reply_code(code: str, meanings: tuple[Reply, ...]) -> Entry:
    """Return all meanings of one reply code as one entry."""
    usual = next((meaning for meaning in meanings if meaning.default), meanings[0])
    told = []
    for meaning in sorted(meanings, key=lambda meaning: bool(meaning.words)):
        words = ", ".join(f"“{word.strip()}”" for word in meaning.words[:WORDS]) + (" …" if len(meaning.words) > WORDS else "")
        label = "with" if words else ", ".join(meaning.phases) or "else"
        told.append((label, f"{words + ': ' if words else ''}{meaning.meaning.rstrip('.')} → {meaning.reason}"))
    return Entry(code, "reply code", usual.title, usual.reason, facts(*told, ("source", usual.source)))


def phrase_entry(group: list[Phrase]) -> Entry:
    """Return the wordings of one phrase as one entry."""
    phrase = group[0]
    kind = "dialect" if phrase.dialect else "phrase"
    where = f"{phrase.file}:{phrase.line}" if phrase.file else ""
    limits = ", ".join(
        [
            *([f"only {phrase.reply_class}xx"] if phrase.reply_class else []),
            *([f"only at {', '.join(phrase.phases)}"] if phrase.phases else []),
            *([f"only from {phrase.provider}"] if phrase.provider else []),
            *(["only where nothing stronger speaks"] if phrase.weak else []),
            *(["will pass: never hard"] if phrase.temporary else []),
        ]
    )
    return Entry(
        f"{kind}:{phrase.id}",
        "your own words" if phrase.own else "words of one mail server" if phrase.dialect else "the words",
        "; ".join(one.text for one in group),
        phrase.reason,
        facts(("limits", limits), ("fault", phrase.fault), ("where", where), ("source", phrase.source)),
    )


def token_entry(token: Token) -> Entry:
    return Entry(
        f"provider:{token.id}",
        f"mark of {token.provider}",
        f"{token.text}: {token.meaning}" if token.meaning else token.text,
        token.reason,
        facts(("fault", token.fault), ("where", f"{token.file}:{token.line}" if token.file else ""), ("source", token.source)),
    )


def blocklist_entry(listed: Blocklist) -> Entry:
    return Entry(
        f"blocklist:{listed.name}",
        "blocklist",
        listed.title,
        "spam" if listed.lists == ("url",) else "blocklisted",
        facts(("lists", ", ".join(listed.lists)), ("zones", ", ".join(listed.zones)), ("look up", listed.lookup), ("source", listed.source)),
    )


def _phrases(phrases: tuple[Phrase, ...]) -> Iterator[Entry]:
    for _, group in groupby(phrases, key=lambda phrase: phrase.id):
        yield phrase_entry(list(group))


def rules(tables: Tables) -> Iterator[Entry]:
    """Yield every rule that may speak, in the order of belief: provider marks, words, codes."""
    for provider in tables.providers:
        yield from map(token_entry, provider.tokens)
    for dialect in tables.dialects:
        yield from _phrases(dialect.reasons)
    yield from _phrases(tables.phrases)
    yield from map(blocklist_entry, tables.blocklists)
    for entry in statuses(tables):
        yield Entry(f"status:{entry.id}", entry.table, entry.title, entry.reason, entry.facts)
    for entry in systems(tables):
        yield Entry(f"system:{entry.id.replace(':', '/')}", entry.table, entry.title, entry.reason, entry.facts)
    for entry in replies(tables):
        phases = dict(entry.facts).get("phase", "").lower().replace(", ", "+") or "any"
        yield Entry(f"reply:{entry.id}@{phases}", entry.table, entry.title, entry.reason, entry.facts)


def is_own(dialect: Dialect) -> bool:
    """Say whether a dialect is the user's."""
    return not dialect.file.startswith("bounceparse/dialects/")


class Counted(Struct, frozen=True):
    """How many rules there are of one sort."""

    rules: str
    of: str
    count: int


def count_rules(tables: Tables) -> list[Counted]:
    """Return the number of rules of each sort: dialects, wordings by language, provider marks, codes."""
    languages = Counter(phrase.language for phrase in tables.phrases if not phrase.own)
    systems = Counter(name.partition(":")[0] for name in tables.system)
    marks = [(provider.title, [token for token in provider.tokens if not token.own]) for provider in tables.providers]
    counted = [
        Counted("dialects", "mail servers and services", sum(not is_own(dialect) for dialect in tables.dialects)),
        *(Counted("words", LANGUAGES.get(language, language), number) for language, number in languages.most_common()),
        Counted("words", "of one dialect alone", sum(not phrase.own for dialect in tables.dialects for phrase in dialect.reasons)),
        *(Counted("provider marks", title, len(tokens)) for title, tokens in sorted(marks, key=lambda one: -len(one[1]))),
        Counted("blocklists", "by name and zone", len(tables.blocklists)),
        Counted("codes", "enhanced status codes", len(tables.statuses)),
        Counted("codes", "what services mean by those", sum(map(len, tables.vendors.values()))),
        Counted("codes", "meanings of reply codes", sum(map(len, tables.replies.values()))),
        *(Counted("codes", _MANY[name], number) for name, number in systems.items()),
        Counted("your own", "words", sum(phrase.own for phrase in tables.phrases)),
        Counted("your own", "marks", sum(token.own for provider in tables.providers for token in provider.tokens)),
        Counted("your own", "dialects", sum(map(is_own, tables.dialects))),
    ]
    return [one for one in counted if one.count]


def sum_up(counted: list[Counted]) -> list[tuple[str, int, str]]:
    """Return each sort of rules, how many there are, and of what."""
    return [
        (rules, sum(one.count for one in group), group[0].of if len(group) == 1 else ", ".join(f"{one.of} {one.count:,}" for one in group))
        for rules, group in ((rules, list(group)) for rules, group in groupby(counted, key=lambda one: one.rules))
    ]


def rule_title(tables: Tables, rule: str, text: str) -> str:
    """Return a rule in words: the table it stands in, and what it found in `text`."""
    kind, _, name = rule.partition(":")
    if kind == "status":
        return "the enhanced status code"
    if kind == "reply":
        return "the reply code"
    if kind == "class":
        return "nothing but the class of the code" if name else "nothing to go by"
    if kind == "action":
        return f"the report says {name}" if name in ACTIONS else "what the message is"
    squeezed = squeeze(text)
    phrases = [*tables.phrases, *(phrase for dialect in tables.dialects for phrase in dialect.reasons)]
    named = [phrase for phrase in phrases if phrase.id == name]
    spoke = [phrase for phrase in named if all(piece in squeezed for piece in phrase.words)] or named
    if spoke:
        longest = max(spoke, key=lambda phrase: len(phrase.text))
        return f"{phrase_entry([longest]).table} “{longest.text}”"
    found = find_rule(tables, rule)
    return f"{found[0].table} “{found[0].title}”" if found else ""


def find_rule(tables: Tables, rule: str) -> list[Entry]:
    """Return what stands under the id of a rule, as a verdict gives it: one entry, or several wordings of one phrase."""
    kind, _, name = rule.partition(":")
    if kind == "status":
        rule = f"status:X.{name.partition('.')[2]}"
    elif kind == "reply":
        code, _, phase = name.partition("@")
        return [
            entry
            for entry in rules(tables)
            if entry.id.startswith(f"reply:{code}@") and (phase in ("", "any") or phase in entry.id.partition("@")[2].split("+"))
        ]
    return [entry for entry in rules(tables) if entry.id == rule]
