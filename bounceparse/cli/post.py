"""post: what was decided, to another system by HTTP."""

from __future__ import annotations

import signal
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from bounceparse.cli.exits import BAD_CONFIG, DONE, NO_INPUT, Stop
from bounceparse.cli.options import FILE
from bounceparse.cli.state import state_of

if TYPE_CHECKING:
    from bounceparse.integrations.post import Post

UNREACHABLE: Final = 69


@click.command()
@click.argument("url", metavar="URL")
@click.option("--ledger", metavar="FILE|URL", envvar="BOUNCEPARSE_LEDGER", help="The ledger whose decisions are told.")
@click.option(
    "--as",
    "form",
    type=click.Choice(("decisions", "listmonk")),
    default="decisions",
    show_default=True,
    help="Every decision whole, or what counts as listmonk's bounces.",
)
@click.option("--sign-with", type=FILE, metavar="FILE", help="Sign with the secret in this file (Standard Webhooks).")
@click.option("--auth-file", type=FILE, metavar="FILE", help="user:password, or a bearer token, for the receiver.")
@click.option("--state", "place", type=FILE, metavar="FILE", help="Where it stands how far this receiver is; else beside the ledger.")
@click.option("--follow", is_flag=True, help="Go on with what comes, until SIGTERM or Ctrl-C.")
@click.pass_context
def command(
    ctx: click.Context, url: str, ledger: str | None, form: str, sign_with: str | None, auth_file: str | None, place: str | None, follow: bool
) -> None:
    """Tell another system what was decided: one request for each event, again until it is taken.

    A receiver that fails loses nothing: the ledger is the queue. What it refuses for good is put aside, in FILE.refused.

    \b
    bounceparse post https://example.com/hook --ledger bounces.db --follow
    bounceparse post https://lists.example.com/webhooks/bounce --as listmonk \\
      --auth-file listmonk.auth --ledger bounces.db
    """
    state = state_of(ctx)
    post = open_post(state.say, url, ledger, form, sign_with, auth_file, place)
    from bounceparse.integrations.post import UnreachableError
    from bounceparse.ledger import LedgerError

    def stop(number: int, frame: FrameType | None) -> None:
        post.stop()

    try:
        if follow:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, stop)
            post.follow()
            ctx.exit(DONE)
        posted = post.run()
    except UnreachableError as error:
        raise Stop(UNREACHABLE, f"{error}; what was not told is told the next time") from None
    except LedgerError as error:
        raise Stop(UNREACHABLE, str(error)) from None
    state.remark(f"{posted.told} told" + (f", {posted.refused} refused and put aside" if posted.refused else ""))


def open_post(
    log: Callable[[str], None], url: str, ledger: str | None, form: str, sign_with: str | None, auth_file: str | None, place: str | None
) -> Post:
    """Return what tells one receiver; raises Stop for what is set wrong."""
    if not ledger:
        raise click.UsageError('no ledger: name one with --ledger bounces.db, or with ledger = "…" in the configuration file')
    try:
        from bounceparse.integrations.post import Post
        from bounceparse.ledger import Ledger, LedgerError
    except ImportError as error:
        raise Stop(BAD_CONFIG, str(error)) from None
    if not place:
        if "://" in ledger:
            raise click.UsageError("this ledger is no file; say with --state FILE where to note how far the receiver is")
        place = f"{ledger}.{form}-{sha256(url.encode()).hexdigest()[:12]}.json"  # of each receiver its own
    try:
        return Post(Ledger(ledger), url, place, form=form, secret=_read(sign_with), auth=_read(auth_file), log=log)  # type: ignore[arg-type]
    except (ValueError, LedgerError) as error:
        raise Stop(BAD_CONFIG, str(error)) from None


def _read(path: str | None) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text("utf-8").strip()
    except FileNotFoundError:
        raise Stop(NO_INPUT, f"no such file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(BAD_CONFIG, f"cannot read {path}: {getattr(error, 'strerror', None) or type(error).__name__}".lower()) from None
