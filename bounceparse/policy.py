"""A policy: how many failures of which reason end in suppression, within what time, for how long and where. Loads and checks its TOML file.

The rule that keeps this file honest: a policy can only count what is the recipient's fault, the network row, complaints and unsubscribe requests;
a line that counts anything else does not load. What was counted is compared with the lines in `decide` alone.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from bounceparse import tables
from bounceparse.model import ProofLevel, Scope
from bounceparse.tables import Reason, load_tables
from bounceparse.tables.toml import Source, Table

if TYPE_CHECKING:
    from pathlib import Path

PRESETS: Final = ("default", "gentle", "strict", "mailman", "mailchimp", "ses", "bouncemail")
NETWORK: Final = frozenset({"network_error", "system_error", "expired"})
"""Reasons that are nobody's fault and may end in suppression all the same, when they go on for long enough."""
EVENTS: Final = ("feedback_complaint", "unsubscribe")
"""What a person asked for: counted without any fault. A request to unsubscribe is a kind of message, and stands for a reason here."""

_SCOPES: Final[tuple[Scope, ...]] = ("everywhere", "list", "sender", "domain")
_OF_DOMAINS: Final = frozenset({"domain_unknown", "null_mx"})
_LEVELS: Final = ("auto", "claimed", "matched", "proven")
_SPAN: Final = re.compile(r"(\d{1,5}) ?([hdw])")
_HOURS: Final = {"h": 1, "d": 24, "w": 168}
_LONGEST: Final = timedelta(days=36_500)
_NEVER: Final = timedelta()


class Line(Struct, frozen=True):
    """One line of a policy: when these reasons end in suppression."""

    name: str
    reasons: tuple[str, ...]
    strikes: int  # 0: never
    days: int = 1  # distinct days (UTC) on which the strikes have to fall
    within: timedelta = _NEVER  # only strikes that are no older count; zero: however old
    apart: timedelta = _NEVER  # the first and the last strike have to be that far apart
    expires: timedelta = _NEVER  # how long the suppression holds; zero: for good
    scope: Scope = "everywhere"
    proof: ProofLevel | Literal["auto"] = "auto"
    said: tuple[str, ...] = ()  # counts only where the reply says one of these, squeezed; (): whatever it says


class Storm(Struct, frozen=True):
    """When more of a domain's addresses would be suppressed at once than is likely, it is the domain's trouble and not theirs."""

    least: int = 20
    share: float = 0.05  # of the addresses of the domain that are known
    within: timedelta = timedelta(hours=24)

    def breaks(self, failing: int, known: int) -> bool:
        """Say whether so many failing addresses of a domain with so many known ones are a storm."""
        return failing > max(self.least, self.share * known)


class Policy(Struct, frozen=True):
    """What to do with an address after its failures; load one with `Policy.preset(name)` or `Policy.load(path)`."""

    name: str
    title: str
    lines: tuple[Line, ...]
    stale: timedelta = timedelta(days=30)  # strikes count no longer when that much time passed without another; zero: always
    proof: ProofLevel | Literal["auto"] = "auto"  # auto: `proven` where signed return paths are in use, else `claimed`
    storm: Storm = Storm()

    @staticmethod
    def load(path: str | Path) -> Policy:
        """Return the policy of a TOML file.

        The file holds `[line.NAME]` tables in the shape of the presets in `data/policies`; with `base = "default"` it begins with the lines of that
        preset: what a `[line.NAME]` of the same name does not say stays, and other lines take their reasons over. Raises `tables.TableError` with
        file, line, what is wrong and how to mend it, OSError when the file cannot be read.
        """
        return _read(Source(str(path)))

    @staticmethod
    def preset(name: str) -> Policy:
        """Return a built-in policy: default, gentle, strict, mailman, mailchimp, ses or bouncemail. Raises ValueError for any other name."""
        return _preset(name)

    def line_of(self, reason: str) -> Line | None:
        """Return the line that counts a reason, None when it never ends in suppression."""
        for line in self.lines:
            if reason in line.reasons:
                return line
        return None


@cache
def _preset(name: str) -> Policy:
    if name not in PRESETS:
        raise ValueError(f"there is no policy {name!r}; use one of {', '.join(PRESETS)}, or load a file")
    return _read(Source(f"{tables.__path__[0]}/../data/policies/{name}.toml", f"policies/{name}.toml"))


def _read(source: Source) -> Policy:
    reasons = load_tables().reasons
    top = source.top()
    base = top.choice("base", PRESETS, "")
    given = _preset(base) if base else Policy("", "", ())
    known = {line.name: line for line in given.lines}
    lines = [_read_line(table, name, reasons, known.get(name)) for name, table in _line_tables(source, top)]
    owners: dict[str, str] = {}
    for line in lines:
        for reason in line.reasons:
            if reason in owners:
                at = Table(source, {}, "", source.line_of(f"[line.{line.name}]"))
                raise at.error(f"{reason} is counted by line {owners[reason]} already", f"name it in one of {owners[reason]} and {line.name}", reason)
            owners[reason] = line.name
    names = {line.name for line in lines}
    for line in given.lines:
        rest = tuple(reason for reason in line.reasons if reason not in owners)
        if rest and line.name not in names:
            lines.append(replace(line, reasons=rest))
    policy = Policy(
        top.text("name") if "name" in top.values else source.stem,
        top.text("title", given.title),
        tuple(lines),
        _span(top, "stale", given.stale),
        top.choice("proof", _LEVELS, given.proof),
        _read_storm(top, given.storm),
    )
    top.taken |= {"line", "name"}
    top.done()
    if not policy.lines:
        raise top.error("the policy has no line", 'add a [line.NAME] table, or base = "default"')
    return policy


