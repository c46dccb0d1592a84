"""parse: messages in, records out."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal

import click
from msgspec.structs import replace

from bounceparse.batch import Bounds, ChangedError, run, run_from
from bounceparse.cli.exits import BAD_CONFIG, USAGE, Stop
from bounceparse.cli.files import check_free
from bounceparse.cli.options import (
    FILE,
    PARQUET,
    SISIMAI,
    batch_options,
    build_engine,
    find_vocabulary,
    input_options,
    open_verp,
    parse_options,
    proof_options,
    select_options,
)
from bounceparse.cli.progress import Progress, megabytes
from bounceparse.cli.quarantine import Quarantine
from bounceparse.cli.reading import Ending, Render, Rendered, check_paths, plural, selection
from bounceparse.cli.resume import Resumed, resumed
from bounceparse.cli.sink import Sink, open_parquet, open_sink, parquet_to
from bounceparse.cli.state import State, state_of
from bounceparse.intake import Failure
from bounceparse.output import Writer
from bounceparse.output.table import Table

if TYPE_CHECKING:
    from bounceparse.tables import Tables, Vocabulary


@click.command()
@click.argument("paths", nargs=-1, type=FILE, metavar="[PATH…|-]")
@input_options
@proof_options
@parse_options
@select_options
@batch_options
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    recurse: bool,
    jobs: int | Literal["auto"],
    rules: tuple[str, ...],
    headers: tuple[str, ...],
    verp: str | None,
    secret_file: str | None,
    format: str,
    output: str | None,
    fields: tuple[str, ...] | None,
    vocabulary: str | None,
    only: tuple[str, ...] | None,
    since: str | None,
    until: str | None,
    partition_by: tuple[str, ...] | None,
    unordered: bool,
    resume: str | None,
    quarantine: str | None,
    timeout: float | None,
    summary: bool,
) -> None:
    """Read messages and write a record for each recipient.

    PATH is a file, a Maildir, with -r any directory, a pattern, or - for standard input. Mailboxes, .msg, gzip, bzip2, xz, zst, zip and tar are told
    by their content. Nothing that is read is changed.
    """
    state = state_of(ctx)
    paths = check_paths(paths, recurse, ctx)
    engine = build_engine(rules, headers, open_verp(verp, secret_file, state))
    theirs = find_vocabulary(engine.tables, vocabulary)
    check_format(format, fields, theirs)
    if format == PARQUET:
        check_parquet(output, partition_by)
    elif partition_by:
        raise click.UsageError("--partition-by needs -f parquet")
    place: Resumed | None = None
    if resume:
        if unordered or not output:
            raise click.UsageError("--resume needs a file to write: -o FILE" if not output else "--resume does not go with --unordered")
        said = [recurse, headers, verp, secret_file, format, fields, vocabulary, only, partition_by]
        place = resumed(resume, output, paths, said, rules, since, until)
        since, until = place.noted.since, place.noted.until
        if not place.noted.done and (partition_by or os.path.isdir(output)):  # noqa: PTH112
            check_free(output, for_file=not partition_by)
    if format == SISIMAI:
        from bounceparse.output.sisimai import KINDS

        select = selection(only or KINDS, since, until, named=True)
    else:
        select = selection(only, since, until, theirs)
    tally: Counter[str] = Counter(place.noted.tally if place else ())
    ending = Ending(state, Quarantine(quarantine))
    progress = Progress(state, paths, tally, to_file=bool(output) and output != "-")
    bounds = Bounds(timeout) if timeout else Bounds()
    sink_of: AbstractContextManager[Sink]
    if place is not None:
        ending.read = place.noted.read
        ending.troubles.update(place.noted.troubles)
        sink_of = place.sink()
    elif format == PARQUET:
        sink_of = open_parquet(output, partition_by or (), fields or (), theirs is not None)
    else:
        sink_of = open_sink(output, state.no_colour)
    with sink_of as sink:
        writer = choose_writer(format, sink, fields or (), engine.tables, theirs)
        as_table = isinstance(writer, Table)
        if isinstance(writer, Table) and len(paths) == 1 and os.path.isdir(paths[0]):  # noqa: PTH112
            writer = replace(writer, base=f"{paths[0].rstrip('/')}/")
        step = Render(select, writer, as_table or summary or progress.wanted or place is not None)
        take = Take(sink, ending, tally)
        sink.join = writer.join
        told = progress.update if progress.wanted or summary else None
        try:
            if place is None:
                sink.frame(writer.head)
                apart = bool(quarantine or timeout)
                for outcome in run(
                    paths, step, engine=engine, recurse=recurse, jobs=jobs, ordered=not unordered, bounds=bounds, apart=apart, on_progress=told
                ):
                    take(outcome)
            elif not place.noted.done:
                if not place.begun:
                    sink.frame(writer.head)
                for outcomes, behind in run_from(
                    place.noted.place, paths, step, engine=engine, recurse=recurse, jobs=jobs, bounds=bounds, on_progress=told
                ):
                    for outcome in outcomes:
                        take(outcome)
                    place.come(sink, behind, ending.read, ending.troubles, tally)
        except ChangedError:
            raise Stop(BAD_CONFIG, f"the input was changed since the checkpoint {resume}; remove it to begin anew") from None
        finally:
            state.clear()
            if place is None:
                sink.frame(writer.tail)
        if place is not None and not place.noted.done:
            sink.frame(writer.tail)
            place.come(sink, None, ending.read, ending.troubles, tally)
        sink.flush()
        if as_table and not summary:
            summarise(state, ending.read, tally)
    if place is not None:
        if format == PARQUET and not place.is_put(bool(partition_by)):
            from bounceparse.output.parquet import convert

            with place.finished() as lines, parquet_to(output, partition_by or (), fields or (), theirs is not None) as columns:
                convert(lines, columns)
        elif format != PARQUET:
            place.put()
        place.end()
    if summary:
        sum_up(state, ending, progress, tally)
    ctx.exit(ending.code())


class Take:
    """Takes what was made of each message: writes it, counts it, or tells why there is nothing."""

    def __init__(self, sink: Sink, ending: Ending, tally: Counter[str]) -> None:
        self._sink = sink
        self._ending = ending
        self._tally = tally

    def __call__(self, outcome: bytes | Rendered | Failure) -> None:
        if isinstance(outcome, Failure):
            self._ending.failed(outcome)
            return
        self._ending.read += 1
        if isinstance(outcome, Rendered):
            self._tally.update(outcome.words)
            outcome = outcome.data
        self._sink.write(outcome)


def check_parquet(output: str | None, by: tuple[str, ...] | None) -> None:
    """Raise an error where Parquet cannot be written."""
    if by and (output is None or output == "-"):
        raise click.UsageError("--partition-by needs a folder to write: -o DIR")
    if (output is None or output == "-") and sys.stdout.isatty():
        raise click.UsageError("-f parquet is not for a terminal; name a file with -o")
    from bounceparse.output import parquet

    try:
        parquet.check_parquet()
    except ImportError as error:
        raise Stop(USAGE, str(error)) from None


def check_format(format: str, fields: tuple[str, ...] | None, vocabulary: Vocabulary | None) -> None:
    """Raise a usage error where -f sisimai, which has fields and words of its own, stands beside others."""
    if format == SISIMAI and fields:
        raise click.UsageError("--fields does not go with -f sisimai, which has fields of its own")
    if format == SISIMAI and vocabulary is not None and vocabulary.name != SISIMAI:
        raise click.UsageError(f"--vocabulary {vocabulary.name} does not go with -f sisimai, which has words of its own")


def choose_writer(format: str, sink: Sink, fields: tuple[str, ...], tables: Tables, vocabulary: Vocabulary | None) -> Writer:
    """Return the writer for -f: a table on a terminal and JSON lines elsewhere where nothing is said."""
    if format == SISIMAI:
        from bounceparse.output.sisimai import Sisimai

        return Sisimai(tables.vocabularies[SISIMAI])
    if format == "auto":
        format = "table" if sink.terminal.width else "jsonl"
    if format == "table":
        return Table(sink.terminal, fields) if fields else Table(sink.terminal)
    if format == "csv":
        from bounceparse.output.csv import Csv
        from bounceparse.output.fields import FLAT

        return Csv(fields or (FLAT if vocabulary is None else (*FLAT, "bounceparse_reason")))
    if format == PARQUET:
        fields = ()  # they are chosen where the columns are written
    if format == "json":
        from bounceparse.output.json import JsonArray

        return JsonArray(fields)
    from bounceparse.output.jsonl import JsonLines

    return JsonLines(fields)


def summarise(state: State, messages: int, tally: Counter[str]) -> None:
    """Say below a table what it comes to."""
    if messages > 1:
        parts = ", ".join(f"{number:,} {plural(word, number)}" for word, number in sorted(tally.items(), key=lambda item: (-item[1], item[0])))
        state.remark(f"{messages:,} messages: {parts or 'none of them wanted'}")


def sum_up(state: State, ending: Ending, progress: Progress, tally: Counter[str]) -> None:
    """Say what --summary asks for."""
    took = progress.seconds
    state.say(f"{ending.read:,} messages, {megabytes(progress.bytes)}, {took:.1f} s, {progress.messages / took:,.0f}/s")
    for word, number in sorted(tally.items(), key=lambda item: (-item[1], item[0])):
        state.say(f"{number:>9,} {plural(word, number)}")
    unread = sum(ending.troubles.values())
    if unread:
        state.say(f"{unread:>9,} not read" + (f", {ending.quarantine.count:,} of them kept" if ending.quarantine.count else ""))


__all__ = ["command"]
