"""Parquet: the record as columns, one schema for every file, alone or in a tree of partitions; loaded only where it is asked for (pyarrow).

Columns, not objects: each field of many records becomes one Arrow array in one call, so a record costs a few microseconds. Row groups have a fixed
number of rows, so the same records give the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from bounceparse.model import Original
from bounceparse.output.fields import HEADERS, ORIGINAL, getter
from bounceparse.record import Record, RecordDecision, RecordProof, Translated

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

ROWS: Final = 8_192  # of a row group: about 10 MB of records, and as much as memory has to hold
BATCH: Final = 512  # records that are turned into columns at once
OPEN: Final = 64  # files of partitions that are written at once; beyond that the oldest is closed, and its partition goes on in a further file
PARTITIONS: Final = ("kind", "bounce", "fault", "certainty", "day")
"""What a tree of partitions can be cut by: fields that are never empty and have few values, and the day of arrival."""
NEEDED: Final = "Parquet needs one more package: pip install 'bounceparse[parquet]'"
COMPRESSION: Final = "zstd"


@lru_cache(maxsize=8)
def schema(fields: tuple[str, ...] = ()) -> pa.Schema:
    """Return the Arrow schema of the record, or of the fields that were asked for; null is allowed where the record allows it."""
    import pyarrow as pa

    text = pa.string()
    headers = pa.map_(text, text)

    def struct(of: type[msgspec.Struct]) -> pa.StructType:
        found = msgspec.structs.fields(of)
        return pa.struct([pa.field(f.encode_name, headers if f.name == "headers" else text, f.type == str | None) for f in found])

    nested: dict[str, pa.DataType] = {
        "original": struct(Original),
        "retry_after": pa.int64(),
        "proof": struct(RecordProof),
        "evidence": pa.list_(
            pa.field(
                "item",
                pa.struct(
                    [
                        pa.field("source", text, False),
                        pa.field("field", text, False),
                        pa.field("value", text, False),
                        pa.field("span", pa.list_(pa.field("item", pa.int64(), False)), False),
                    ]
                ),
                False,
            )
        ),
        "flaws": pa.list_(pa.field("item", text, False)),
        "decision": struct(RecordDecision),
        "original.headers": headers,
    }
    return pa.schema([pa.field(name, nested.get(name, text), name in ("retry_after", "decision")) for name in fields or Record.__struct_fields__])


def batch_of(rows: list[Record], fields: tuple[str, ...] = ()) -> pa.RecordBatch:
    """Return `rows` as one Arrow batch of `schema(fields)`."""
    import pyarrow as pa

    wanted = schema(fields)
    return pa.RecordBatch.from_arrays([_column(rows, field) for field in wanted], schema=wanted)


def _column(rows: list[Record], field: pa.Field) -> pa.Array:
    import pyarrow as pa

    name, kind = field.name, field.type
    make = _NESTED.get(name)
    if make is not None:
        return make(rows, kind)
    get = getter(name)
    values: Iterable[Any] = [get(row) for row in rows]
    if name == "original.headers":
        values = [list(value.items()) for value in values]
    elif name.startswith(HEADERS) or pa.types.is_string(kind):
        values = [value if isinstance(value, str) else "" for value in values]
    return pa.array(values, kind)


def _struct(items: list[Any], kind: pa.StructType, names: dict[str, str], nullable: bool = False) -> pa.Array:
    import pyarrow as pa

    columns = []
    for field in kind:
        values: list[Any] = [None if item is None else getattr(item, names.get(field.name, field.name)) for item in items]
        if nullable and not field.nullable:
            values = ["" if value is None else value for value in values]
        if pa.types.is_map(field.type):
            values = [list(value.items()) for value in values]
        columns.append(pa.array(values, field.type))
    mask = pa.array([item is None for item in items], pa.bool_()) if nullable else None
    return pa.StructArray.from_arrays(columns, fields=list(kind), mask=mask)


def _original(rows: list[Record], kind: pa.StructType) -> pa.Array:
    return _struct([row.original for row in rows], kind, ORIGINAL)


def _proof(rows: list[Record], kind: pa.StructType) -> pa.Array:
    return _struct([row.proof for row in rows], kind, {})


def _decision(rows: list[Record], kind: pa.StructType) -> pa.Array:
    return _struct([row.decision for row in rows], kind, {}, True)


def _evidence(rows: list[Record], kind: pa.ListType) -> pa.Array:
    import pyarrow as pa

    offsets = [0]
    for row in rows:
        offsets.append(offsets[-1] + len(row.evidence))
    items = [item for row in rows for item in row.evidence]
    fields = list(kind.value_type)
    spans = pa.array([end for item in items for end in item.span], pa.int64())
    columns = [
        pa.array([item.source for item in items], pa.string()),
        pa.array([item.field for item in items], pa.string()),
        pa.array([item.value for item in items], pa.string()),
        pa.ListArray.from_arrays(pa.array(range(0, len(spans) + 1, 2), pa.int32()), spans, type=fields[3].type),
    ]
    inner = pa.StructArray.from_arrays(columns, fields=fields)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner, type=kind)


_NESTED: Final[dict[str, Callable[[list[Record], Any], Any]]] = {
    "original": _original,
    "proof": _proof,
    "decision": _decision,
    "evidence": _evidence,
}


def check_parquet() -> None:
    """Raise ImportError, with the way to mend it, where pyarrow is not there."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise ImportError(NEEDED) from None