def _line_tables(source: Source, top: Table) -> list[tuple[str, Table]]:
    group = top.inner("line")
    found = []
    for name, values in group.values.items():
        head = source.line_of(f"[line.{name}]", 1)
        if not isinstance(values, dict):
            raise group.error(f"line.{name} is not a table", f"write it as [line.{name}]", name)
        if not re.fullmatch(r"[a-z0-9_-]{1,40}", name):
            raise Table(source, {}, "", head).error(f"the name {name!r} has other than a-z, 0-9, - and _", "name it after its reason")
        found.append((name, Table(source, values, f"[line.{name}]", head)))
    return found


def _read_line(table: Table, name: str, reasons: dict[str, Reason], given: Line | None) -> Line:
    """Return a line; what it does not say is that of `given`, the line of the base with the same name."""
    named = table.texts("reasons") or (given.reasons if given is not None else (name,) if name in reasons or name in EVENTS else ())
    if not named:
        raise table.error(f"{table.what} names no reason", 'add reasons = ["…"]')
    for reason in named:
        if reason in EVENTS:
            continue
        if reason not in reasons:
            raise table.unknown_reason(reason, {**reasons, **dict.fromkeys(EVENTS, reasons["delivered"])})
        fault = reasons[reason].fault
        if fault != "recipient" and reason not in NETWORK and reason != "syntax":
            blamed = "nobody's" if fault == "unknown" else f"the {fault}'s"
            raise table.error(
                f"{reason} is {blamed} fault, and only the recipient's may end in suppression", "take it out of the line", f'"{reason}"'
            )
    if given is None:
        if "strikes" not in table.values:
            raise table.error(f"{table.what} has no strikes", "add strikes = 1, or 0 for never")
        given = Line(name, named, 1)
    line = Line(
        name,
        tuple(dict.fromkeys(named)),
        _count(table, "strikes", 0, given.strikes),
        _count(table, "days", 1, given.days),
        _span(table, "within", given.within),
        _span(table, "apart", given.apart),
        _span(table, "expires", given.expires),
        table.choice("scope", _SCOPES, given.scope),
        table.choice("proof", _LEVELS, given.proof),
        table.literals("said") or given.said,
    )
    table.done()
    _check_reach(table, line)
    return line


def _check_reach(table: Table, line: Line) -> None:
    """Raise when a line could never be reached, or would reach too far."""
    if not line.strikes:
        return
    if line.scope == "domain" and not _OF_DOMAINS.issuperset(line.reasons):
        raise table.error("what one address does says nothing about its domain", 'keep scope = "domain" for domain_unknown and null_mx', "scope")
    if line.days > line.strikes:
        raise table.error(f"{line.strikes} strikes cannot fall on {line.days} days", f"write days = {line.strikes}, or more strikes", "days")
    if line.within and (timedelta(days=line.strikes - 2) >= line.within or line.apart > line.within):
        raise table.error(f"{line.strikes} strikes, one a day at most, never fall within {_told(line.within)}", "make the time longer", "within")
    if line.apart and line.strikes < 2:
        raise table.error("a single strike is not apart from anything", "take apart away, or write strikes = 2", "apart")


def _read_storm(top: Table, given: Storm) -> Storm:
    table = top.inner("storm")
    least = _count(table, "least", 1, given.least)
    table.taken.add("share")
    share = table.values.get("share", given.share)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise table.error(f"share of {table.what} is {share!r}", "write a part of one, such as 0.05 for 5 %", "share")
    within = _span(table, "within", given.within)
    table.done()
    return Storm(least, float(share), within)


def _count(table: Table, key: str, least: int, default: int = 1) -> int:
    number = table.number(key) if key in table.values else default
    if not least <= number <= 1_000_000:
        raise table.error(f"{key} of {table.what} is {number}", f"write a whole number from {least}", key)
    return number


def _span(table: Table, key: str, default: timedelta) -> timedelta:
    """Return a span of time: "24h", "30d", "2w", or zero for "never"."""
    table.taken.add(key)
    if key not in table.values:
        return default
    value = table.values[key]
    if value == "never":
        return _NEVER
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    span = timedelta(hours=int(match[1]) * _HOURS[match[2]]) if match is not None else _NEVER
    if not _NEVER < span <= _LONGEST:
        raise table.error(f"{key} of {table.what} is {value!r}", f'write hours, days or weeks, such as {key} = "30d", or "never"', key)
    return span


def _told(span: timedelta) -> str:
    return f"{span.days} days" if span.days > 1 else f"{span // timedelta(hours=1)} hours"
