"""stats: what a pile of mail or records comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

import click
import msgspec
from msgspec import Struct

from bounceparse.cli.counting import Providers, count_all
from bounceparse.cli.options import FILE, Words, build_engine, format_option, input_options, output_option, select_options
from bounceparse.cli.reading import check_paths, plural, selection
from bounceparse.cli.sink import Sink, open_sink
from bounceparse.cli.state import state_of
from bounceparse.output.csv import cell, lines
from bounceparse.output.summary import share
from bounceparse.output.terminal import BOUNCE_TONE, Terminal, columns, fit, show
from bounceparse.record import Record

if TYPE_CHECKING:
    pass

BY: Final = ("reason", "bounce", "fault", "provider", "domain", "status", "day", "kind", "certainty", "dialect", "reply_code", "rule")
USUAL: Final = ("reason", "fault", "provider", "domain")
SHOWN: Final = 12  # rows of one table; the rest is one line, unless --top says otherwise
NAME: Final = 34  # columns of the longest name
BAR: Final = 24  # columns of the longest bar

FAILED: Final = {"hard": "hard", "soft": "soft", "delay": "delayed", "none": "without failure"}
_DATED: Final = ("day",)


@click.command()
@click.argument("paths", nargs=-1, type=FILE, metavar="[PATH…|-]")
@click.option("--by", multiple=True, type=Words(BY), metavar="|".join(BY[:7]), help=f"What to count by; repeatable. Also {', '.join(BY[7:])}.")
@click.option("--top", type=click.IntRange(1), default=SHOWN, show_default=True, help="Rows of each table on a terminal.")
@input_options
@select_options
@format_option
@output_option
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    by: tuple[tuple[str, ...], ...],
    top: int,
    recurse: bool,
    jobs: int | Literal["auto"],
    rules: tuple[str, ...],
    headers: tuple[str, ...],
    only: tuple[str, ...] | None,
    since: str | None,
    until: str | None,
    format: str,
    output: str | None,
) -> None:
    """Count recipients by reason and more. PATH holds mail, or records that `parse -f jsonl` wrote.

    What failed is counted: bounces and delays. For complaints, automatic replies and the rest use --by kind, or --only.
    """
    state = state_of(ctx)
    paths = check_paths(paths, recurse, ctx)
    engine = build_engine(rules)
    select = selection(only, since, until)
    wanted = tuple(dict.fromkeys(name for group in by for name in group)) or USUAL
    count = Count(wanted, Providers(engine.tables), bool(only))
    ending = count_all(state, paths, select, engine, recurse, jobs, count.add)
    with open_sink(output, state.no_colour) as sink:
        _write(format, sink, count, wanted, top)
    ctx.exit(ending.code())


class Count:
    """The numbers."""

    def __init__(self, by: tuple[str, ...], providers: Providers, everything: bool) -> None:
        self.recipients = 0
        self.kinds: Counter[str] = Counter()
        self.bounces: Counter[str] = Counter()
        self.by: dict[str, Counter[str]] = {name: Counter() for name in by}
        self._providers = providers
        self._everything = everything

    def add(self, row: Record) -> None:
        self.recipients += 1
        self.kinds[row.kind] += 1
        failed = row.kind in ("bounce", "delay")
        if failed:
            self.bounces["delay" if row.kind == "delay" else row.bounce] += 1
        for name, counter in self.by.items():
            if failed or self._everything or name == "kind":
                counter[self.value(row, name)] += 1

    def value(self, row: Record, name: str) -> str:
        """Return what `row` is counted under."""
        if name == "domain":
            return row.recipient.rpartition("@")[2].lower()
        if name == "day":
            return row.arrived[:10]
        if name == "provider":
            return self._providers.of(row)
        found: str = getattr(row, name)
        return found

    def ranked(self, name: str) -> list[tuple[str, int]]:
        """Return names and counts, most first; days in their order."""
        items = self.by[name].items()
        return sorted(items) if name in _DATED else sorted(items, key=lambda item: (-item[1], item[0]))


class Row(Struct, frozen=True):
    """One line of the data."""

    by: str
    value: str
    count: int
    share: float


def _write(format: str, sink: Sink, count: Count, by: tuple[str, ...], top: int) -> None:
    if format == "auto":
        format = "table" if sink.terminal.width else "jsonl"
    if format == "table":
        sink.frame("".join(f"{line.rstrip()}\n" for line in _tables(sink.terminal, count, by, top)).encode(errors="replace"))
        return
    rows = [Row(name, value, number, round(number / count.by[name].total(), 4)) for name in by for value, number in count.ranked(name)]
    if format == "csv":
        sink.frame(lines([["by", "value", "count", "share"], *([cell(row.by), cell(row.value), row.count, row.share] for row in rows)]))
    elif format == "json":
        sink.frame(msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")
    else:
        sink.frame(msgspec.json.Encoder().encode_lines(rows))


def _tables(terminal: Terminal, count: Count, by: tuple[str, ...], top: int) -> Iterator[str]:
    kinds = ", ".join(f"{number:,} {plural(word, number)}" for word, number in count.kinds.most_common())
    first, *more = terminal.wrap(f"{count.recipients:,} {'record' if count.recipients == 1 else 'records'}: {kinds or 'none wanted'}", 2, 0)
    yield terminal.paint(first, "bold")
    yield from more
    failed = count.bounces.total()
    shares = [(word, title) for word, title in FAILED.items() if count.bounces[word]]
    if shares:
        parts = [
            terminal.paint(f"{count.bounces[word]:,} {title} ({share(count.bounces[word], failed)})", BOUNCE_TONE[word]) for word, title in shares
        ]
        yield f"of what failed {', '.join(parts)}"
    for name in by:
        yield from _table(terminal, name, count.ranked(name), top)


def _table(terminal: Terminal, name: str, ranked: list[tuple[str, int]], top: int) -> Iterator[str]:
    total = sum(number for _, number in ranked)
    if not total:
        return
    kept = ranked[-top:] if name in _DATED else ranked[:top]
    rest = total - sum(number for _, number in kept)
    most = max(number for _, number in kept)
    width = min(NAME, max(columns(show(value)) for value, _ in [*kept, (name, 0), ("(not said)", 0)]))
    yield ""
    yield terminal.paint(f"  {fit(name.replace('_', ' '), width)}  {'count':>9}  share", "bold")
    for value, number in kept:
        bar = "█" * (number * BAR // most) if number * BAR // most else "▏"
        yield f"  {fit(show(value) or '(not said)', width)}  {number:>9,}  {share(number, total):>5}  {terminal.paint(bar, 'dim')}"
    if rest:
        yield terminal.paint(f"  {fit(f'{len(ranked) - len(kept):,} more', width)}  {rest:>9,}  {share(rest, total):>5}", "dim")
