"""A PostgreSQL server of one's own: Debian's programs, run as somebody without rights, in a folder that goes away, on a socket in it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("initdb", "pg_ctl", "postgres")
USER = "bounceparse"


def find_programs() -> Path | None:
    """The folder that holds the programs of the newest PostgreSQL, None when there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0)
    on_path = shutil.which("initdb")
    if on_path:
        folders.insert(0, Path(on_path).resolve().parent)
    return next((folder for folder in reversed(folders) if all((folder / name).is_file() for name in PROGRAMS)), None)


def unprivileged() -> str | None:
    """Whom to run the server as: PostgreSQL does not start as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return None


@contextmanager
def running(programs: Path, durable: bool = False) -> Iterator[str]:
    """Start a server; give its URL. What is not `durable` does not wait for the disk."""
    user = unprivileged()
    in_memory = Path("/dev/shm")
    home = Path(tempfile.mkdtemp(prefix="bp-pg-", dir=in_memory if not durable and os.access(in_memory, os.W_OK) else None))
    try:
        if user is not None:
            shutil.chown(home, user)

        def run(*command: str | Path) -> None:
            done = subprocess.run(
                command, cwd=home, user=user, capture_output=True, text=True, check=False, timeout=120, env={"LC_ALL": "C", "PATH": ""}
            )
            assert done.returncode == 0, done.stdout + done.stderr

        data = home / "data"
        run(programs / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        sync = "on" if durable else "off"
        settings = f"-c listen_addresses='' -c unix_socket_directories='{home}' -c max_connections=60 -c max_wal_size=64MB -c fsync={sync}"
        run(programs / "pg_ctl", "start", "-w", "-D", data, "-l", home / "log", "-o", settings)
        try:
            yield f"postgresql://{USER}@/postgres?host={home}"
        finally:
            run(programs / "pg_ctl", "stop", "-m", "immediate", "-D", data)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def create(server: str, name: str) -> str:
    """Make a schema, which is as good as a database and costs less; return its URL."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as link:
        link.execute(f"CREATE SCHEMA {name}")
    return f"{server}&options=-csearch_path%3D{name}"
