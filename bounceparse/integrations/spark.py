"""PySpark: messages in a DataFrame, records out, on as many machines as there are. `pip install 'bounceparse[spark]'` on each of them.

    from bounceparse.integrations.spark import count_strikes, parse_messages, read_mbox, stream_messages

    records = parse_messages(spark.read.format("binaryFile").load("bounces/"))     # one message a file
    records = read_mbox(spark, "bounces.mbox")                                      # large mailboxes, cut for the workers
    count_strikes(records).where("strikes >= 3").show()

    records = stream_messages(spark, "arriving/")                                   # whatever arrives in a folder
    records.writeStream.format("parquet").option("path", "out").option("checkpointLocation", "state").start()

Each record is the one that a single machine makes. Rows travel as Arrow batches; the engine is made once in each worker process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import IO, TYPE_CHECKING, Any, Final

from bounceparse.engine import Engine
from bounceparse.intake import raise_failure, walk
from bounceparse.intake.eml import Read
from bounceparse.intake.form import HEAD, tell
from bounceparse.intake.mbox import newline_of, scan, split
from bounceparse.output import parquet
from bounceparse.record import Record, records

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

SPLIT: Final = 1 << 26  # bytes of a mailbox that one task reads
ROWS: Final = 512  # records of one batch
_BEFORE: Final = 4  # bytes before a separator that are needed to see it
_RANGE: Final = "path string, start long, end long, first long"


def schema() -> StructType:
    """Return the schema of the record as Spark has it: the one of our Parquet files."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(parquet.schema())


def parse_messages(df: DataFrame, column: str = "content", *, origin: str = "", rules: Sequence[str] = (), headers: Sequence[str] = ()) -> DataFrame:
    """Return the records of the messages in the binary column `column`, one message a row.

    `origin` names the column that says where a message comes from; without it `path` is taken where there is one, as in the source binaryFile.
    `rules` are files that every worker can open. Streams and batches alike.
    """
    from pyspark.sql.functions import col, lit

    origin = origin or ("path" if "path" in df.columns else "")
    named = col(origin).cast("string") if origin else lit("")
    return df.select(col(column).cast("binary").alias("content"), named.alias("origin")).mapInArrow(
        partial(_parse, tuple(rules), tuple(headers)), schema()
    )


def stream_messages(spark: SparkSession, folder: str, *, glob: str = "*", **more: Any) -> DataFrame:
    """Return the records of every message that is in `folder` or arrives there, as a stream; `more` as in `parse_messages`.

    Files have to arrive whole: written elsewhere, then moved into the folder, as a Maildir does.
    """
    content = "path string, modificationTime timestamp, length long, content binary"
    return parse_messages(spark.readStream.format("binaryFile").schema(content).option("pathGlobFilter", glob).load(folder), **more)


def read_mbox(spark: SparkSession, path: str, *, size: int = SPLIT, rules: Sequence[str] = (), headers: Sequence[str] = ()) -> DataFrame:
    """Return the records of a mailbox, or of all mailboxes in a folder, in pieces of `size` bytes; origins are `path#number` as on one machine.

    `path` is one that every worker can open, or an address that pyarrow knows (s3://, hdfs://, gs://). The messages are counted first, by the
    workers, when this is called. Raises OSError for what cannot be read, and ValueError for a file that is no mailbox.
    """
    ranges = [(name, start, min(start + size, length), 0) for name, length in _mailboxes(path) for start in range(0, length, size)]
    if not ranges:
        return spark.createDataFrame([], schema())
    counted = spark.createDataFrame(ranges, _RANGE).repartition(len(ranges)).mapInArrow(_count, "path string, start long, count long").collect()
    counts = {(row["path"], row["start"]): row["count"] for row in counted}
    numbered = []
    first, last = 1, ""
    for name, start, end, _ in ranges:
        first = first if name == last else 1
        numbered.append((name, start, end, first))
        first, last = first + counts[name, start], name
    frame = spark.createDataFrame(numbered, _RANGE).repartition(len(numbered))
    return frame.mapInArrow(partial(_read, tuple(rules), tuple(headers)), schema())


