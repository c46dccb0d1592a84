"""report: a pile of mail or records as one HTML page for people."""

from __future__ import annotations

import sys
from typing import Literal

import click

from bounceparse.cli.counting import Providers, count_all
from bounceparse.cli.options import FILE, build_engine, input_options, output_option, select_options
from bounceparse.cli.reading import check_paths, selection
from bounceparse.cli.sink import open_sink
from bounceparse.cli.state import state_of
from bounceparse.output.html import Page
from bounceparse.output.summary import Summary


@click.command()
@click.argument("paths", nargs=-1, type=FILE, metavar="[PATH…|-]")
@click.option("--show-addresses", is_flag=True, help="Do not mask the addresses in the replies that are shown.")
@input_options
@select_options
@output_option
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    show_addresses: bool,
    recurse: bool,
    jobs: int | Literal["auto"],
    rules: tuple[str, ...],
    headers: tuple[str, ...],
    only: tuple[str, ...] | None,
    since: str | None,
    until: str | None,
    output: str | None,
) -> None:
    """Write an HTML page about what bounced and why. PATH holds mail, or records that `parse -f jsonl` wrote.

    The page holds all it needs: no scripts, nothing is fetched, addresses are masked.

    \b
      bounceparse report bounces.mbox -o report.html
    """
    state = state_of(ctx)
    if output is None and sys.stdout.isatty():
        raise click.UsageError("a page is not for a terminal: name a file with -o, such as -o report.html")
    paths = check_paths(paths, recurse, ctx)
    engine = build_engine(rules)
    select = selection(only, since, until)
    summary = Summary(Providers(engine.tables).of)
    ending = count_all(state, paths, select, engine, recurse, jobs, summary.add)
    code = ending.code()
    if ending.read or not code:  # an empty page is not to take the place of one that says something
        with open_sink(output, state.no_colour) as sink:
            sink.frame(Page(summary, engine.tables.reasons, paths, show_addresses).render())
    ctx.exit(code)
