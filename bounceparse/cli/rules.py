"""rules: what the program knows, what it makes of its samples, and whether rules of your own are sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from bounceparse.cli import lookup
from bounceparse.cli.exits import BAD_CONFIG, SOME_UNREAD, Stop
from bounceparse.cli.listing import full, write_counts, write_entries
from bounceparse.cli.options import FILE, build_engine, format_option, open_tables, output_option, rules_option
from bounceparse.cli.sink import open_sink
from bounceparse.cli.state import state_of
from bounceparse.nearest import nearest

if TYPE_CHECKING:
    from bounceparse.engine import Engine
    from bounceparse.model import Recipient, Report, Verdict
    from bounceparse.tables import Dialect, Sample

LONG: Final = 70  # characters of a sample that are quoted


@click.group()
def command() -> None:
    """List, show, test and check rules, the built-in ones and your own.

    Own rules are TOML files, read before the built-in ones with --rules FILE:

    \b
    [[phrase]]
    name = "sealed"
    reason = "mailbox_disabled"
    words = ["mailbox is sealed", "user … sealed"]
    \b
    [[sample]]
    text = "550 mailbox is sealed"
    reason = "mailbox_disabled"
    """


@command.command("list")
@click.argument("words", nargs=-1, metavar="[WORD…]")
@click.option("--count", "counts", is_flag=True, help="Only how many there are of each sort, as on a terminal without a WORD.")
@rules_option
@format_option
@output_option
@click.pass_context
def list_rules(ctx: click.Context, words: tuple[str, ...], counts: bool, rules: tuple[str, ...], format: str, output: str | None) -> None:
    """Count the rules: dialects, words by language, marks of providers, codes. With WORDs list those that hold all of them.

    In a pipe, and with -f jsonl, json or csv, all are listed where there is no WORD.
    """
    if counts and words:
        raise click.UsageError("--count takes no words", ctx)
    tables = open_tables(rules)
    wanted = [word.lower() for word in words]
    entries = [*map(dialect_entry, tables.dialects), *lookup.rules(tables)]
    found = [entry for entry in entries if all(word in f"{entry.id} {entry.title} {entry.reason}".lower() for word in wanted)]
    if not found:
        raise Stop(SOME_UNREAD, f"no rule holds {' and '.join(map(repr, words))}")
    with open_sink(output, state_of(ctx).no_colour) as sink:
        table = format == "table" or (format == "auto" and bool(sink.terminal.width))
        if counts or (table and not words):
            write_counts(format, sink, lookup.count_rules(tables))
        else:
            write_entries(format, sink, found)


@command.command()
@click.argument("rule", metavar="ID")
@rules_option
@click.pass_context
def show(ctx: click.Context, rule: str, rules: tuple[str, ...]) -> None:
    """Show one rule in full. ID is what a verdict names: status:5.1.1, phrase:en/mailbox-full, or the name of a dialect."""
    tables = open_tables(rules)
    found = lookup.find_rule(tables, rule) or [
        entry for entry in [*map(dialect_entry, tables.dialects), *lookup.rules(tables)] if rule in (entry.id, entry.id.partition(":")[2])
    ]
    if not found:
        near = nearest(rule, (entry.id for entry in lookup.rules(tables)))
        raise Stop(SOME_UNREAD, f"no rule {rule!r}" + (f"; did you mean {near}?" if near else "; `bounceparse rules list WORD` finds one"))
    with open_sink(None, state_of(ctx).no_colour) as sink:
        sink.frame("".join(f"{line.rstrip()}\n" for line in full(sink.terminal, found)).encode(errors="replace"))


@command.command()
@click.argument("files", nargs=-1, type=FILE, required=True, metavar="FILE…")
@click.pass_context
def lint(ctx: click.Context, files: tuple[str, ...]) -> None:
    """Check files of own rules: is every entry sound, and does none of them stand in another's way?"""
    wrong = 0
    for file in files:
        try:
            tables = open_tables((file,))
        except Stop as mistake:
            click.echo(f"bounceparse: {mistake.message}", err=True)
            wrong = max(wrong, mistake.code)
            continue
        parts = [
            (len({phrase.id for phrase in tables.phrases if phrase.own and phrase.file == file}), "phrase"),
            (sum(token.own and token.file == file for provider in tables.providers for token in provider.tokens), "provider mark"),
            (sum(dialect.file == file for dialect in tables.dialects), "dialect"),
        ]
        told = ", ".join(f"{number} {name}{'' if number == 1 else 's'}" for number, name in parts if number)
        click.echo(f"{file}: {told or 'no rule'}, no mistake")
    if wrong:
        ctx.exit(wrong)
    open_tables(files)


