"""The command line. Each command group is one file, loaded when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from bounceparse import __version__
from bounceparse.cli.exits import CANNOT_CREATE, DONE, INTERRUPTED, USAGE, Stop, explain_usage, hush
from bounceparse.nearest import nearest

COMMANDS: Final = {
    "parse": "Messages in, records out (the default command).",
    "explain": "Say why: one reply or one mail, its rule, codes, evidence.",
    "classify": "Give a verdict on many bare SMTP replies or log lines.",
    "stats": "Count by reason, fault, provider, domain, status, day …",
    "report": "Write an HTML page about what bounced and why.",
    "decide": "Say what to do about each address; --apply does it.",
    "suppress": "List, check, add, remove, import, export, forget.",
    "pipe": "Record one message that a mail server gives (sysexits).",
    "fetch": "Read bounces from mailboxes: IMAP, POP3.",
    "serve": "Listen: LMTP for mail servers, HTTP for programs.",
    "post": "Tell another system what was decided (webhooks, listmonk).",
    "codes": "Look up a code or error number, or search by word.",
    "rules": "List, show, test and check the rules, built-in and your own.",
    "verp": "Make, read and check return paths that prove a bounce.",
    "samples": "Write a few synthetic mails to try things on.",
    "config": "Show what is set and where, or check a configuration file.",
    "completion": "Print the completion script for a shell.",
}
FLAGS: Final = frozenset(("-v", "--verbose", "-q", "--quiet", "--no-color"))
ENDS: Final = frozenset(("-h", "--help", "--version"))


class Cli(click.Group):
    """The commands, loaded when they are called; a bare path stands for `parse`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"bounceparse.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(USAGE)
        at = 0
        while at < len(args) and (args[at] in FLAGS or args[at].startswith(("-c", "--config", "-vv", "-qv", "-vq"))):
            at += 2 if args[at] in ("-c", "--config") else 1
        if at < len(args) and args[at] not in COMMANDS and args[at] not in ENDS:
            if not ctx.resilient_parsing:
                _check_command(ctx, args[at])
            args = [*args[:at], "parse", *args[at:]]
        return super().parse_args(ctx, args)

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run, and end with an exit code."""
        extra["standalone_mode"] = False
        sys.exit(self._run(args, prog_name or "bounceparse", extra))

    def _run(self, args: Sequence[str] | None, name: str, extra: dict[str, Any]) -> int:
        try:
            code = super().main(args, name, **extra)
            sys.stdout.flush()
            return code if isinstance(code, int) else DONE
        except click.UsageError as error:
            click.echo(explain_usage(error), err=True)
            return USAGE
        except click.Abort:
            return INTERRUPTED
        except BrokenPipeError:
            hush()
            return DONE
        except click.ClickException as error:
            click.echo(f"bounceparse: {error.format_message()}", err=True)
            return error.code if isinstance(error, Stop) else error.exit_code

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if error.ctx is None and ctx.invoked_subcommand:
                error.ctx = click.Context(self, ctx, ctx.invoked_subcommand)
            raise
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # the reader had enough
            hush()
            ctx.exit(DONE)


def _check_command(ctx: click.Context, word: str) -> None:
    """Raise a usage error when `word` is neither an option nor anything like a path."""
    if word.startswith("-") or os.path.lexists(word) or any(c in word for c in "./\\*?["):
        return
    near = nearest(word, COMMANDS)
    raise click.UsageError(f"no command or file {word!r}" + (f"; did you mean {near!r}?" if near else ""), ctx)


@click.command(name="bounceparse", cls=Cli, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 79})
@click.option("-c", "--config", metavar="FILE", help="Settings to start from (TOML).")
@click.option("-v", "--verbose", count=True, envvar="BOUNCEPARSE_VERBOSE", help="Say more on standard error.")
@click.option("-q", "--quiet", is_flag=True, envvar="BOUNCEPARSE_QUIET", help="Say nothing but errors.")
@click.option("--no-color", is_flag=True, envvar="BOUNCEPARSE_NO_COLOR", help="No colours (NO_COLOR does the same).")
@click.version_option(__version__, message="bounceparse %(version)s")
@click.pass_context
def cli(ctx: click.Context, config: str | None, verbose: int, quiet: bool, no_color: bool) -> None:
    """Read bounce mails and SMTP replies: who was not reached, why, whose side must change, and where the mail says so.

    \b
    bounceparse explain "550 5.1.1 <a@example.com> user unknown"
    bounceparse bounce.eml              the same as: bounceparse parse bounce.eml
    bounceparse parse bounces.mbox | jq .reason
    bounceparse samples DIR             something to try it on
    """
    from bounceparse.cli.settings import find_config, load_config
    from bounceparse.cli.state import state_of

    state = state_of(ctx)
    state.config = config or find_config()
    state.settings = load_config(state.config) if state.config else {}
    state.quiet = quiet or bool(state.settings.get("quiet"))
    state.verbose = verbose or int(state.settings.get("verbose", 0))
    state.no_colour = no_color or bool(state.settings.get("no_color"))
    ctx.default_map = dict.fromkeys(COMMANDS, state.settings)


def main() -> NoReturn:
    """Run the command line of this process."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stdout is None:
        click.echo("bounceparse: standard output is closed", err=True)
        sys.exit(CANNOT_CREATE)
    cli.main()


__all__ = ["Stop", "cli", "main"]