def count_strikes(df: DataFrame) -> DataFrame:
    """Return for each address and reason that speaks against it: `strikes`, the days with a bounce; `messages`; and the `first` and `last` arrival.

    Only bounces whose fault is the recipient's, and that are more than a guess, count; one a day, as the policies have it.
    """
    from pyspark.sql.functions import col, count_distinct, lower, max, min, substring

    wanted = (col("kind") == "bounce") & (col("fault") == "recipient") & (col("certainty") != "guess") & (col("recipient") != "")
    return (
        df.where(wanted)
        .groupBy(lower("recipient").alias("address"), "reason")
        .agg(
            count_distinct(substring("arrived", 1, 10)).alias("strikes"),
            count_distinct("id").alias("messages"),
            min("arrived").alias("first"),
            max("arrived").alias("last"),
        )
    )


@lru_cache(maxsize=4)
def _engine(rules: tuple[str, ...], headers: tuple[str, ...]) -> Engine:
    return Engine(rules, headers)


def _batches(found: Iterable[list[Record]]) -> Iterator[pa.RecordBatch]:
    rows: list[Record] = []
    for some in found:
        rows += some
        while len(rows) >= ROWS:
            yield parquet.batch_of(rows[:ROWS])
            rows = rows[ROWS:]
    if rows:
        yield parquet.batch_of(rows)


def _parse(rules: tuple[str, ...], headers: tuple[str, ...], batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    parse = _engine(rules, headers).parse
    pairs = (pair for batch in batches for pair in zip(batch.column(0), batch.column(1), strict=True))
    yield from _batches(records(parse(raw.as_py() or b""), _local(origin.as_py() or "")) for raw, origin in pairs)


def _local(path: str) -> str:
    """Return a path without the scheme that Spark puts before those of the file system."""
    for scheme in ("file://", "file:"):
        if path.startswith(scheme):
            return path[len(scheme) :]
    return path


def _is_remote(path: str) -> bool:
    return "://" in path and not path.startswith("file:")


def _open(path: str) -> IO[bytes]:
    if not _is_remote(path):
        return open(path, "rb", buffering=0)  # noqa: PTH123
    from pyarrow.fs import FileSystem

    system, name = FileSystem.from_uri(path)
    found: IO[bytes] = system.open_input_file(name)
    return found


def _mailboxes(path: str) -> Iterator[tuple[str, int]]:
    """Yield path and size of each mailbox that `path` stands for."""
    if _is_remote(path):
        from pyarrow.fs import FileSelector, FileSystem, FileType

        system, name = FileSystem.from_uri(path)
        info = system.get_file_info(name)
        root = path[: len(path) - len(name)] if path.endswith(name) else f"{path.split('://')[0]}://"
        found = [info] if info.type == FileType.File else sorted(system.get_file_info(FileSelector(name, recursive=True)), key=lambda one: one.path)
        files = [(root + one.path, one.size) for one in found if one.type == FileType.File]
    else:
        files = [(entry.path, entry.size) for entry in walk((_local(path),), True, raise_failure)]
    for name, size in files:
        with _open(name) as file:
            if tell(file.read(HEAD)) != "mbox":
                raise ValueError(f"{name} is no mailbox; parse_messages reads files of one message")
        yield name, size


def _starts(file: IO[bytes], start: int, end: int) -> Iterator[int]:
    """Yield where the messages begin that begin in [start, end)."""
    head = file.read(1 << 16)
    first = len(head) - len(head.lstrip(b"\xef\xbb\xbf \t\r\n"))
    if start <= first < end:
        yield first
    from_here = max(0, start - _BEFORE)
    file.seek(from_here)
    for found in scan(file.read, from_here, newline_of(head)):
        if found >= end:
            return
        if found >= start and found > first:
            yield found


def _ranges(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, int, int, int]]:
    for batch in batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for path, start, end, _ in _ranges(batches):
        with _open(path) as file:
            number = sum(1 for _ in _starts(file, start, end))
        yield pa.RecordBatch.from_pydict({"path": [path], "start": [start], "count": [number]})


def _read(rules: tuple[str, ...], headers: tuple[str, ...], batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    parse = _engine(rules, headers).parse
    for path, start, end, first in _ranges(batches):
        with _open(path) as file:
            begin = next(_starts(file, start, end), -1)
            if begin >= 0:
                file.seek(begin)
                mails = _until(file.read, begin, end)
                yield from _batches(records(parse(mail), f"{path}#{number}") for number, mail in enumerate(mails, first))


def _until(read: Read, begin: int, end: int) -> Iterator[bytes]:
    for start, _, mail in split(read, begin):
        if start >= end:
            return
        yield mail