class _Rows:
    """Takes records and gives row groups."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._fields = fields
        self._rows: list[Record] = []
        self._batches: list[pa.RecordBatch] = []
        self._count = 0

    def add(self, row: Record) -> pa.Table | None:
        self._rows.append(row)
        self._count += 1
        if len(self._rows) == BATCH:
            self._turn()
        return self.take() if self._count == ROWS else None

    def _turn(self) -> None:
        if self._rows:
            self._batches.append(batch_of(self._rows, self._fields))
            self._rows = []

    def take(self) -> pa.Table | None:
        """Return what is held; None for nothing."""
        import pyarrow as pa

        self._turn()
        held, self._batches, self._count = self._batches, [], 0
        return pa.Table.from_batches(held) if held else None


class Parquet:
    """Takes records as JSON lines and writes them to `file`, which `close` ends. `translated`: their reasons are in another system's words."""

    def __init__(self, file: IO[bytes], fields: tuple[str, ...] = (), translated: bool = False) -> None:
        from pyarrow.parquet import ParquetWriter

        self._decoder = _decoder(translated)
        fields = fields or _all(translated)
        self._rows = _Rows(fields)
        self._file: ParquetWriter = ParquetWriter(file, schema(fields), compression=COMPRESSION)

    def write(self, data: bytes) -> None:
        for row in self._decoder.decode_lines(data):
            group = self._rows.add(row)
            if group is not None:
                self._file.write_table(group)

    def close(self) -> None:
        group = self._rows.take()
        if group is not None:
            self._file.write_table(group)
        self._file.close()


class ParquetTree:
    """The same as a tree of folders `kind=bounce/day=2026-11-23/part-0.parquet` below `folder`, as DuckDB, Spark and pyarrow read it.

    What the folders say is not repeated in the files. A record without a time of arrival is under `day=unknown`.
    """

    def __init__(self, folder: str, by: tuple[str, ...], fields: tuple[str, ...] = (), translated: bool = False) -> None:
        check_parquet()
        self._folder = folder
        self._by = by
        self._decoder = _decoder(translated)
        self._fields = tuple(name for name in fields or _all(translated) if name not in by)
        self._open: dict[tuple[str, ...], tuple[_Rows, ParquetWriter]] = {}
        self._parts: dict[tuple[str, ...], int] = {}

    def write(self, data: bytes) -> None:
        for row in self._decoder.decode_lines(data):
            key = tuple([(row.arrived[:10] or "unknown") if name == "day" else str(getattr(row, name)) for name in self._by])
            rows, file = self._open.get(key) or self._begin(key)
            group = rows.add(row)
            if group is not None:
                file.write_table(group)

    def _begin(self, key: tuple[str, ...]) -> tuple[_Rows, ParquetWriter]:
        from pyarrow.parquet import ParquetWriter

        if len(self._open) == OPEN:
            self._end(next(iter(self._open)))
        folder = "/".join([self._folder, *(f"{name}={quote(value, '')}" for name, value in zip(self._by, key, strict=True))])
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        number = self._parts.get(key, 0)
        self._parts[key] = number + 1
        path = f"{folder}/part-{number}.parquet"
        self._open[key] = _Rows(self._fields), ParquetWriter(path, schema(self._fields), compression=COMPRESSION)
        return self._open[key]

    def _end(self, key: tuple[str, ...]) -> None:
        rows, file = self._open.pop(key)
        group = rows.take()
        if group is not None:
            file.write_table(group)
        file.close()

    def close(self) -> None:
        for key in list(self._open):
            self._end(key)


def _all(translated: bool) -> tuple[str, ...]:
    return Translated.__struct_fields__ if translated else Record.__struct_fields__


def _decoder(translated: bool) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(Translated if translated else Record)


def convert(lines: IO[bytes], to: Parquet | ParquetTree, size: int = 1 << 20) -> None:
    """Write the records of a file of JSON lines to `to`, a block at a time, and close it."""
    for block in _blocks(lines, size):
        to.write(block)
    to.close()


def _blocks(lines: IO[bytes], size: int) -> Iterator[bytes]:
    rest = b""
    while block := lines.read(size):
        whole, end, tail = block.rpartition(b"\n")
        if end:
            yield rest + whole + end
            rest = tail
        else:
            rest += block
    if rest:
        yield rest
