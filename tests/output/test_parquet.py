"""Parquet holds the record, whole and with its types, in one file or in a tree of partitions."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import pytest

from bounceparse import parse
from bounceparse.cli.options import PARTITIONS as OFFERED
from bounceparse.output.parquet import PARTITIONS, ROWS, Parquet, ParquetTree, batch_of, convert, schema
from bounceparse.record import Record, RecordDecision, encode_lines, records

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

FIXTURES = Path(__file__).parent.parent.parent / "fixtures" / "bounces"
PLAIN = [row for path in sorted(FIXTURES.rglob("*.eml")) for row in records(parse(path.read_bytes()), path.name)]
ROWS_OF_ALL_KINDS = [
    *PLAIN,
    msgspec.structs.replace(PLAIN[0], decision=RecordDecision("suppress", "default/user_unknown"), retry_after=60),
    msgspec.structs.replace(PLAIN[1], original=msgspec.structs.replace(PLAIN[1].original, headers={"X-Campaign": "ä"})),
]


def as_json(row: dict[str, object]) -> dict[str, object]:
    """A row of Parquet in the shape of the JSON record."""
    original = dict(row["original"])  # type: ignore[call-overload]
    return {**row, "original": {**original, "headers": dict(original["headers"])}}


def test_the_schema_is_the_record() -> None:
    assert tuple(schema().names) == Record.__struct_fields__
    assert [field.name for field in schema() if field.nullable] == ["retry_after", "decision"]
    assert OFFERED == PARTITIONS
    assert set(PARTITIONS) - {"day"} < set(Record.__struct_fields__)


def test_every_record_comes_back() -> None:
    file = io.BytesIO()
    out = Parquet(file)
    for row in ROWS_OF_ALL_KINDS:
        out.write(encode_lines([row]))
    out.close()
    table = pq.read_table(io.BytesIO(file.getvalue()))
    assert table.schema.equals(schema())
    assert [as_json(row) for row in table.to_pylist()] == [json.loads(encode_lines([row])) for row in ROWS_OF_ALL_KINDS]
    assert batch_of([]).num_rows == 0


def test_the_same_records_give_the_same_bytes_however_they_come() -> None:
    lines = encode_lines(PLAIN[:40] * (ROWS // 40 + 9))
    files = [io.BytesIO(), io.BytesIO(), io.BytesIO()]
    for file, size in zip(files, (1 << 20, 1000, len(lines)), strict=True):
        convert(io.BytesIO(lines), Parquet(file), size)
    assert files[0].getvalue() == files[1].getvalue() == files[2].getvalue()
    assert pq.ParquetFile(io.BytesIO(files[0].getvalue())).num_row_groups == 2


def test_chosen_fields() -> None:
    file = io.BytesIO()
    out = Parquet(file, ("recipient", "original.subject", "original.headers.x-campaign", "flaws", "retry_after"))
    out.write(encode_lines(ROWS_OF_ALL_KINDS))
    out.close()
    table = pq.read_table(io.BytesIO(file.getvalue()))
    assert table.column("recipient").to_pylist() == [row.recipient for row in ROWS_OF_ALL_KINDS]
    assert table.column("original.headers.x-campaign").to_pylist()[-1] == "ä"
    assert table.column("retry_after").to_pylist()[-2] == 60


def test_partitions(tmp_path: Path) -> None:
    import pyarrow.dataset as ds

    out = ParquetTree(str(tmp_path / "t"), ("kind", "day"))
    out.write(encode_lines(PLAIN))
    out.close()
    table = ds.dataset(tmp_path / "t", partitioning="hive").to_table()
    assert set(table.column_names) == {*Record.__struct_fields__, "day"}
    assert sorted(zip(table["id"].to_pylist(), table["kind"].to_pylist(), strict=True)) == sorted((row.id, row.kind) for row in PLAIN)
    assert {path.name for path in (tmp_path / "t").iterdir()} == {f"kind={row.kind}" for row in PLAIN}


def test_duckdb_reads_it(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    with (tmp_path / "a.parquet").open("wb") as file:
        out = Parquet(file)
        out.write(encode_lines(PLAIN))
        out.close()
    found = duckdb.sql(f"select reason, count(*) from '{tmp_path}/a.parquet' where bounce = 'hard' group by all").fetchall()
    assert sum(number for _, number in found) == sum(row.bounce == "hard" for row in PLAIN)
