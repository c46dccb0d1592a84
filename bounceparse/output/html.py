"""The HTML report: one page that holds all it needs, without scripts and without anything fetched.

Every text that comes from a mail is escaped at one door, `_text`, and masked at one, `_said`.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Final, TypeVar

from bounceparse.output.redact import masked
from bounceparse.output.summary import OTHER, Summary, Tally, share
from bounceparse.tables import Reason

_K = TypeVar("_K")

_OUTCOMES: Final = {"hard": "hard", "soft": "soft", "delay": "delayed", "none": "no failure"}
_KINDS: Final = {
    "complaint": "complaints", "auto_reply": "automatic replies", "challenge": "challenges", "unsubscribe": "unsubscribe requests",
    "disposition": "read receipts", "delivered": "success reports", "not_bounce": "other mail",
}  # fmt: skip
_FAULTS: Final = {
    "recipient": ("the recipient", "the address or its mailbox: what a list is cleaned of"),
    "sender": ("the sender", "yours to mend: reputation, authentication, rates"),
    "message": ("the message", "yours to mend: content, size, form"),
    "network": ("the way there", "DNS, routes, connections: mostly over by itself"),
    "receiver": ("the receiving server", "theirs: full, down, misconfigured"),
    "unknown": ("nobody named", "the reply does not say"),
}
_ROWS: Final = 20  # of one table; the rest is one line
_CELLS: Final = 9  # columns of the grid
_BARS: Final = 92  # days of the chart; of a longer time it shows months
_EXAMPLE: Final = 240  # characters

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#5b6570;--line:#d9dee4;--soft-bg:#f4f6f8;--paper:#fff;
--hard:#b3261e;--soft:#b26a00;--delay:#1f6f8b;--none:#3a7d44;--bar:#5677a8}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--dim:#9aa5b1;--line:#343b43;--soft-bg:#20262c;--paper:#15191d;
--hard:#ff8a80;--soft:#ffb74d;--delay:#6cc4dd;--none:#81c784;--bar:#8fabd6}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:2rem 1.25rem 4rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.5rem 0 .25rem}p{margin:.25rem 0 .75rem;color:var(--dim)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.75rem;margin:1.5rem 0}
.tile{border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}.tile b{display:block;font-size:1.5rem;line-height:1.2}
.tile span{color:var(--dim);font-size:.85rem}
.hard b,i.hard{color:var(--hard)}.soft b,i.soft{color:var(--soft)}.delay b,i.delay{color:var(--delay)}.none b,i.none{color:var(--none)}
i{font-style:normal}
.wide{overflow-x:auto}.code{white-space:nowrap}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.bar{width:9rem;padding-top:.75rem}td.bar span{display:block;height:.55rem;background:var(--bar);border-radius:2px;min-width:2px}
code{display:block;font:.8rem/1.4 ui-monospace,monospace;color:var(--dim);overflow-wrap:anywhere}small{color:var(--dim);display:block}
.grid td{text-align:right;border:1px solid var(--paper);padding:.3rem .5rem;font-variant-numeric:tabular-nums}
.grid td:first-child,.grid th{text-align:left;border:0;padding-right:.6rem}.grid th{vertical-align:bottom}
svg{display:block;width:100%;height:9rem}.ends{display:flex;min-width:12rem;justify-content:space-between;font-size:.8rem;color:var(--dim)}
rect.hard{fill:var(--hard)}rect.soft{fill:var(--soft)}rect.delay{fill:var(--delay)}rect.none{fill:var(--none)}
.key i{margin-right:1rem}.key i::before{content:"■ "}
footer{margin-top:3rem;color:var(--dim);font-size:.85rem}
@media(max-width:40rem){td.bar{display:none}}
@media print{body{max-width:none;padding:0}h2{break-after:avoid}tr,.tile{break-inside:avoid}}
"""


