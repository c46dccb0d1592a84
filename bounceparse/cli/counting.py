"""What `stats` and `report` count: the records of mail, or those that were written before, and the provider that each is about."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from bounceparse.batch import run
from bounceparse.cli.progress import Progress
from bounceparse.cli.reading import Ending, Select
from bounceparse.cli.state import State
from bounceparse.intake import Failure
from bounceparse.intake.files import stdin_reader
from bounceparse.intake.form import HEAD, tell
from bounceparse.intake.records import read_records
from bounceparse.model import Report
from bounceparse.output.summary import OTHER
from bounceparse.record import Record

if TYPE_CHECKING:
    from bounceparse.engine import Engine
    from bounceparse.tables import Tables


def count_all(
    state: State,
    paths: tuple[str, ...],
    select: Select,
    engine: Engine,
    recurse: bool,
    jobs: int | Literal["auto"],
    add: Callable[[Record], None],
) -> Ending:
    """Give every wanted record of the paths to `add`, showing how far it is; return how it ended."""
    ending, progress = Ending(state), Progress(state, paths)
    try:
        for path in paths:
            for rows in _rows(path, select, engine, recurse, jobs, ending.failed, progress.update if progress.wanted else None):
                ending.read += 1
                for row in rows:
                    add(row)
    finally:
        state.clear()
    return ending


def _rows(
    path: str,
    select: Select,
    engine: Engine,
    recurse: bool,
    jobs: int | Literal["auto"],
    on_failure: Callable[[Failure], None],
    on_progress: Callable[[int, int], None] | None,
) -> Iterator[list[Record]]:
    """Yield the wanted records of each message, or each record that was written before."""
    source: Any = path
    if path == "-":
        from bounceparse.intake.archive import Chained

        reader = stdin_reader()
        head = reader(1 << 16)
        while head and len(head) < HEAD and (more := reader(1 << 16)):
            head += more
        stream = Chained(head, reader)
        if tell(head) == "records":
            yield from ([row] for row in read_records(lambda size: stream.read(size) or b"", path, on_failure) if select.wants(row))
            return
        source = stream
    elif os.path.isfile(path):  # noqa: PTH113
        try:
            with open(path, "rb") as file:  # noqa: PTH123
                if tell(file.read(HEAD)) == "records":
                    file.seek(0)
                    yield from ([row] for row in read_records(file.read, path, on_failure) if select.wants(row))
                    return
        except OSError:  # told below, when it is read
            source = path
    step: Callable[[Report, str], list[Record]] = select.rows
    for rows in run([source], step, engine=engine, recurse=recurse, jobs=jobs, on_progress=on_progress):
        if isinstance(rows, Failure):
            on_failure(rows)
        else:
            yield rows


class Providers:
    """The mailbox providers, by the hosts that are theirs."""

    def __init__(self, tables: Tables) -> None:
        self._titles = {host: provider.title for provider in tables.providers for host in provider.hosts}

    def of(self, row: Record) -> str:
        """Return the title of the provider that a record is about, by the host that answered, else by the recipient's domain; OTHER for none."""
        return self._find(row.remote_mta) or self._find(row.recipient.rpartition("@")[2].lower()) or OTHER

    def _find(self, host: str) -> str:
        while host:
            if host in self._titles:
                return self._titles[host]
            host = host.partition(".")[2]
        return ""
