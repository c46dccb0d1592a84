"""A cluster makes the records that one machine makes. Runs on two worker processes; needs Java and pyspark, and is skipped in one line without."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bounceparse.batch import run
from bounceparse.engine import parse
from bounceparse.record import Record, encode_lines, records
from tests.output.test_parquet import FIXTURES, as_json

pyspark = pytest.importorskip("pyspark")
pytest.importorskip("pyarrow")
if not shutil.which("java") and not os.environ.get("JAVA_HOME"):
    pytest.skip("needs Java", allow_module_level=True)

from bounceparse.integrations.spark import count_strikes, parse_messages, read_mbox, schema, stream_messages  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pyspark")
FROM = b"From a@example.com  Mon Jan  5 00:00:00 2026\n"
MAILS = [path.read_bytes().replace(b"\r\n", b"\n") for path in sorted(FIXTURES.rglob("*.eml"))]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    root = Path(__file__).parent.parent.parent
    kept = dict(os.environ)
    os.environ |= {
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(tmp_path_factory.mktemp("work")),
    }
    session = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .appName("bounceparse")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.files.openCostInBytes", "1000")  # few tasks for many small files
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("house")))
        .config("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"])
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()
    os.environ.clear()
    os.environ |= kept


def mailbox(mails: list[bytes]) -> bytes:
    return b"".join(FROM + mail.replace(b"\nFrom ", b"\n>From ") + (b"\n" if mail.endswith(b"\n") else b"\n\n") for mail in mails)


def rows(frame: Any) -> list[str]:
    return sorted(json.dumps(as_json(row.asDict(True)), sort_keys=True) for row in frame.collect())


def expected(found: list[Record]) -> list[str]:
    return sorted(json.dumps(json.loads(encode_lines([row])), sort_keys=True) for row in found)


def one_machine(path: Path) -> list[Record]:
    found: list[Record] = []
    for some in run([str(path)], records, recurse=True):
        assert isinstance(some, list)
        found += some
    return found


def test_files_of_one_message(spark: Any, tmp_path: Path) -> None:
    for number, mail in enumerate(MAILS):
        (tmp_path / f"{number:03} ä.eml").write_bytes(mail)
    frame = parse_messages(spark.read.format("binaryFile").load(str(tmp_path)))
    assert frame.schema == schema()
    assert frame.columns == list(Record.__struct_fields__)
    assert rows(frame) == expected(one_machine(tmp_path))


def test_any_column(spark: Any) -> None:
    frame = spark.createDataFrame([(bytearray(MAILS[0]), 7)], "raw binary, n int")
    assert rows(parse_messages(frame, "raw")) == expected(records(parse(MAILS[0])))
    assert rows(parse_messages(frame, "raw", origin="n")) == expected(records(parse(MAILS[0]), "7"))


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_mailbox_is_cut_anywhere(spark: Any, tmp_path: Path, newline: bytes) -> None:
    (tmp_path / "a.mbox").write_bytes((b"\n" + mailbox(MAILS[:30])).replace(b"\n", newline))
    whole = expected(one_machine(tmp_path))
    for size in (20_001, 1 << 26):
        assert rows(read_mbox(spark, str(tmp_path / "a.mbox"), size=size)) == whole
    (tmp_path / "b.mbox").write_bytes(mailbox(MAILS[30:40]))
    assert rows(read_mbox(spark, str(tmp_path), size=40_000)) == expected(one_machine(tmp_path))


def test_what_is_no_mailbox_is_said(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(MAILS[0])
    with pytest.raises(ValueError, match="no mailbox"):
        read_mbox(spark, str(tmp_path))
    with pytest.raises(FileNotFoundError):
        read_mbox(spark, str(tmp_path / "missing"))


def test_a_folder_where_mail_arrives(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()

    def take() -> list[str]:
        stream = stream_messages(spark, str(tmp_path / "in")).writeStream.format("parquet")
        stream = stream.option("path", str(tmp_path / "out")).option("checkpointLocation", str(tmp_path / "state"))
        stream.trigger(availableNow=True).start().awaitTermination()
        return rows(spark.read.parquet(str(tmp_path / "out")))

    for part in (MAILS[:9], MAILS[9:15]):
        for mail in part:
            (tmp_path / "in" / f"{MAILS.index(mail)}.eml").write_bytes(mail)
        found = take()
    assert found == expected(one_machine(tmp_path / "in"))


def test_strikes(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(mailbox(MAILS * 2))
    counts: dict[tuple[str, str], list[Record]] = {}
    for row in one_machine(tmp_path):
        if row.kind == "bounce" and row.fault == "recipient" and row.certainty != "guess" and row.recipient:
            counts.setdefault((row.recipient.lower(), row.reason), []).append(row)
    frame = count_strikes(read_mbox(spark, str(tmp_path), size=100_000))
    assert {(row["address"], row["reason"]): (row["strikes"], row["messages"], row["first"], row["last"]) for row in frame.collect()} == {
        key: (len({row.arrived[:10] for row in found}), len({row.id for row in found}), min(r.arrived for r in found), max(r.arrived for r in found))
        for key, found in counts.items()
    }
