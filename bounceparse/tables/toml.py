"""Check TOML by hand: take the values out of a table one by one, and say where the first mistake stands.

The rule that keeps this file honest: a key that nobody takes is a mistake, and every mistake names file, line, what is wrong and how to mend it.
"""

from __future__ import annotations

from typing import Any, Final

from bounceparse.nearest import nearest
from bounceparse.tables.shapes import PHASES, Reason, TableError
from bounceparse.text import squeeze

LONGEST_PHRASE: Final = 160  # characters of a squeezed phrase: longer ones are copied sentences, which change with the next release
MOST_PIECES: Final = 5  # pieces of a phrase with gaps


class Source:
    """One TOML file with its lines, to say where a mistake stands."""

    def __init__(self, path: str, name: str = "") -> None:
        import tomllib

        self.file = name or path
        self.stem = path.replace("\\", "/").rpartition("/")[2].removesuffix(".toml")
        with open(path, "rb") as file:  # noqa: PTH123
            content = file.read()
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise TableError(self.file, content.count(b"\n", 0, error.start) + 1, "not UTF-8", "save the file as UTF-8") from None
        self.lines = text.replace("\r\n", "\n").split("\n")
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            what, _, place = str(error).rpartition(" (at ")
            number = place.removeprefix("line ").partition(",")[0]
            line = int(number) if number.isdigit() else len(text.rstrip().split("\n"))
            raise TableError(self.file, line, f"no TOML here: {what.lower()}", "see https://toml.io for how it is written") from None

    def line_of(self, text: str, start: int = 1, end: int = 0) -> int:
        """Return the number of the first line from `start` (to `end`) that holds `text`, `start` when none does."""
        for number in range(start, (end or len(self.lines)) + 1):
            if text in self.lines[number - 1]:
                return number
        return start

    def top(self) -> Table:
        """Return the whole file as a table."""
        return Table(self, self.values, "the file", 1)

    def tables(self, name: str) -> list[Table]:
        """Return the tables of the array `[[name]]` anywhere in the file."""
        heads = [number for number, line in enumerate(self.lines, 1) if line.split("#")[0].replace(" ", "").rstrip() == f"[[{name}]]"]
        values: list[Any] = [self.values]
        for key in name.split("."):
            values = [inner for value in values for inner in listed(value.get(key, []))]
        if not all(isinstance(value, dict) for value in values) or (values and len(heads) != len(values)):
            raise TableError(self.file, self.line_of(name), f"{name} is not an array of tables", f"begin each entry with [[{name}]]")
        return [Table(self, value, f"[[{name}]]", line) for value, line in zip(values, heads, strict=False)]

    def nested(self, outer: str, inner: str) -> list[tuple[Table, list[Table]]]:
        """Return the tables of `[[outer]]`, each with its own of `[[outer.inner]]`."""
        tables = iter(self.tables(f"{outer}.{inner}"))
        return [(table, [next(tables) for _ in listed(table.values.get(inner, []))]) for table in self.tables(outer)]

    def end_of(self, line: int) -> int:
        """Return the last line of the table that begins at `line`."""
        for number in range(line + 1, len(self.lines) + 1):
            if self.lines[number - 1].startswith("["):
                return number - 1
        return len(self.lines)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class Table:
    """One table of a TOML file while it is checked; each `take` of a key checks its value, `done` complains of keys that nobody took."""

    def __init__(self, source: Source, values: dict[str, Any], what: str, line: int) -> None:
        self.source = source
        self.values = values
        self.what = what
        self.line = line
        self.taken: set[str] = set()

    def error(self, what: str, mend: str, at: str = "") -> TableError:
        """Return the error, at the line of this table that holds `at`."""
        line = self.line
        if at:
            end = self.source.end_of(line)
            line = self.source.line_of(at, line, end)
            if line == self.line:
                line = self.source.line_of(at.strip('"'), line, end)  # written with other quotes
        return TableError(self.source.file, line, what, mend)

    def inner(self, key: str) -> Table:
        """Return the table under a key, empty when there is none."""
        self.taken.add(key)
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.error(f"{key} is not a table", f"write it as [{key}]", key)
        head = next(
            (n for n, line in enumerate(self.source.lines, 1) if n >= self.line and line.rstrip().endswith((f".{key}]", f"[{key}]"))), self.line
        )
        return Table(self.source, value, f"[{key}]", head)

    def text(self, key: str, default: str | None = None) -> str:
        """Return the text of a key; without a `default` it must be there."""
        self.taken.add(key)
        value = self.values.get(key, default)
        if value is None:
            raise self.error(f"{self.what} has no {key}", f"add {key} = …")
        if not isinstance(value, str) or (not value.strip() and default is None):
            raise self.error(f"{key} of {self.what} is no text", f'write {key} = "…"', key)
        return value.strip()

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> Any:
        """Return the text of a key that must be one of a few."""
        value = self.text(key, default)
        if value not in choices and value != default:
            raise self.error(f"{key} {value!r} is not known", f"use one of {', '.join(choices)}{meant(value, choices)}", f'"{value}"')
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts of a key: a list of them, or a single one; () when it is not there."""
        self.taken.add(key)
        values = listed(self.values.get(key, []))
        for value in values:
            if not isinstance(value, str) or not value.strip():
                raise self.error(
                    f"{key} of {self.what} holds {value!r}", "give a text, or take the entry away", f'"{value}"' if isinstance(value, str) else key
                )
        return tuple(values)

    def flag(self, key: str) -> bool:
        """Return the truth value of a key, False when it is not there."""
        self.taken.add(key)
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.error(f"{key} of {self.what} is {value!r}", "write true or false", key)
        return value

    def number(self, key: str) -> int:
        """Return the whole number of a key, 0 when it is not there."""
        self.taken.add(key)
        value = self.values.get(key, 0)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(f"{key} of {self.what} is {value!r}", "write a whole number", key)
        return value

    def reason(self, reasons: dict[str, Reason], key: str = "reason", optional: bool = False) -> str:
        """Return the reason that a key names."""
        value = self.text(key, "" if optional else None)
        if value not in reasons and not (optional and not value):
            raise self.unknown_reason(value, reasons)
        return value

    def unknown_reason(self, value: str, reasons: dict[str, Reason]) -> TableError:
        return self.error(f"there is no reason {value!r}", meant(value, reasons).lstrip(", ") or "see data/reasons.toml for the names", f'"{value}"')

    def phases(self, key: str = "phase") -> tuple[str, ...]:
        """Return the phases of a key as `Recipient.command` says them."""
        names = self.texts(key)
        for name in names:
            if name not in PHASES:
                raise self.error(f"there is no phase {name!r}", f"use some of {', '.join(PHASES)}{meant(name, PHASES)}", f'"{name}"')
        return tuple(dict.fromkeys(PHASES[name] for name in names))

    def pieces(self, text: str, least: int = 3) -> tuple[str, ...]:
        """Return the squeezed pieces of a phrase."""
        at = f'"{text}"'
        if " ... " in text:
            raise self.error(f"three dots in {text!r} are no gap", "write … for a gap", at)
        pieces = []
        if "…" in text:
            least = 2
        for written in text.split("…"):
            core = written.strip().strip("*")
            if "*" in core:
                raise self.error(f"a * stands within {text!r}", "put it at the end of a piece, or write … for a gap", at)
            piece = squeeze(core)
            if len(piece.strip()) < (least if piece.isascii() else min(least, 2)):
                raise self.error(f"nothing to look for is left of {written.strip()!r} in {text!r}", f"give at least {least} letters or digits", at)
            start = 1 if written.lstrip().startswith("*") or _runs_on(piece[1]) else 0
            end = 1 if written.rstrip().endswith("*") or _runs_on(piece[-2]) else 0
            pieces.append(piece[start : len(piece) - end])
        if len(pieces) > MOST_PIECES or sum(map(len, pieces)) > LONGEST_PHRASE:
            raise self.error(
                f"the phrase {text[:40]!r} is too long", f"keep its telling words: {MOST_PIECES} pieces and {LONGEST_PHRASE} characters at most", at
            )
        return tuple(pieces)

    def literal(self, text: str, least: int = 3) -> str:
        """Return a squeezed literal; gaps are not allowed here."""
        pieces = self.pieces(text, least)
        if len(pieces) > 1:
            raise self.error(f"there is a gap in {text!r}", "give a literal without …; gaps are for [[phrase]] alone", text)
        return pieces[0]

    def literals(self, key: str, least: int = 3) -> tuple[str, ...]:
        """Return the squeezed literals of a key."""
        return tuple(dict.fromkeys(self.literal(text, least) for text in self.texts(key)))

    def hosts(self, key: str = "hosts") -> tuple[str, ...]:
        """Return the host suffixes of a key."""
        found = []
        for text in self.texts(key):
            host = text.lower().removeprefix("*").strip(".")
            if not host.replace("-", "").replace(".", "").replace("_", "").isalnum():
                raise self.error(f"{text!r} is no host name", "give the end of a host name, such as mx.example.com", text)
            found.append(host)
        return tuple(found)

    def done(self) -> None:
        """Raise TableError for a key that no part of the package knows."""
        for key in self.values:
            if key not in self.taken:
                mend = meant(key, self.taken).lstrip(", ") or f"use one of {', '.join(sorted(self.taken))}"
                raise self.error(f"{self.what} has an unknown key {key!r}", mend, key)


def _runs_on(letter: str) -> bool:
    """Say whether a letter is of a script that writes words without blanks, or glues endings to them: Thai, Chinese, Japanese, Korean."""
    return "\u0e00" <= letter <= "\u0eff" or letter >= "\u2e80"


def meant(value: str, choices: Any) -> str:
    """Return what to add to a mend: the choice that was probably meant, if there is one."""
    near = nearest(value.lower(), choices)
    return f", did you mean {near!r}?" if near else ""
