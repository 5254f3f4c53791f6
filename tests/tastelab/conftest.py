"""A study as it lies on a user's disk after bots took part in it, without any audio; and the command line as a person calls it."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stimuli.manifest import ClipRow, write_manifest
from tests.conftest import TASTES, write_small_study

BOTS = 24


@pytest.fixture(autouse=True)
def nowhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command takes or leaves where one stands is the test's alone: not the project's, in which a study may have been run."""
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


@dataclass(frozen=True)
class Said:
    """What one call of the command line came to."""

    status: int
    out: str
    err: str


def call(*words: str | Path) -> Said:
    """Call `tastelab` with these words, in this process."""
    from tastelab.cli import main

    out, err, was = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["tastelab", *map(str, words)]
    status = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    finally:
        sys.argv = was
    return Said(status, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Lived:
    """A study's folder: `study.toml`, `outputs`, `participants.db`."""

    folder: Path

    @property
    def study(self) -> Path:
        return self.folder / "study.toml"

    @property
    def out(self) -> Path:
        return self.folder / "outputs"

    @property
    def database(self) -> Path:
        return self.folder / "participants.db"

    @property
    def db(self) -> str:
        return f"sqlite:///{self.database}"

    @property
    def where(self) -> list[str]:
        """Options that name study, database and outputs."""
        return ["--study", str(self.study), "--db", self.db, "--out", str(self.out)]

    @property
    def answers(self) -> list[str]:
        """Options that name study and database."""
        return self.where[:4]

    @property
    def clips(self) -> list[str]:
        """Options that name study and outputs."""
        return [*self.where[:2], *self.where[4:]]

    def asked(self, query: str, given: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Plain SQL, past all code of ours."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query, given).fetchall()


def clip_rows() -> list[ClipRow]:
    """Four clips a taste and model, as a manifest lists them; their files are nowhere."""
    rows = []
    for i, taste in enumerate(TASTES):
        for j, model in enumerate(("base", "finetuned")):
            for number in range(4):
                name = f"{taste}-{model}-{number:03d}"
                digest = f"{i}{j}{number}".ljust(8, "a") + name.encode().hex().ljust(56, "0")[:56]
                rows.append(
                    ClipRow(
                        clip=name, taste=taste, model=model, number=number, file=f"clips/{digest[:12]}.wav",
                        sha256=digest, seconds=2.0, rate=48000, loudness=-23.0, peak=-3.0, gain=1.0,
                        prompt=f"{taste.capitalize()} music number {number}", seed=100 + number,
                        checkpoint=f"nano-{model}", checkpoint_sha256="c" * 64,
                    )
                )  # fmt: skip
    return rows


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """A small study that two dozen bots went through. Nobody may change it: `mine` is a copy."""
    folder = tmp_path_factory.mktemp("lived")
    found = Lived(folder)
    write_small_study(folder)
    stimuli = found.out / "small" / "stimuli"
    stimuli.mkdir(parents=True)
    write_manifest(stimuli, clip_rows())
    said = call("experiment", "simulate", "-n", str(BOTS), "--quiet", *found.where)
    assert (said.status, said.out, said.err) == (0, "", "")
    return found


@pytest.fixture
def mine(lived: Lived, tmp_path: Path) -> Lived:
    """A copy of the lived study that a test may change."""
    import shutil

    shutil.copytree(lived.folder, tmp_path / "mine")
    return Lived(tmp_path / "mine")
