"""What can be set beforehand: in the environment as BOUNCEPARSE_*, or in a TOML file. A flag wins over both, the environment over the file."""

from __future__ import annotations

import os
import sys
from typing import Any, Final, Literal

from msgspec import Struct

from bounceparse.cli.exits import BAD_CONFIG, NO_INPUT, Stop
from bounceparse.nearest import nearest

PREFIX: Final = "BOUNCEPARSE_"
FORMATS: Final = ("auto", "table", "jsonl", "json", "csv")


class Setting(Struct, frozen=True):
    """One thing that can be set."""

    name: str
    kind: Literal["text", "list", "switch", "paths", "tables"]
    meaning: str
    default: Any = None
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


SETTINGS: Final = (
    Setting("format", "text", "how records are written", "auto", FORMATS),
    Setting("jobs", "text", "processes that read: a number, or auto for one a processor", "1"),
    Setting("recurse", "switch", "read every file in a directory", False),
    Setting("rules", "paths", "files of own rules, read before the built-in ones", ()),
    Setting("headers", "list", "fields to take from the returned message", ()),
    Setting("fields", "list", "fields of the record to write, in this order", ()),
    Setting("only", "list", "kinds to keep: bounce, delay, complaint …, or hard, soft", ()),
    Setting("vocabulary", "text", "another system's names for the reasons", ""),
    Setting("verp", "text", "what your return paths look like", ""),
    Setting("secret_file", "text", "the file with the keys of return paths", ""),
    Setting("ledger", "text", "where events and suppressions are kept: a file of SQLite, or postgresql://user@host/name", ""),
    Setting("policy", "text", "how many strikes end in suppression: a preset or a file", "default"),
    Setting("spool", "text", "where messages are while they are worked on", ""),
    Setting("others", "text", "the Maildir for mail that is no bounce", ""),
    Setting("drop_others", "switch", "keep no mail that is no bounce", False),
    Setting("lmtp", "text", "where serve listens for LMTP", ""),
    Setting("http", "text", "where serve listens for HTTP", ""),
    Setting("access", "text", "the file with the tokens of the HTTP API and the keys of mail services", ""),
    Setting("account", "tables", "mailboxes that fetch reads, each one [[account]]", ()),
    Setting("check_dns", "switch", "ask the DNS about domains that are said not to exist", False),
    Setting("redact", "switch", "mask addresses wherever they are shown", False),
    Setting("no_color", "switch", "no colours on a terminal", False),
    Setting("quiet", "switch", "no remarks on standard error", False),
    Setting("verbose", "switch", "more remarks on standard error", False),
)
ACCOUNT: Final[dict[str, type]] = {
    "url": str, "password_file": str, "token_command": str, "ca_file": str, "move_to": str, "flag": str, "delete": bool, "plain": bool
}
"""What a mailbox may say; no secret is among it, so that the file can be shown."""
BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


def find_config() -> str | None:
    """Return the file that is read when no other is named: $BOUNCEPARSE_CONFIG, or bounceparse/config.toml in the user's configuration folder."""
    named = os.environ.get(f"{PREFIX}CONFIG")
    if named:
        return named
    folder = os.environ.get("XDG_CONFIG_HOME") or (os.environ.get("APPDATA") if sys.platform == "win32" else None)
    usual = os.path.join(folder or os.path.expanduser("~/.config"), "bounceparse", "config.toml")  # noqa: PTH111, PTH118
    return usual if os.path.isfile(usual) else None  # noqa: PTH113


def load_config(path: str) -> dict[str, Any]:
    """Return the settings of a TOML file, checked; raises Stop with file, line, what is wrong and how to mend it."""
    import tomllib
    from pathlib import Path

    try:
        content = Path(path).read_text("utf-8")
    except FileNotFoundError:
        raise Stop(NO_INPUT, f"no configuration file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(BAD_CONFIG, f"cannot read the configuration {path}: {error}") from None
    try:
        found = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise Stop(BAD_CONFIG, f"{path}: no TOML: {str(error).lower()}") from None
    for name, value in found.items():
        wrong = _mistake(name, value)
        if wrong:
            line = next((n for n, text in enumerate(content.splitlines(), 1) if text.split("=")[0].strip(" []") == name), 1)
            raise Stop(BAD_CONFIG, f"{path}:{line}: {wrong}")
    folder = Path(path).parent
    if "rules" in found:
        found["rules"] = [str(folder / rule) for rule in found["rules"]]
    for name in ("ledger", "spool", "others", "access"):
        if found.get(name) and "://" not in found[name]:
            found[name] = str(folder / found[name])
    if found.get("policy", "").endswith(".toml"):
        found["policy"] = str(folder / found["policy"])
    for account in found.get("account", ()):
        account.update({name: str(folder / account[name]) for name in ("password_file", "ca_file") if name in account})
    if "secret_file" in found:
        found["secret_file"] = str(folder / found["secret_file"])
    if "jobs" in found:
        found["jobs"] = str(found["jobs"])
    return found


def _mistake(name: str, value: object) -> str:
    setting = BY_NAME.get(name)
    if setting is None:
        near = nearest(name, BY_NAME)
        return f"no setting {name!r}; " + (f"did you mean {near!r}?" if near else f"there are: {', '.join(BY_NAME)}")
    if setting.kind == "switch":
        return "" if isinstance(value, bool) else f"{name} is {value!r}; write true or false"
    if setting.kind == "tables":
        return _mistake_of_tables(name, value)
    if setting.kind in ("list", "paths"):
        good = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return "" if good else f'{name} is {value!r}; write a list of texts: {name} = ["…"]'
    if name == "jobs":
        return "" if value == "auto" or (isinstance(value, int) and value > 0) else f'jobs is {value!r}; write a number from 1, or "auto"'
    if not isinstance(value, str):
        return f'{name} is {value!r}; write a text: {name} = "…"'
    if setting.choices and value not in setting.choices:
        return f"{name} is {value!r}; write one of {', '.join(setting.choices)}"
    return ""


def _mistake_of_tables(name: str, value: object) -> str:
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        return f"{name} is no table; write [[{name}]], and its settings below"
    for number, table in enumerate(value, 1):
        for key, given in table.items():
            if key not in ACCOUNT:
                near = nearest(key, ACCOUNT)
                return f"{name} {number} has no setting {key!r}; " + (f"did you mean {near!r}?" if near else f"there are: {', '.join(ACCOUNT)}")
            if not isinstance(given, ACCOUNT[key]):
                return f"{key} of {name} {number} is {given!r}; write {'true or false' if ACCOUNT[key] is bool else 'a text'}"
        if "url" not in table:
            return f"{name} {number} has no url; write url = \"imaps://user@host/Folder\""
    return ""
