"""Packed files: one stream behind gzip, bzip2, xz or Zstandard, and the members of a zip or tar.

A packed file that breaks off gives what came before the break; then the failure is told. Unpacking is a stream, so a bomb costs time and no memory.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final

from bounceparse.intake.eml import Read
from bounceparse.intake.failure import Failure, OnFailure, UnreadableError, failed
from bounceparse.intake.form import Form

SPOOL: Final = 1 << 25  # bytes of a zip from a pipe that are held in memory before a temporary file is used


class Chained(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, read: Read) -> None:
        self._head = head
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._head[: len(buffer)] or self._read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def unpacked(form: Form, stream: IO[bytes], origin: str, on_failure: OnFailure) -> Read:
    """Return a reader of the bytes behind `stream`. When it breaks, the failure is told once and the reader is at its end."""
    opened: io.BufferedReader | None = _OPENERS[form](stream)

    def read(size: int) -> bytes:
        nonlocal opened
        pieces = []
        try:
            while opened is not None and size > 0 and (piece := opened.read1(size)):
                pieces.append(piece)
                size -= len(piece)
        except (OSError, EOFError, ValueError, zlib.error, _lzma_error()) as error:
            opened = None
            why = "broken off" if isinstance(error, EOFError) else failed(origin, error).why
            on_failure(Failure(origin, "unreadable", f"damaged {form} data: {why}"))
        return b"".join(pieces)

    return read


def _lzma_error() -> type[Exception]:
    from lzma import LZMAError

    return LZMAError


def _gzip(stream: IO[bytes]) -> io.BufferedReader:
    from gzip import GzipFile

    return GzipFile(fileobj=stream)  # type: ignore[return-value]


def _bzip2(stream: IO[bytes]) -> io.BufferedReader:
    from bz2 import BZ2File

    return BZ2File(stream)  # type: ignore[return-value]


def _xz(stream: IO[bytes]) -> io.BufferedReader:
    from lzma import LZMAFile

    return LZMAFile(stream)  # type: ignore[return-value]


def _zstd(stream: IO[bytes]) -> io.BufferedReader:
    try:
        from compression.zstd import ZstdFile  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        try:
            from zstandard import ZstdDecompressor  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            raise UnreadableError("Zstandard needs one more package: pip install zstandard") from None
        return io.BufferedReader(ZstdDecompressor().stream_reader(stream, read_across_frames=True))
    return ZstdFile(stream)  # type: ignore[no-any-return,unused-ignore]


_OPENERS: Final[dict[str, Callable[[IO[bytes]], io.BufferedReader]]] = {"gzip": _gzip, "bzip2": _bzip2, "xz": _xz, "zstd": _zstd}


def members(form: Form, stream: IO[bytes], origin: str, on_failure: OnFailure) -> Iterator[tuple[str, Read]]:
    """Yield (origin, reader) for each file of a zip or tar, in the order of the archive. A reader is good until the next one is asked for."""
    yield from (_zip_members if form == "zip" else _tar_members)(stream, origin, on_failure)


def _is_wanted(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _zip_members(stream: IO[bytes], origin: str, on_failure: OnFailure) -> Iterator[tuple[str, Read]]:
    import shutil
    import tempfile
    import zipfile

    with tempfile.SpooledTemporaryFile(max_size=SPOOL) as spool:
        if not stream.seekable():
            shutil.copyfileobj(stream, spool)
            stream = spool
        try:
            with zipfile.ZipFile(stream) as archive:
                for info in archive.infolist():
                    inner = f"{origin}/{info.filename}"
                    if info.is_dir() or not _is_wanted(info.filename):
                        continue
                    if info.flag_bits & 1:
                        on_failure(Failure(inner, "unreadable", "is encrypted"))
                        continue
                    try:
                        with archive.open(info) as member:
                            yield inner, _guarded(member.read, inner, on_failure)
                    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
                        on_failure(failed(inner, error))
        except zipfile.BadZipFile as error:
            on_failure(Failure(origin, "unreadable", f"damaged zip data: {error}"))


def _tar_members(stream: IO[bytes], origin: str, on_failure: OnFailure) -> Iterator[tuple[str, Read]]:
    import tarfile

    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                archive.members = []  # type: ignore[attr-defined]  # it keeps every header otherwise
                if not info.isreg() or not _is_wanted(info.name.removeprefix("./")):
                    continue
                member = archive.extractfile(info)
                if member is not None:
                    inner = f"{origin}/{info.name}"
                    yield inner, _guarded(member.read, inner, on_failure)
    except (tarfile.TarError, OSError, EOFError) as error:
        on_failure(Failure(origin, "unreadable", f"damaged tar data: {error}"))


def _guarded(read: Read, origin: str, on_failure: OnFailure) -> Read:
    """Return `read` so that damage is told once and then is the end."""
    from tarfile import TarError
    from zipfile import BadZipFile

    broken = False

    def guarded(size: int) -> bytes:
        nonlocal broken
        if broken:
            return b""
        try:
            return read(size)
        except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zlib.error, _lzma_error(), BadZipFile, TarError) as error:
            broken = True
            on_failure(failed(origin, error))
            return b""

    return guarded
