"""samples: a few synthetic mails to try things on."""

from __future__ import annotations

from pathlib import Path

import click

from bounceparse.cli.exits import CANNOT_CREATE, Stop
from bounceparse.cli.state import state_of

FOLDER = Path(__file__).parent.parent / "data" / "samples"


@click.command()
@click.argument("directory", metavar="DIR")
@click.pass_context
def command(ctx: click.Context, directory: str) -> None:
    """Write a few synthetic mails and a mailbox into DIR: bounces, a delay, a complaint, an absence note. A file that is there stays as it is."""
    folder = Path(directory)
    written, kept = 0, 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sorted(FOLDER.iterdir()):
            try:
                with (folder / source.name).open("xb") as file:
                    file.write(source.read_bytes())
                written += 1
            except FileExistsError:
                kept += 1
    except OSError as error:
        raise Stop(CANNOT_CREATE, f"cannot write to {directory}: {(error.strerror or str(error)).lower()}") from None
    state = state_of(ctx)
    was_there = f", {kept} were there already" if kept else ""
    state.remark(f"{directory}: {written} files written{was_there}. Now try:")
    state.remark(f"  bounceparse parse -r {directory}")
    state.remark(f"  bounceparse explain {directory}/01-user-unknown.eml")
    state.remark(f"  bounceparse stats {directory}/bounces.mbox")