@command.command()
@click.argument("files", nargs=-1, type=FILE, metavar="[FILE…]")
@click.pass_context
def test(ctx: click.Context, files: tuple[str, ...]) -> None:
    """Run the samples that stand beside the rules: those of the FILEs, or the built-in ones."""
    from bounceparse.tables import load_samples

    engine = build_engine(files)
    samples = [sample for sample in load_samples(tuple(files)) if not files or sample.file in files]
    failed = 0
    for sample in samples:
        wrong = check_sample(engine, sample)
        if wrong:
            failed += 1
            text = " ".join(sample.text.split())
            click.echo(f"{sample.file}:{sample.line}: {wrong}\n  {text[:LONG]}{'…' if len(text) > LONG else ''}")
    if not samples:
        raise Stop(BAD_CONFIG, "no sample to run; write one beside each rule: [[sample]] with text and reason")
    count = "1 sample, " if len(samples) == 1 else f"{len(samples):,} samples, {'' if failed else 'all '}"
    click.echo(f"{count}{f'{failed:,} not ' if failed else ''}as expected")
    if failed:
        ctx.exit(BAD_CONFIG)


def dialect_entry(dialect: Dialect) -> lookup.Entry:
    claims = (
        ("from", dialect.claims_from),
        ("subject", dialect.claims_subject),
        ("header", dialect.claims_header),
        ("words", dialect.claims_phrase),
    )
    return lookup.Entry(
        f"dialect:{dialect.name}",
        "dialect",
        dialect.title,
        "",
        lookup.facts(
            ("seen", dialect.seen),
            *((f"by {name}", "; ".join(word.strip() for word in words)) for name, words in claims),
            ("always", dialect.kind),
            ("between", "; ".join(dialect.begin)),
            ("and", "; ".join(dialect.end)),
            ("lines", "; ".join(dialect.recipient)),
            ("carry on", dialect.more if dialect.recipient and dialect.more != "none" else ""),
            ("words", "; ".join(f"{phrase.text} → {phrase.reason}" for phrase in dialect.reasons)),
            ("where", f"{dialect.file}:{dialect.line}" if dialect.file else ""),
        ),
    )


def check_sample(engine: Engine, sample: Sample) -> str:
    """Return what a sample gives other than it should, in words; "" when all is as expected.

    A sample of a dialect is a part of its notice, and is read in a mail that has everything by which the dialect is known; any other is a reply.
    """
    dialects = [dialect for dialect in engine.tables.dialects if dialect.file == sample.file]
    reports = [engine.parse(notice(dialect, sample.text)) for dialect in dialects]
    wrong = [_differ(sample.expect, *result, report) for report in reports for result in report.results]
    if not wrong or not {"address", "kind", "dialect"} & set(sample.expect):
        wrong.append(_differ(sample.expect, *engine.classify(sample.text)))
    return min(wrong, key=len)


def notice(dialect: Dialect, text: str) -> bytes:
    """Return a mail in a dialect that says `text` where its report stands."""

    def first(words: tuple[str, ...], otherwise: str = "") -> str:
        return words[0].strip() if words else otherwise

    fields = dict.fromkeys(dialect.claims_header, "1")
    fields |= {"From": f'"{first(dialect.claims_from)}" <mailer-daemon@mail.example>', "To": "sender@mail.example"}
    fields["Subject"] = first(dialect.claims_subject, "Undelivered mail")
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    begin = dialect.begin[0] + "\n\n" if dialect.begin else ""
    return f"{head}\n{first(dialect.claims_phrase)}\n\n{begin}{text}\n".encode()


def _differ(expect: dict[str, str], recipient: Recipient, verdict: Verdict, report: Report | None = None) -> str:
    """Return in words where a result is other than expected."""
    got = {name: getattr(verdict, name) for name in ("reason", "bounce", "fault", "rule", "blocklist")}
    got |= {name: getattr(recipient, name) for name in ("address", "status", "reply_code", "command", "diagnostic")}
    got |= {"kind": report.kind, "dialect": report.dialect} if report is not None else {}
    wrong = [f"{name} is {got[name]!r}, not {value!r}" for name, value in expect.items() if name in got and got[name] != value]
    return f"{', '.join(wrong)} (by {verdict.rule})" if wrong else ""
