"""A file that is still being written to, as `tail -F` reads it: through rotation, truncation and times when there is none."""

from __future__ import annotations

import os
import time
from typing import IO, Final

PAUSE: Final = 0.25  # seconds between two looks at a file that did not grow


class Follower:
    """Reads a file and then what is added to it, for ever. Raises OSError at once when the file cannot be opened; later it is waited for."""

    def __init__(self, path: str, pause: float = PAUSE) -> None:
        self._path = path
        self._pause = pause
        self._file: IO[bytes] = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, at least one: waits until there are any.

        A line end is given before the first byte of the next file, so that a line that was cut off by rotation does not swallow another.
        """
        while True:
            data = self._file.read(size)
            if data:
                return data
            if self._moved_on():
                return b"\n"
            time.sleep(self._pause)

    def close(self) -> None:
        self._file.close()

    def _moved_on(self) -> bool:
        """Go to the new file, or to the beginning of a shortened one; return whether there was one."""
        old = os.fstat(self._file.fileno())
        try:
            new = os.stat(self._path)  # noqa: PTH116
            if (new.st_dev, new.st_ino) != (old.st_dev, old.st_ino):
                last = self._file.read(1)
                if last:  # written between the last read and the rotation
                    self._file.seek(-1, os.SEEK_CUR)
                    return False
                file = open(self._path, "rb", buffering=0)  # noqa: PTH123, SIM115
                self._file.close()
                self._file = file
                return True
        except FileNotFoundError:  # between two files
            return False
        if old.st_size < self._file.tell():
            self._file.seek(0)
            return True
        return False
