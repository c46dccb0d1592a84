"""The document of the HTTP API held against a running server by schemathesis: what fits the document is served, what does not is refused."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from bounceparse.engine import default_engine
from bounceparse.intake.webhooks.postmark import Postmark
from bounceparse.ledger import Ledger
from bounceparse.policy import Policy
from bounceparse.server.access import SCOPES, Access, Token
from bounceparse.server.work import Work
from tests.server.running import running

TOKEN = "all-all-all-all-all-all"
EXAMPLES = 20  # random ones of each kind for each operation, beside those that follow from the document itself


def test_the_document_and_the_server_agree(tmp_path: Path) -> None:
    access = Access((Token("all", sha256(TOKEN.encode()).digest(), frozenset(SCOPES)),))
    with Ledger(str(tmp_path / "bounces.db"), durable=False) as ledger:
        with running(Work(default_engine(), Policy.preset("default"), ledger, [Postmark(TOKEN)]), access) as api:
            document = f"http://127.0.0.1:{api.port}/openapi.json"
            command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", document, "--header", f"Authorization: Bearer {TOKEN}"]
            command += ["--generation-deterministic", "--max-examples", str(EXAMPLES), "--warnings", "off"]
            told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
        assert "status=500" not in api.log.getvalue()
        assert list(ledger.suppressions()), "some requests got through"
