"""A withdrawal that is killed at any of its steps and run again; what is left of the person is looked for byte by byte.

The world: a study with three people in it, backups of three booths (one of them switched off), exports with what an older one
left in a hidden folder, a key file, a frozen snapshot and a report made of it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from analysis.data.frames import load
from analysis.data.freeze import freeze
from experiment.data.backups import backup
from experiment.data.connect import sqlite_url
from experiment.data.copies import register
from experiment.data.erasure import at_start, list_of
from experiment.data.exports.write import export
from experiment.data.keyfile import KeyFile
from experiment.data.store import Store
from experiment.data.tables import Base
from experiment.errors import ExperimentError
from tastelab.withdrawing import Asked, go_on, snapshots, withdraw_from
from tests.experiment.data.rows import Asked as Trial
from tests.experiment.data.rows import sat

CODE = "gone-4711x"
SIGNS = ("UNMISTAKABLE", CODE, "Ada Byron")
WATCHED = ("/experiment/data/", "/tastelab/withdrawing")


def answers(word: str) -> list[Trial]:
    return [
        Trial("demographics", {"sex": (None, word, 1.5), "age": (33.0, None, 2.25), "ethnicity": (None, word, 0.5)}),
        Trial("preference", {"preference": (2.0, None, 7.125)}, "sweet", "sweet-finetuned-000", "sweet-base-000"),
    ]


@dataclass(frozen=True)
class World:
    """Everything lies in `folder`; the database there too, or at a server."""

    folder: Path
    url: str

    @property
    def asked(self) -> Asked:
        return Asked(self.folder / "outputs", self.folder / "participants.key", backups=self.near)

    @property
    def near(self) -> Path:
        return self.folder / "near" / "backups"

    @property
    def off(self) -> Path:
        """Where the third booth's folder is while it is switched off."""
        return self.folder / "booth3.off"

    @property
    def booth(self) -> Path:
        return self.folder / "booth3"

    def build(self) -> None:
        """Somebody before, the person, somebody after; each kind of copy made while the person is in it."""
        store = Store(self.url)
        sat(store, "before", answers("male"), secret="kept")
        backup(store, self.near)
        sat(store, CODE, answers("UNMISTAKABLE"), secret="UNMISTAKABLE")
        sat(store, "after", answers("female"), secret="kept")
        for folder in (self.near, self.folder / "a%20b what?", self.booth / "backups"):
            backup(store, folder)
        out = self.folder / "outputs" / "s"
        for kind in ("csv", "psychopy"):
            export(store, "s", kind, out / "export")
        hidden = out / "export" / ".psychopy.77.old"
        hidden.mkdir()
        (hidden / "002_s.csv").write_text("UNMISTAKABLE")
        register(store, "snapshots", out / "snapshots", "s")
        frozen = freeze(load(store.engine, "s", "person"), {}, out / "snapshots")
        told = json.loads((frozen / "snapshot.json").read_text())
        (out / "tables").mkdir()
        (out / "tables" / "people.csv").write_text("UNMISTAKABLE")
        for page in ("trace/people.html", "sections/people.json"):
            (out / page).parent.mkdir()
            (out / page).write_text("UNMISTAKABLE")
        (out / "report.html").write_text("of three people, one of them UNMISTAKABLE")
        (out / "manifest.json").write_text(json.dumps({"kind": "person", "data_sha256": told["data_sha256"]}))
        for code, contact in ((CODE, "Ada Byron"), ("after", "Bruno")):
            KeyFile(self.folder / "participants.key").add(code, contact)
        store.close()
        self.booth.rename(self.off)

    def withdraw(self) -> bool:
        """As the command does; whoever was killed before is gone on with."""
        with contextlib.redirect_stdout(io.StringIO()):
            store = Store(self.url)
            try:
                return withdraw_from(store, CODE, None, self.asked)
            except ExperimentError as error:
                if "already withdrawn" not in str(error):
                    raise
                return True
            finally:
                store.close()

    def start_the_booth(self) -> None:
        """The third booth is switched on, and a session starts there."""
        self.off.rename(self.booth)
        store = Store(self.url)
        try:
            at_start(store, {"snapshots": snapshots})
            with contextlib.redirect_stdout(io.StringIO()):
                assert go_on(store, self.asked)
            assert list_of(store) == []
        finally:
            store.close()

    def signs(self) -> list[str]:
        """Files in which something of the person stands."""
        found = []
        for path in sorted(p for p in self.folder.rglob("*") if p.is_file()):
            text = path.read_bytes()
            found += [f"{path.relative_to(self.folder)}: {sign}" for sign in SIGNS if sign.encode() in text]
        return found

    def others(self) -> dict[str, Any]:
        """All rows of everybody else, here and in every backup."""
        files = [p for p in self.folder.rglob("participants-*.db")]
        return {"": _rows(self.url), **{f"{p.parent.name}/{p.name}": _rows(sqlite_url(p)) for p in sorted(files)}}


def _rows(url: Any) -> dict[str, list[Any]]:
    """What others have, by the codes and secrets that are theirs; and how many rows in each table."""
    store = Store(url)
    try:
        with store.engine.connect() as c:
            rows = {
                t.name: [dict(r) for r in c.execute(select(t).order_by(t.c.id)).mappings()]
                for t in Base.metadata.sorted_tables
            }
    finally:
        store.close()
    sessions = {r["id"] for r in rows["session"] if r["calibration"] == {"by": "kept"}}
    trials = {r["id"] for r in rows["trial"] if r["session_id"] in sessions}
    people = {r["participant_id"] for r in rows["session"] if r["id"] in sessions}
    return {
        "session": [r for r in rows["session"] if r["id"] in sessions],
        "participant": [r for r in rows["participant"] if r["id"] in people],
        "consent": [r for r in rows["consent"] if r["participant_id"] in people],
        "response": [r for r in rows["response"] if r["trial_id"] in trials],
        **{name: [r for r in rows[name] if r["session_id"] in sessions] for name in ("trial", "event", "screening")},
    }


def steps(work: Callable[[], Any], kill_at: int | None = None) -> int:
    """Do `work` in a process of its own, which dies at the given step; how many steps there were (0 where it died).

    A step is a call in one of the watched modules, or a call that one of them makes: between any two of them the power may go.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        count, status = 0, 1

        def watch(frame: Any, event: str, _: Any) -> None:
            nonlocal count
            if event in ("call", "c_call") and any(w in frame.f_code.co_filename for w in WATCHED):
                count += 1
                if count == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.setprofile(watch)
            work()
            sys.setprofile(None)
            os.write(write, str(count).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    _, ended = os.waitpid(child, 0)
    died = os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL
    assert died or os.waitstatus_to_exitcode(ended) == 0, "the withdrawal itself failed"
    assert died == (not told)
    return int(told or 0)


def again(kept: Path, world: World) -> None:
    """The world as it was."""
    shutil.rmtree(world.folder)
    shutil.copytree(kept, world.folder)