class Page:
    """Writes a summary as one HTML page. Addresses are masked unless they are to be shown."""

    def __init__(self, summary: Summary, reasons: dict[str, Reason], sources: Sequence[str], show_addresses: bool = False) -> None:
        self._summary = summary
        self._reasons = reasons
        self._sources = sources
        self._show = show_addresses
        self._failed = summary.outcomes.total()

    def render(self) -> bytes:
        """Return the page in UTF-8."""
        summary = self._summary
        parts = [self._head(), self._tiles()]
        if self._failed:
            parts += [self._days(summary.days), self._faults(), self._why(), self._mend(), self._grid(), self._domains(), self._replies()]
            parts += [self._unknown(), self._reporters()]
        parts.append("<footer>Made by bounceparse</footer>\n</html>\n")
        return "\n".join(part for part in parts if part).encode("utf-8", "replace")

    def _head(self) -> str:
        days, records = sorted(self._summary.days), self._summary.kinds.total()
        when = "" if not days else f", {days[0]}" if days[0] == days[-1] else f", {days[0]} to {days[-1]}"
        shown = ", ".join(self._sources[:4]) + (f" and {len(self._sources) - 4:,} more" if len(self._sources) > 4 else "")
        return (
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            f'<meta name="referrer" content="no-referrer">\n<title>Bounces: {self._said(shown)}</title>\n<style>{_STYLE}</style>\n'
            f"<h1>Bounces</h1>\n<p>{records:,} {'record' if records == 1 else 'records'} from {self._said(shown)}{when}</p>"
        )

    def _tiles(self) -> str:
        tiles = [(number, title, key) for key, title in _OUTCOMES.items() if (number := self._summary.outcomes[key])]
        tiles += [(number, title, "") for key, title in _KINDS.items() if (number := self._summary.kinds[key])]
        cells = [
            f'<div class="tile {key}"><b>{number:,}</b><span>{title}'
            f"{_text(f', {share(number, self._failed)} of what failed') if key else ''}</span></div>"
            for number, title, key in tiles
        ]
        return f'<div class="tiles">{"".join(cells)}</div>' if cells else "<p>There was nothing to count.</p>"

    def _days(self, days: dict[str, Counter[str]]) -> str:
        names = _all_days(min(days, default=""), max(days, default=""))
        if len(names) < 2:
            return ""
        unit = "day"
        if len(names) > _BARS:
            unit = "month"
            months: dict[str, Counter[str]] = {name[:7]: Counter() for name in names}
            for day in names:
                months[day[:7]].update(days.get(day, ()))
            days, names = months, list(months)[-_BARS:]
        most = max(days[name].total() for name in names if name in days)
        step = 960 / max(len(names), _BARS // 4)
        bars = []
        for number, name in enumerate(names):
            if name not in days:
                continue
            top = 150.0
            said = ", ".join(f"{days[name][key]:,} {title}" for key, title in _OUTCOMES.items() if days[name][key])
            bars.append(f"<g><title>{_text(name)}: {said}</title>")
            for key in _OUTCOMES:
                height = 140 * days[name][key] / most
                if height:
                    top -= height
                    place = f'x="{(number + 0.1) * step:.1f}" y="{top:.1f}" width="{step * 0.8:.1f}" height="{height:.1f}"'
                    bars.append(f'<rect class="{key}" {place}/>')
            bars.append("</g>")
        key = "".join(f'<i class="{key}">{title}</i>' for key, title in _OUTCOMES.items() if self._summary.outcomes[key])
        return (
            f'<h2>By {unit}</h2>\n<p class="key">{key}</p>\n'
            f'<svg viewBox="0 0 960 150" preserveAspectRatio="none" role="img" aria-label="Failures by {unit}, at most {most:,}">'
            f"{''.join(bars)}</svg>\n"
            f'<div class="ends" style="width:{len(names) * step / 9.6:.0f}%"><span>{_text(names[0])}</span><span>{_text(names[-1])}</span></div>'
        )

    def _faults(self) -> str:
        rows = []
        for fault, number in self._summary.faults.most_common():
            name, meaning = _FAULTS[fault]
            rows.append((f"{name}<small>{meaning}</small>", number))
        return "<h2>Whose side must change</h2>\n" + self._bars(("fault",), rows)

    def _why(self) -> str:
        rows = []
        for name, tally in _most(self._summary.reasons):
            meaning = self._reasons[name].meaning if name in self._reasons else ""
            rows.append((f"<b>{_text(name)}</b><small>{_text(meaning)}</small>{self._example(tally)}", tally.count))
        return "<h2>Reasons</h2>\n" + self._bars(("reason, what it means, and one reply that said so",), rows)

    def _mend(self) -> str:
        found = _most(self._summary.mend)
        if not found:
            return ""
        rows = []
        for (reason, where), tally in islice(found, _ROWS):
            remedy = self._reasons[reason].remedy if reason in self._reasons else ""
            rows.append(f'<tr><td>{_text(reason)}<td>{self._said(where)}<td class="n">{tally.count:,}<td>{_text(remedy)}{self._example(tally)}')
        return "<h2>Yours to mend</h2>\n<p>No subscriber is at fault for these.</p>\n" + _table(
            ("reason", "blocklist or provider", "#count", "what helps, and one reply that said so"), rows, len(found)
        )

    def _grid(self) -> str:
        providers = sorted(self._summary.providers.items(), key=lambda item: (item[0] == OTHER, -item[1].total(), item[0]))[:_ROWS]
        columns = [name for name, _ in _most(self._summary.reasons)][:_CELLS]
        most = max((counts[name] for provider, counts in providers if provider != OTHER for name in columns), default=0) or 1
        rows = []
        for provider, counts in providers:
            cells = "".join(_cell(counts[name], most) for name in columns)
            rows.append(f"<tr><td>{_text(provider)}{cells}<td><b>{counts.total():,}</b>")
        head = "".join(f"<th>{_text(name).replace('_', ' ')}" for name in (*columns, "all"))
        return f'<h2>Providers and reasons</h2>\n<div class="wide"><table class="grid"><tr><th>provider{head}\n{"".join(rows)}</table></div>'

    def _domains(self) -> str:
        found = _most(self._summary.domains)
        rows = [
            f'<tr><td>{_text(name)}<td class="n">{tally.count:,}<td class="n"><i class="hard">{_text(share(tally.hard, tally.count))}</i>'
            f"<td>{_text(tally.first)}<td>{_text(tally.last)}"
            for name, tally in islice(found, _ROWS)
        ]
        return "<h2>Domains</h2>\n" + _table(("domain", "#failures", "#hard", "first", "last"), rows, len(found))

    def _replies(self) -> str:
        found = _most(self._summary.replies)
        rows = [
            f'<tr><td class="code">{_text(f"{code} {status}".strip())}<td>{_text(reason)}<td class="n">{tally.count:,}'
            f'<td class="n">{_text(share(tally.hard, tally.count))}<td>{self._example(tally)}'
            for (code, status, reason), tally in islice(found, _ROWS)
        ]
        return "<h2>Codes, and what was made of them</h2>\n" + _table(("codes", "reason", "#count", "#hard", "one reply"), rows, len(found))

    def _unknown(self) -> str:
        found = _most(self._summary.unknown)
        rows = [f'<tr><td class="n">{tally.count:,}<td>{self._example(tally)}' for _, tally in islice(found, _ROWS)]
        told = "<p>A rule of your own can name them: see <i>bounceparse rules --help</i>.</p>\n"
        return f"<h2>Replies that say nothing known</h2>\n{told}" + _table(("#count", "one of them"), rows, len(found)) if found else ""

    def _reporters(self) -> str:
        certain = ", ".join(f"{_text(word)} {_text(share(number, self._failed))}" for word, number in self._summary.certainty.most_common())
        rows = [(_text(name), number) for name, number in self._summary.reporters.most_common()]
        return f"<h2>Who reported</h2>\n<p>How certain the verdicts are: {certain}.</p>\n" + self._bars(("mail system",), rows)

    def _bars(self, names: tuple[str], rows: Sequence[tuple[str, int]]) -> str:
        most = max(number for _, number in rows)
        lines = [
            f'<tr><td>{cell}<td class="n">{number:,}<td class="n">{_text(share(number, self._failed))}'
            f'<td class="bar"><span style="width:{100 * number / most:.0f}%"></span>'
            for cell, number in rows[:_ROWS]
        ]
        return _table((*names, "#count", "#share", ""), lines, len(rows))

    def _example(self, tally: Tally) -> str:
        return f"<code>{self._said(tally.example[:_EXAMPLE])}</code>" if tally.example else ""

    def _said(self, value: str) -> str:
        return _text(value if self._show else masked(value))


def _text(value: str) -> str:
    """Return a text as HTML shows it: the one door for what mail says."""
    return html.escape(value)


def _all_days(first: str, last: str) -> list[str]:
    """Return every day from one to another, those on which nothing happened too; at most of a century."""
    if not first:
        return []
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    begin = max(begin, end - timedelta(days=36_525))
    return [(begin + timedelta(days=number)).isoformat() for number in range((end - begin).days + 1)]


def _most(tallies: dict[_K, Tally]) -> list[tuple[_K, Tally]]:
    return sorted(tallies.items(), key=lambda item: (-item[1].count, str(item[0])))


def _table(names: Iterable[str], rows: Sequence[str], total: int) -> str:
    """Return a table; columns whose name begins with # hold numbers."""
    head = "".join(f'<th class="n">{name[1:]}' if name[:1] == "#" else f"<th>{name}" for name in names)
    rest = f"<p>and {total - len(rows):,} more</p>" if total > len(rows) else ""
    return f'<div class="wide"><table><tr>{head}\n{chr(10).join(rows)}</table></div>{rest}'


def _cell(number: int, most: int) -> str:
    """Return a cell of the grid, the darker the more."""
    return f'<td style="background:color-mix(in srgb,var(--bar) {min(80, 80 * number // most)}%,var(--soft-bg))">{number:,}' if number else "<td>"
