"""The options that several commands share, and what they mean."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from bounceparse.cli.exits import BAD_CONFIG, NO_INPUT, NO_PERMISSION, Stop
from bounceparse.cli.settings import FORMATS

if TYPE_CHECKING:
    from bounceparse.cli.state import State
    from bounceparse.engine import Engine
    from bounceparse.tables import Tables, Vocabulary
    from bounceparse.verp import Verp

F = TypeVar("F", bound=Callable[..., Any])

KINDS: Final = ("bounce", "delay", "delivered", "complaint", "auto_reply", "challenge", "disposition", "unsubscribe", "not_bounce")
BOUNCES: Final = ("hard", "soft")
SISIMAI: Final = "sisimai"  # a format of records alone
PARQUET: Final = "parquet"  # another one
PARTITIONS: Final = ("kind", "bounce", "fault", "certainty", "day")
_AGO: Final = re.compile(r"(\d{1,6})(m|h|d|w)")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Words(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Words between commas."""

    name = "a,b"

    def __init__(self, choices: tuple[str, ...] = ()) -> None:
        self.choices = choices

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        words = tuple(word for word in (value.replace(" ", "").split(",") if isinstance(value, str) else value) if word)
        for word in words:
            if self.choices and word not in self.choices:
                self.fail(f"{word!r} is not one of {', '.join(self.choices)}", param, ctx)
        return words


class Fields(Words):
    """Names of fields of the record."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        from bounceparse.output.fields import FieldError, check_fields

        try:
            return check_fields(super().convert(value, param, ctx))
        except FieldError as error:
            self.fail(str(error), param, ctx)


class Jobs(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A number of processes, or auto."""

    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "auto":
            return value
        if not str(value).isdigit() or int(value) < 1:
            self.fail(f"{value!r} is neither a number from 1 nor auto", param, ctx)
        return int(value)


class Time(str):
    """A time, and how the user said it."""

    said = ""


class Moment(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A day, a time, or so long ago; becomes an RFC 3339 time in UTC, the end of the day where `late`."""

    name = "TIME"

    def __init__(self, late: bool = False) -> None:
        self.late = late

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from datetime import UTC, datetime, timedelta

        ago = _AGO.fullmatch(value)
        try:
            if ago:
                moment = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            else:
                moment = datetime.fromisoformat(value)
                if len(value) <= 10 and self.late:
                    moment += timedelta(hours=23, minutes=59, seconds=59)
                moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; write 2026-11-23, 2026-11-23T10:00:00Z, or 7d for seven days ago (m, h, d, w)", param, ctx)
        time = Time(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
        time.said = str(value)
        return time


def put_on(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return a decorator that adds `options` in this order."""

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


FILE: Final = click.Path(readable=False, allow_dash=True)
"""Any path, so that a shell completes it; whether it is there is told when it is read."""

rules_option: Final = click.option(
    "--rules",
    multiple=True,
    type=FILE,
    metavar="FILE",
    envvar="BOUNCEPARSE_RULES",
    help="Own rules (TOML), read first; repeatable.",
)
recurse_option: Final = click.option("-r", "--recurse", is_flag=True, envvar="BOUNCEPARSE_RECURSE", help="Read every file in a directory.")
jobs_option: Final = click.option(
    "-j",
    "--jobs",
    type=Jobs(),
    default="1",
    metavar="N|auto",
    envvar="BOUNCEPARSE_JOBS",
    help="Processes that read; auto: one a processor.",
    show_default=True,
)
def format_of(*choices: str) -> Callable[[F], F]:
    """Return the option that chooses a format."""
    return click.option(
        "-f",
        "--format",
        type=click.Choice(choices),
        default="auto",
        envvar="BOUNCEPARSE_FORMAT",
        help="How to write; auto: table on a terminal, else jsonl.",
        metavar="|".join(choices),
    )


format_option: Final = format_of(*FORMATS)
output_option: Final = click.option("-o", "--output", type=FILE, metavar="FILE", help="Write there instead of to standard output.")

input_options: Final = put_on(
    recurse_option,
    jobs_option,
    rules_option,
    click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="NAME",
        envvar="BOUNCEPARSE_HEADERS",
        help="Field to take from the returned message; repeatable.",
    ),
)
proof_options: Final = put_on(
    click.option(
        "--verp",
        metavar="TEMPLATE",
        envvar="BOUNCEPARSE_VERP",
        help="Your return paths: {signed}@bounces.example.org, bounces+{local}={domain}@example.org, or mailman, sympa, ezmlm …",
    ),
    click.option("--secret-file", type=FILE, metavar="FILE", envvar="BOUNCEPARSE_SECRET_FILE", help="Keys of {signed}; else $BOUNCEPARSE_SECRET."),
)
select_options: Final = put_on(
    click.option(
        "--only", type=Words(KINDS + BOUNCES), metavar="a,b", envvar="BOUNCEPARSE_ONLY", help="Kinds to keep: bounce, complaint …, or hard, soft."
    ),
    click.option("--since", type=Moment(), help="Only what arrived then or later: 2026-11-23, or 7d for seven days ago."),
    click.option("--until", type=Moment(late=True), help="Only what arrived then or earlier."),
)
_formats_of_records: Final = format_of(*FORMATS, SISIMAI)
_record_options: Final = put_on(
    output_option,
    click.option(
        "--fields",
        type=Fields(),
        metavar="a,b",
        envvar="BOUNCEPARSE_FIELDS",
        help="Fields to write, in this order: recipient,reason,original.subject …",
    ),
    click.option(
        "--vocabulary",
        metavar="NAME",
        envvar="BOUNCEPARSE_VOCABULARY",
        help="Reasons in the words of sisimai, ses, postmark …; ours in bounceparse_reason.",
    ),
)
record_options: Final = put_on(_formats_of_records, _record_options)
parse_options: Final = put_on(
    format_of(*FORMATS, PARQUET, SISIMAI),
    _record_options,
    click.option(
        "--partition-by",
        type=Words(PARTITIONS),
        metavar="a,b",
        help="With -f parquet: -o is a folder, cut by kind, bounce, fault, certainty, day.",
    ),
)
batch_options: Final = put_on(
    click.option("--unordered", is_flag=True, help="Write records as they come, not in the order of the input."),
    click.option("--resume", type=FILE, metavar="FILE", help="Note there how far it came; after a kill the same command goes on."),
    click.option(
        "--quarantine",
        type=FILE,
        metavar="DIR",
        envvar="BOUNCEPARSE_QUARANTINE",
        help="Keep there what was read and could not be finished.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        help="For one message; else 60. It is held with -j 2 or more, --quarantine or --resume.",
    ),
    click.option("--summary", is_flag=True, help="Say at the end what it came to."),
)


