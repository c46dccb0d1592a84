"""Where a message goes that was read and could not be finished: a folder, with the reason beside it. Nothing that was read is lost."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from typing import Final

import msgspec

from bounceparse.cli.files import cannot_create
from bounceparse.intake import Failure

USUAL: Final = "bounceparse-quarantine"  # for what came through a pipe, and is nowhere else, when no folder was named
INDEX: Final = "index.jsonl"


class Quarantine:
    """Keeps messages that were lost, each in a file named after its content; `index.jsonl` says where each came from, and why it is there."""

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder
        self.count = 0

    def keep(self, failure: Failure) -> str:
        """Put aside what is lost with `failure`; return where it is now, "" when there is no need. Raises Stop when it cannot be written."""
        if failure.trouble != "lost":
            return ""
        piped = failure.origin == "-" or failure.origin.startswith("-#")
        folder = self._folder or (USUAL if piped and failure.data else "")
        if not folder:
            return ""
        try:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            path = self._write(folder, failure)
        except OSError as error:
            raise cannot_create(folder, error) from None
        self.count += bool(path)
        return path

    def _write(self, folder: str, failure: Failure) -> str:
        if failure.data:
            name = f"{sha256(failure.data).hexdigest()[:16]}.{'mbox' if failure.data.startswith(b'From ') else 'eml'}"
        elif os.path.isfile(failure.origin):  # noqa: PTH113
            name = f"{sha256(os.fsencode(failure.origin)).hexdigest()[:16]}-{os.path.basename(failure.origin)}"  # noqa: PTH119
        else:
            return ""
        path = os.path.join(folder, name)  # noqa: PTH118
        if not os.path.exists(path):  # noqa: PTH110  # it is there already when the same run goes on, or when a mail comes twice
            beside = f"{path}.part"
            if failure.data:
                with open(beside, "wb") as file:  # noqa: PTH123
                    file.write(failure.data)
            else:
                shutil.copyfile(failure.origin, beside)
            line = msgspec.json.encode({"file": name, "origin": failure.origin.encode(errors="replace").decode(), "why": failure.why}) + b"\n"
            with open(os.path.join(folder, INDEX), "ab") as file:  # noqa: PTH118, PTH123
                file.write(line)
            os.replace(beside, path)  # noqa: PTH105
        return path
