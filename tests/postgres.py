"""A PostgreSQL server of the tests' own, from Debian's package, on a Unix socket in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiment.data.store import Store


class Postgres:
    """One cluster; `url` names a database in it. Started and stopped by hand, so that a restart can be tried."""

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            raise RuntimeError("PostgreSQL is not installed; run 'make setup' as root")
        self.bin = found[-1].parent
        self.folder = Path(tempfile.mkdtemp(prefix="tastelab-pg-", dir="/tmp"))
        # The server refuses to run as root.
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user, pwd.getpwnam(self.user).pw_gid)
        self._run(
            "initdb",
            "-D",
            str(self.folder / "data"),
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--no-locale",
        )
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.bin / program), *arguments]
        if self.user:
            command = ["runuser", "-u", self.user, "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def start(self) -> None:
        # The server crashes here, the computer does not: what it handed over to the system is there, synchronised or not.
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=120 -c fsync=off"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """``"immediate"`` is as good as a crash: connections are cut, nothing is written out."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "stop")

    def database(self, name: str) -> str:
        """Make an empty database; returns its URL."""
        self._run("createdb", "-h", str(self.folder), "-U", "postgres", name)
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def copied(self, name: str, master: str) -> str:
        """A database with all that is in another, which nobody may be connected to; returns its URL."""
        self._run("createdb", "-h", str(self.folder), "-U", "postgres", "-T", master, name)
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def holding(self, store: Store, words: list[str]) -> list[str]:
        """Files of a database, as they lie on the disk after a checkpoint, that hold one of these words."""
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
            c.exec_driver_sql("CHECKPOINT")
            number = c.exec_driver_sql("SELECT oid FROM pg_database WHERE datname = current_database()").scalar_one()
        files = sorted((self.folder / "data" / "base" / str(number)).iterdir())
        assert len(files) > 100
        return [f"{p.name}: {w}" for p in files if p.is_file() for w in words if w.encode() in p.read_bytes()]

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
