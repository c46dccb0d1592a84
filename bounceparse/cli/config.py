"""config: what is set and where, and whether a configuration file is sound."""

from __future__ import annotations

import os

import click

from bounceparse.cli.exits import USAGE, Stop
from bounceparse.cli.options import FILE
from bounceparse.cli.settings import SETTINGS, Setting, load_config
from bounceparse.cli.state import state_of


@click.group()
def command() -> None:
    """Show what is set and where, or check a configuration file.

    A flag wins over the environment (BOUNCEPARSE_JOBS=4), that over the file (jobs = 4). The file is the one of -c, of $BOUNCEPARSE_CONFIG, or
    ~/.config/bounceparse/config.toml.
    """


@command.command()
@click.pass_context
def show(ctx: click.Context) -> None:
    """Show every setting with its value, and where that comes from."""
    state = state_of(ctx)
    click.echo(f"# file: {state.config or 'none'}")
    for setting in SETTINGS:
        value, source = _value(setting, state.settings)
        click.echo(f"\n# {setting.meaning}; from: {source}\n{setting.name} = {_toml(value)}")


@command.command()
@click.argument("file", required=False, type=FILE)
@click.pass_context
def check(ctx: click.Context, file: str | None) -> None:
    """Check FILE, or the file that would be read, and the rules that it names."""
    path = file or state_of(ctx).config
    if path is None:
        raise Stop(USAGE, "no configuration file: name one, or write ~/.config/bounceparse/config.toml")
    found = load_config(path)
    if found.get("rules"):
        from bounceparse.cli.options import open_tables

        open_tables(tuple(found["rules"]))
    if found.get("fields"):
        from bounceparse.cli.exits import BAD_CONFIG
        from bounceparse.output.fields import FieldError, check_fields

        try:
            check_fields(tuple(found["fields"]))
        except FieldError as error:
            raise Stop(BAD_CONFIG, f"{path}: {error}") from None
    if found.get("access"):
        from bounceparse.cli.api import read_access

        read_access(found["access"])
    click.echo(f"{path}: {len(found)} setting{'' if len(found) == 1 else 's'}, no mistake")


def _value(setting: Setting, found: dict[str, object]) -> tuple[object, str]:
    if os.environ.get(setting.variable):
        return os.environ[setting.variable], f"${setting.variable}"
    if setting.name in found:
        return found[setting.name], "file"
    return setting.default, "default"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(given)}" for name, given in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value) if isinstance(value, int) else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
