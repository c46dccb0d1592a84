"""The options of the commands that put messages into the ledger, and what they open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict

import click

from bounceparse.cli.exits import BAD_CONFIG, NO_INPUT, Stop
from bounceparse.cli.options import FILE, build_engine, open_verp, proof_options, put_on, rules_option

if TYPE_CHECKING:
    from bounceparse.cli.state import State
    from bounceparse.pipeline import Fence, Pipeline
    from bounceparse.policy import Policy

policy_option: Final = click.option(
    "--policy",
    metavar="NAME|FILE",
    envvar="BOUNCEPARSE_POLICY",
    default="default",
    help="How many strikes end in suppression: a preset or a file.",
    show_default=True,
)
storing_options: Final = put_on(
    click.option(
        "--ledger", metavar="FILE|URL", envvar="BOUNCEPARSE_LEDGER", help="Where events and suppressions are kept: bounces.db, or postgresql://…"
    ),
    policy_option,
    click.option("--spool", type=FILE, metavar="DIR", envvar="BOUNCEPARSE_SPOOL", help="Where messages are while worked on; else beside the ledger."),
    rules_option,
    proof_options,
)
others_options: Final = put_on(
    click.option("--others", type=FILE, metavar="DIR", envvar="BOUNCEPARSE_OTHERS", help="Maildir for mail that is no bounce; else in the spool."),
    click.option("--drop-others", is_flag=True, envvar="BOUNCEPARSE_DROP_OTHERS", help="Keep no mail that is no bounce."),
)


class Storing(TypedDict):
    """What `storing_options` give."""

    ledger: str | None
    policy: str
    spool: str | None
    others: NotRequired[str | None]
    drop_others: NotRequired[bool]
    rules: tuple[str, ...]
    verp: str | None
    secret_file: str | None


def open_pipeline(state: State, asked: Storing, fence: Fence | None = None, *, sync: bool = True, dry: bool = False) -> Pipeline:
    """Return the way into the ledger; mail that is no bounce is kept for commands that have options for it.

    Without `sync`, a ledger in a file is on disk only after `Ledger.sync`, and claims may be lost with the machine: for servers, which sync many
    messages at once before they acknowledge them. With `dry`, nothing is made on disk, and nothing can be taken. Raises Stop for what is set wrong,
    UnstoredError when the spool cannot be made.
    """
    if not asked["ledger"]:
        raise click.UsageError('no ledger: name one with --ledger bounces.db, or with ledger = "…" in the configuration file')
    need_ledger()
    policy = open_policy(asked["policy"])
    engine = build_engine(asked["rules"], (), open_verp(asked["verp"], asked["secret_file"], state))
    from bounceparse.ledger import Ledger, LedgerError
    from bounceparse.pipeline import Pipeline, UnstoredError, spool_beside

    try:
        ledger = Ledger(asked["ledger"])
        if not sync and ledger.file is not None:
            ledger = Ledger(asked["ledger"], durable=False)
    except LedgerError as error:
        raise Stop(BAD_CONFIG, str(error)) from None
    others = None if asked.get("drop_others", True) else asked.get("others") or ""
    try:
        spool = asked["spool"] or spool_beside(asked["ledger"], make=not dry)
        return Pipeline(ledger, policy, engine, spool, others=others, fence=fence, sync=sync, dry=dry)
    except OSError as error:
        raise UnstoredError(f"cannot make the spool {error.filename}: {(error.strerror or str(error)).lower()}") from None


def need_ledger() -> None:
    """Raise Stop when what the ledger needs is not installed."""
    try:
        import bounceparse.ledger  # noqa: F401
    except ImportError as error:
        raise Stop(BAD_CONFIG, str(error)) from None


def open_policy(name: str) -> Policy:
    """Return a policy by the name of its preset or its file; raises Stop."""
    from bounceparse.policy import PRESETS, Policy
    from bounceparse.tables import TableError

    try:
        return Policy.preset(name) if name in PRESETS else Policy.load(Path(name))
    except TableError as error:
        raise Stop(BAD_CONFIG, str(error)) from None
    except FileNotFoundError:
        raise Stop(NO_INPUT, f"no policy file {name}; the presets are {', '.join(PRESETS)}") from None
    except OSError as error:
        raise Stop(BAD_CONFIG, f"cannot read the policy {name}: {(error.strerror or str(error)).lower()}") from None
