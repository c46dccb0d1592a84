"""parse: messages in, records out."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Literal

import click
from msgspec.structs import replace

from bounceparse.batch import run
from bounceparse.cli.options import (
    FILE,
    SISIMAI,
    build_engine,
    find_vocabulary,
    input_options,
    open_verp,
    proof_options,
    record_options,
    select_options,
)
from bounceparse.cli.reading import Ending, Render, Select, check_paths, plural, selection
from bounceparse.cli.sink import Sink, open_sink
from bounceparse.cli.state import Progress, State, state_of
from bounceparse.intake import Failure
from bounceparse.output import Writer
from bounceparse.output.table import Table
from bounceparse.record import Record

if TYPE_CHECKING:
    from bounceparse.tables import Tables, Vocabulary


@click.command()
@click.argument("paths", nargs=-1, type=FILE, metavar="[PATH…|-]")
@input_options
@proof_options
@record_options
@select_options
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
) -> None:
    """Read messages and write a record for each recipient.

    PATH is a file, a Maildir, with -r any directory, a pattern, or - for standard input. Mailboxes, .msg, gzip, bzip2, xz, zip and tar are told by
    their content. Nothing that is read is changed.
    """
    state = state_of(ctx)
    paths = check_paths(paths, recurse, ctx)
    engine = build_engine(rules, headers, open_verp(verp, secret_file, state))
    theirs = find_vocabulary(engine.tables, vocabulary)
    check_format(format, fields, theirs)
    if format == SISIMAI:
        from bounceparse.output.sisimai import KINDS

        select = selection(only or KINDS, since, until, named=True)
    else:
        select = selection(only, since, until, theirs)
    ending = Ending(state)
    with open_sink(output, state.no_colour) as sink:
        writer = choose_writer(format, sink, fields or (), engine.tables, theirs)
        sink.join = writer.join
        sink.frame(writer.head)
        progress = Progress(state, paths)
        told = progress.update if progress.wanted else None
        try:
            if isinstance(writer, Table):
                if len(paths) == 1 and os.path.isdir(paths[0]):  # noqa: PTH112
                    writer = replace(writer, base=f"{paths[0].rstrip('/')}/")
                tally: Counter[str] = Counter()
                for rows in run(paths, select.rows, engine=engine, recurse=recurse, jobs=jobs, on_progress=told):
                    if isinstance(rows, Failure):
                        ending.failed(rows)
                        continue
                    ending.read += 1
                    count(rows, tally)
                    sink.write(writer.render(rows))
                sink.flush()
                summarise(state, ending.read, tally)
            else:
                for data in run(paths, Render(select, writer), engine=engine, recurse=recurse, jobs=jobs, on_progress=told):
                    if isinstance(data, Failure):
                        ending.failed(data)
                    else:
                        ending.read += 1
                        sink.write(data)
        finally:
            state.clear()
            sink.frame(writer.tail)
    ctx.exit(ending.code())


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
    if format == "json":
        from bounceparse.output.json import JsonArray

        return JsonArray(fields)
    from bounceparse.output.jsonl import JsonLines

    return JsonLines(fields)


def count(rows: list[Record], tally: Counter[str]) -> None:
    """Count what a summary says."""
    for row in rows:
        tally[row.bounce if row.kind == "bounce" else row.kind] += 1


def summarise(state: State, messages: int, tally: Counter[str]) -> None:
    """Say below a table what it comes to."""
    if messages > 1:
        parts = ", ".join(f"{number:,} {plural(word, number)}" for word, number in sorted(tally.items(), key=lambda item: (-item[1], item[0])))
        state.remark(f"{messages:,} messages: {parts or 'none of them wanted'}")


__all__ = ["Select", "command"]