def build_engine(rules: tuple[str, ...], headers: tuple[str, ...] = (), verp: Verp | None = None) -> Engine:
    """Return the one engine of this run; raises Stop for a rule file that is missing or wrong."""
    check_rules(rules)
    from bounceparse.engine import Engine
    from bounceparse.tables import TableError

    try:
        return Engine(rules, headers, verp)
    except TableError as error:
        raise Stop(BAD_CONFIG, str(error)) from None
    except OSError as error:
        raise Stop(BAD_CONFIG, f"cannot read {error.filename}: {(error.strerror or str(error)).lower()}") from None


def open_verp(template: str | None, secret_file: str | None, state: State) -> Verp | None:
    """Return the return paths of --verp, None without it; raises Stop for a template or a key file that is wrong, and never says what it holds."""
    if not template:
        if secret_file:
            raise click.UsageError("--secret-file needs --verp, which says what the return paths look like")
        return None
    from bounceparse.keys import VARIABLE, is_open, load_verp

    try:
        if secret_file and is_open(secret_file):
            state.remark(f"others can read {secret_file}; chmod 600 it")
        return load_verp(template, secret_file or "")
    except FileNotFoundError:
        raise Stop(NO_INPUT, f"no secret file {secret_file}") from None
    except OSError as error:
        raise Stop(NO_PERMISSION, f"cannot read {secret_file}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:
        mend = f"; name a file with --secret-file, or set ${VARIABLE}" if "needs a key" in str(error) else ""
        raise Stop(BAD_CONFIG, f"{error}{mend}") from None


def open_tables(rules: tuple[str, ...] = ()) -> Tables:
    """Return the tables, with own rules; raises Stop for a rule file that is missing or wrong."""
    check_rules(rules)
    from bounceparse.tables import TableError, load_tables

    try:
        return load_tables(tuple(rules))
    except TableError as error:
        raise Stop(BAD_CONFIG, str(error)) from None
    except OSError as error:
        raise Stop(BAD_CONFIG, f"cannot read {error.filename}: {(error.strerror or str(error)).lower()}") from None


def check_rules(rules: tuple[str, ...]) -> None:
    """Raise Stop when a rule file is not there."""
    for path in rules:
        if not os.path.exists(path):  # noqa: PTH110
            raise Stop(NO_INPUT, f"no rules file {path}")


def find_vocabulary(tables: Tables, vocabulary: str | None) -> Vocabulary | None:
    """Return the words of another system, None for none; raises a usage error for a system that is not known."""
    if not vocabulary:
        return None
    found = tables.vocabularies.get(vocabulary.lower())
    if found is None:
        raise click.BadParameter(f"{vocabulary!r} is not one of {', '.join(sorted(tables.vocabularies))}", param_hint="'--vocabulary'")
    return found
