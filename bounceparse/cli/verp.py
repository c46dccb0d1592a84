"""verp: return paths that say which mail to whom a bounce answers: make them, read them, check them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from bounceparse.cli.exits import NOTHING_READ, SOME_UNREAD
from bounceparse.cli.options import open_verp, proof_options
from bounceparse.cli.state import state_of

if TYPE_CHECKING:
    from bounceparse.verp import Path, Verp


class Day(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A day in UTC."""

    name = "DAY"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no day; write 2026-11-23", param, ctx)


def today() -> date:
    """Return the day in UTC."""
    return datetime.now(UTC).date()


@click.group()
@click.pass_context
def command(ctx: click.Context) -> None:
    """Make, read and check return paths, so that nobody can be cut off by a forged bounce.

    A bounce goes to the envelope sender of your mail. When each mail has one of its own, the bounce says by itself whom it is about; when that is
    signed, nobody else can have made it. Keys come from a file or from $BOUNCEPARSE_SECRET, one a line; the first signs, the others are still
    believed:

    \b
    openssl rand -hex 32 > secret && chmod 600 secret
    bounceparse verp make --verp '{signed}@b.example.org' \\
      --secret-file secret jo@example.com
    """
    ctx.default_map = dict.fromkeys(("make", "read", "check"), state_of(ctx).settings)


@command.command()
@click.argument("recipients", nargs=-1, required=True, metavar="ADDRESS…")
@proof_options
@click.option("--list", "list_", default="", metavar="NAME", help="The list that the mail is for.")
@click.option("--id", "id_", default="", metavar="ID", help="Your own id of the mail, instead of one made of the address.")
@click.option("--purpose", type=click.Choice(("post", "probe")), default="post", help="What the mail is.", show_default=True)
@click.option("--day", type=Day(), help="The day of the mail in UTC, instead of today.")
@click.pass_context
def make(
    ctx: click.Context,
    recipients: tuple[str, ...],
    verp: str | None,
    secret_file: str | None,
    list_: str,
    id_: str,
    purpose: str,
    day: date | None,
) -> None:
    """Print the return path for a mail to each ADDRESS."""
    paths = _open(verp, secret_file, ctx)
    for recipient in recipients:
        try:
            click.echo(paths.make(recipient, day or today(), list=list_, id=id_, purpose="probe" if purpose == "probe" else "post"))
        except ValueError as error:
            raise click.UsageError(str(error), ctx) from None


@command.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@proof_options
@click.pass_context
def read(ctx: click.Context, paths: tuple[str, ...], verp: str | None, secret_file: str | None) -> None:
    """Say what each PATH holds: whom, which list, when. Without --verp, the forms of list managers, BATV and SRS are tried.

    A signature is believed only with its key, see check.
    """
    from bounceparse.output.terminal import show

    known = open_verp(verp, secret_file, state_of(ctx))
    unread = 0
    for path in paths:
        told = _tell(path, known)
        unread += not told
        click.echo(show(f"{path}: {told or 'no return path that is known here'}"))
    if unread:
        ctx.exit(NOTHING_READ if unread == len(paths) else SOME_UNREAD)


@command.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@proof_options
@click.option("--recipient", metavar="ADDRESS", help="Whom it has to be made for.")
@click.option("--purpose", type=click.Choice(("post", "probe")), help="What it has to be made for.")
@click.option("--day", type=Day(), help="The day on which it came back in UTC, instead of today.")
@click.pass_context
def check(
    ctx: click.Context,
    paths: tuple[str, ...],
    verp: str | None,
    secret_file: str | None,
    recipient: str | None,
    purpose: str | None,
    day: date | None,
) -> None:
    """Say whether each PATH is ours, unaltered, in time, and for --recipient; exit 0 when all are, else 1."""
    from bounceparse.output.terminal import show

    known = _open(verp, secret_file, ctx)
    failed = False
    for path in paths:
        wrong = _mistake(path, known, recipient, purpose, day or today())
        failed = failed or bool(wrong)
        click.echo(show(f"{path}: {wrong or 'good'}"))
    if failed:
        ctx.exit(SOME_UNREAD)


def _open(template: str | None, secret_file: str | None, ctx: click.Context) -> Verp:
    verp = open_verp(template, secret_file, state_of(ctx))
    if verp is None:
        raise click.UsageError("say what the return paths look like: --verp '{signed}@bounces.example.org'", ctx)
    return verp


def _tell(address: str, known: Verp | None) -> str:
    """Return in words what a return path holds, "" when it is none."""
    from bounceparse.verp import TEMPLATES, Verp, read_batv, read_signed, read_srs

    wrapped = read_srs(address) or read_batv(address)
    if wrapped is not None:
        inner = _tell(wrapped.recipient, known)
        form = "rewritten by a forwarder (SRS)" if wrapped.kind == "srs" else "tagged (BATV)"
        return f"{wrapped.recipient}, {form}" + (f"; {inner}" if inner else "")
    if known is not None:
        path = known.read(address)
        if path is None:
            return "has the form of a signed return path, but its signature is not ours" if known.looks_signed(address) else ""
        return _words(path)
    for name in TEMPLATES:
        path = Verp(name).read(address)
        if path is not None:
            return f"{_words(path)}, in the form of {name}"
    path = read_signed(address)
    return f"{_words(path)}, if its signature is yours, which --verp and the key can tell" if path is not None else ""


def _words(path: Path) -> str:
    whom = f"for {path.recipient}" if path.recipient else f"{path.purpose or 'mail'} {path.id}, key {path.key}"
    of = f", list {path.list}" if path.list else ""
    until = f", good until {path.until}" if path.until is not None else ""
    when = f", made {path.made}{until}" if path.made is not None else ""
    return f"{whom}{of}{when}"


def _mistake(address: str, verp: Verp, recipient: str | None, purpose: str | None, day: date) -> str:
    """Return what is wrong with a return path, "" when nothing is."""
    from bounceparse.verp import unwrap

    path = verp.read(address) or verp.read(unwrap(address))
    if path is None:
        return "altered, or signed with another key" if verp.looks_signed(unwrap(address)) else "no return path of ours"
    if purpose and path.purpose != purpose:
        return f"made for a {path.purpose or 'mail that says no purpose'}, not for a {purpose}"
    if path.kind == "signed" and verp.read(unwrap(address), today=day) is None:
        return f"out of time: good from {path.made} until {path.until}"
    if recipient:
        named = path.recipient.casefold() == recipient.casefold() if path.kind == "plain" else bool(verp.owner(path, (recipient,)))
        if not named:
            return f"made for another than {recipient}"
    return ""
