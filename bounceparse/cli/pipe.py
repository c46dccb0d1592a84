"""pipe: one message on standard input, from the program that has it, into the ledger.

The work is done in a child, so that a message that ends it, or uses up its time or memory, still gives the exit code that makes a mail server keep
the message: whatever is not 0, 64 or 78 becomes 75.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any, Final, NoReturn, Unpack

import click

from bounceparse import limits
from bounceparse.cli.exits import BAD_CONFIG, DONE, NO_INPUT, Stop, explain_usage
from bounceparse.cli.state import State, state_of
from bounceparse.cli.storing import Storing, open_pipeline, others_options, storing_options

BAD_USAGE: Final = 64  # EX_USAGE of sysexits.h
COME_AGAIN: Final = 75  # EX_TEMPFAIL
MEMORY: Final = 1 << 30  # bytes of address space
SECONDS: Final = 60  # of processor time
BLOCK: Final = 1 << 16


class Pipe(click.Command):
    """A command whose mistakes in the command line end as sysexits.h wants it."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            raise Stop(BAD_USAGE, explain_usage(error).removeprefix("bounceparse ")) from None


@click.command(cls=Pipe)
@storing_options
@others_options
@click.option("--to", "envelope", multiple=True, metavar="ADDRESS", help="Whom the message was sent to, as the envelope says; repeatable.")
@click.option("--origin", default="pipe", metavar="TEXT", help="Where it came from, for the ledger.", show_default=True)
@click.pass_context
def command(ctx: click.Context, envelope: tuple[str, ...], origin: str, **asked: Unpack[Storing]) -> None:
    """Record one message that a mail server gives on standard input.

    Exit codes are those of sysexits.h: 0 when the message is safe, recorded or in quarantine; 75 when it could not be stored and has to come again;
    64 and 78 for wrong options, settings or rules.

    \b
    Postfix, master.cf:
      bounceparse unix - n n - 4 pipe -o soft_bounce=yes user=bounceparse
        argv=/usr/local/bin/bounceparse pipe
          --ledger /var/lib/bounceparse/bounces.db
    """
    state = state_of(ctx)
    ctx.exit(_fenced(state, lambda: _work(state, envelope, origin, asked)))


def _work(state: State, envelope: tuple[str, ...], origin: str, asked: Storing) -> int:
    raw = _read(sys.stdin.buffer)
    pipeline = open_pipeline(state, asked, signal.alarm if hasattr(signal, "alarm") else None)
    taken = pipeline.take(raw, origin=origin, envelope=envelope)
    if taken.outcome == "quarantined":
        state.say(f"{taken.digest[:12]}: in quarantine: {taken.why}")
    else:
        state.detail(f"{taken.digest[:12]}: {taken.kind}: {', '.join(decision.action for decision in taken.decisions) or 'nothing to do'}")
    pipeline.ledger.close()
    return DONE


def _read(stream: Any) -> bytes:
    """Return the message, of one that is too long the beginning; the rest is read all the same, or the other end would complain."""
    raw: bytes = stream.read(limits.MESSAGE)
    while stream.read(BLOCK):
        continue
    return raw


def _fenced(state: State, work: Any) -> int:
    """Return the exit code of `work`, done in a child where the system has them."""
    if not hasattr(os, "fork"):
        return _told(state, work)
    child = os.fork()
    if not child:
        _be_child(state, work)

    def forward(number: int, frame: FrameType | None) -> None:
        os.kill(child, signal.SIGKILL)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        state.say(f"bounceparse pipe: ended by {signal.Signals(-code).name}; the message has to come again")
    return code if code in (DONE, BAD_USAGE, BAD_CONFIG) else COME_AGAIN


def _be_child(state: State, work: Any) -> NoReturn:
    import resource

    code = COME_AGAIN
    try:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or hard > MEMORY:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        code = _told(state, work)
        sys.stderr.flush()
    finally:
        os._exit(code)


def _told(state: State, work: Any) -> int:
    """Return the exit code of `work`, and say what was wrong."""
    try:
        done: int = work()
        return done
    except click.UsageError as error:
        state.say(f"bounceparse pipe: {error.format_message()}")
        return BAD_USAGE
    except Stop as error:
        state.say(f"bounceparse pipe: {error.format_message()}")
        return BAD_CONFIG if error.code in (BAD_CONFIG, NO_INPUT) else COME_AGAIN
    except BaseException as error:  # noqa: BLE001 - whatever it is, the message has to come again
        state.say(f"bounceparse pipe: {str(error) or type(error).__name__}; the message has to come again")
        return COME_AGAIN
