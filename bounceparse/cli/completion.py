"""completion: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash   eval "$(bounceparse completion bash)"    in ~/.bashrc
    zsh    eval "$(bounceparse completion zsh)"     in ~/.zshrc
    fish   bounceparse completion fish | source     in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    from bounceparse.cli import cli

    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(cli, {}, "bounceparse", "_BOUNCEPARSE_COMPLETE").source())
