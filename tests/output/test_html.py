"""The HTML report: nothing of a mail is markup in it, nothing is fetched, nobody is named."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from bounceparse.engine import default_engine
from bounceparse.output.html import Page
from bounceparse.output.summary import Summary
from bounceparse.record import Record, records
from tests import golden

TABLES = default_engine().tables
ROWS = [row for path in golden.fixtures() for row in records(default_engine().parse(path.read_bytes()), path.name)]
HOSTILE = "550 5.1.1 </code><script>document.title='x'</script><img src=http://x.example/a onerror=alert(1)> \"'&\u202e"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OFFLINE = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"),
)


def page_of(rows: list[Record], show: bool = False) -> str:
    summary = Summary(lambda row: "other" if len(row.recipient) % 3 else f"provider {len(row.recipient) % 5}")
    for row in rows:
        summary.add(row)
    return Page(summary, TABLES.reasons, ["bounces.mbox", "<b>.mbox"], show).render().decode()


def hostile() -> list[Record]:
    row = next(row for row in ROWS if row.kind == "bounce" and row.recipient and row.status)
    said = {"diagnostic": HOSTILE, "recipient": f"a@{HOSTILE}", "status": HOSTILE, "reply_code": HOSTILE, "arrived": HOSTILE, "dialect": HOSTILE}
    return [msgspec.structs.replace(row, **said, reason=name, blocklist=HOSTILE, fault="sender") for name in ("undetermined", "spam")]


class Reader(HTMLParser):
    """Notes the elements and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.told: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.told |= {name for name, _ in attrs}


@pytest.mark.parametrize("rows", [ROWS, hostile(), []], ids=["fixtures", "hostile", "nothing"])
def test_there_is_nothing_but_text(rows: list[Record]) -> None:
    page = Reader(page_of(rows, show=True))
    assert page.found <= {
        *("html", "meta", "title", "style", "h1", "h2", "p", "div", "b", "i", "span", "small", "code", "table", "tr", "th", "td", "footer"),
        *("svg", "g", "rect"),
    }  # fmt: skip
    assert not page.told & {"src", "href", "onerror", "onload", "action"}


def test_everything_that_failed_is_counted() -> None:
    failed = [row for row in ROWS if row.kind in ("bounce", "delay")]
    hard = sum(row.kind == "bounce" and row.bounce == "hard" for row in failed)
    page = page_of(ROWS)
    assert f"{len(ROWS):,} records from bounces.mbox, &lt;b&gt;.mbox, " in page
    assert f"<b>{hard:,}</b><span>hard, " in page
    for reason in ("user_unknown", "mailbox_full", "blocklisted"):
        count = sum(row.reason == reason for row in failed)
        cell = page[page.index(f"<b>{reason}</b>") :]
        assert re.search(r'<td class="n">([\d,]+)', cell)[1] == f"{count:,}"  # type: ignore[index]


def test_addresses_are_masked_unless_they_are_to_be_shown() -> None:
    row = next(row for row in ROWS if row.kind == "bounce" and row.recipient and row.recipient in row.diagnostic)
    assert row.recipient not in page_of([row])
    assert row.recipient in page_of([row], show=True)


def test_a_long_time_is_shown_by_month() -> None:
    row = next(row for row in ROWS if row.kind == "bounce")
    days = [f"20{year}-{month:02d}-{day:02d}T00:00:00Z" for year in (25, 26) for month in (1, 6) for day in range(1, 29)]
    assert "<h2>By month</h2>" in page_of([msgspec.structs.replace(row, arrived=day) for day in days])
    assert "<h2>By day</h2>" in page_of([msgspec.structs.replace(row, arrived=day) for day in days[:28]])
    assert "<h2>By" not in page_of([row])


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_a_browser_shows_it(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page_of([*ROWS, *hostile()]), "utf-8")
    command = [str(BROWSER), *OFFLINE, f"--user-data-dir={tmp_path}/profile", "--enable-logging=stderr"]
    done = subprocess.run(
        [*command, "--dump-dom", (tmp_path / "report.html").as_uri()], capture_output=True, text=True, encoding="utf-8", timeout=120, check=True
    )
    assert "<title>Bounces: bounces.mbox, " in done.stdout and "<script" not in done.stdout
    assert "CONSOLE" not in done.stderr, done.stderr
    assert Reader(done.stdout).found >= {"table", "svg", "tbody"}
