"""A folder where a file is wanted, a file where a folder is, a link to nothing, no permission: one line, status 2, nothing made."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tastelab.refusals import refusal
from tests.tastelab.conftest import Lived, call

OUTPUTS = [
    ("experiment", "export"),
    ("experiment", "simulate", "-n", "2"),
    ("stimuli", "generate"),
    ("stimuli", "verify"),
    ("analysis", "report", "--kind", "bot"),
    ("trace", "sweet-base-001"),
]
READ = [
    ("experiment", "import", "psytoolkit", "{}"),
    ("experiment", "simulate", "-n", "2", "--effects", "{}"),
    ("experiment", "restore", "{}", "new.db"),
    ("experiment", "key", "show", "P1", "--key", "{}"),
    ("init", "new", "--kind", "import", "--from", "{}", "--tastes", "x,y"),
    ("analysis", "agreement", "--targets", "{}", "--kind", "bot"),
    ("study", "check", "{}"),
]


def refused(of: Lived, words: tuple[str, ...], options: list[str]) -> str:
    """The one line of a command that came to nothing."""
    before = sorted(p for p in of.folder.rglob("*") if not p.name.endswith(("-wal", "-shm")))
    own = [] if words[0] in ("init",) or words[:2] in (("study", "check"), ("experiment", "key")) else options
    said = call(*words, *(own[2:4] if words[:2] == ("experiment", "restore") else own))
    assert (said.status, len(said.err.splitlines())) == (2, 1), (words, said.err)
    assert "Traceback" not in said.err
    assert sorted(p for p in of.folder.rglob("*") if not p.name.endswith(("-wal", "-shm"))) == before
    return said.err


@pytest.mark.parametrize("words", OUTPUTS, ids=" ".join)
def test_outputs_into_a_file(lived: Lived, words: tuple[str, ...]) -> None:
    """A command that asks of no database is given none."""
    place = [*lived.answers, "--out", str(lived.study)]
    options = place[:2] + place[4:] if words[0] == "stimuli" else place
    assert f"--out {lived.study} is a file, where a folder is wanted" in refused(lived, words, options)


@pytest.mark.parametrize("words", READ, ids=lambda words: " ".join(words))
@pytest.mark.parametrize("what", ["folder", "link"])
def test_a_file_that_is_none(lived: Lived, words: tuple[str, ...], what: str, tmp_path: Path) -> None:
    path = tmp_path / "given"
    if what == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nothing")
    told = refused(lived, tuple(x.format(path) for x in words), lived.answers)
    assert str(path) in told


@pytest.mark.parametrize(
    "words",
    [
        ("experiment", "simulate", "-n", "2"), ("study", "run"), ("analysis", "preference", "--kind", "bot"),
        ("stimuli", "caption", "x.wav"), ("stimuli", "dataset", "build", "pulse", "new"), ("analysis", "power"),
        ("models", "train-nano", "base", "--corpus", "c"),
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("seed", ["-1", str(2**63)])
def test_a_seed_that_no_generator_takes(lived: Lived, words: tuple[str, ...], seed: str) -> None:
    """-1 ended in a traceback, in simulate after the database was made."""
    told = refused(lived, (*words, "--seed", seed), [])
    assert "Invalid value for '--seed'" in told


@pytest.mark.parametrize("words", [w for w in (*OUTPUTS, *READ) if w[:2] != ("experiment", "restore")], ids=" ".join)
def test_a_name_that_no_disk_takes(lived: Lived, words: tuple[str, ...]) -> None:
    """As when a file's text was given for its name: the sentence about it asked the disk for it again, and ended in a traceback."""
    long = "a" * 300
    options = lived.answers if words in READ else [*lived.answers, "--out", long]
    options = options[:2] + options[4:] if words[0] == "stimuli" else options
    told = refused(lived, tuple(x.format(long) for x in words), options)
    assert "file name too long" in told.lower()


def test_a_file_that_may_not_be_read(lived: Lived, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Root may read all, so that the system's answer is put in."""
    path, opened = tmp_path / "survey.csv", Path.open

    def closed(self: Path, *given: object, **named: object) -> object:
        if self == path:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(self, *given, **named)  # type: ignore[call-overload]

    path.write_text("a,b\n1,2\n")
    monkeypatch.setattr(Path, "open", closed)
    told = refused(lived, ("experiment", "import", "psytoolkit", str(path)), lived.answers)
    assert told == f"tastelab: survey file {path} can't be read: Permission denied\n"


def test_a_table_into_a_folder_and_outputs_where_nothing_can_be_made(lived: Lived, tmp_path: Path) -> None:
    words = ("analysis", "preference", "--kind", "bot", "--plan", "paper")
    assert refused(lived, words, [*lived.answers, "--csv", str(tmp_path)]) == (
        f"tastelab: --csv {tmp_path} is a folder, where a file is wanted\n"
    )
    told = refused(lived, ("experiment", "export"), [*lived.answers, "--out", "/proc/x"])
    assert told.startswith("tastelab: --out /proc/x")


def test_what_is_no_mistake_of_a_user_s_stays_a_traceback(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of ours that is not there, which nobody named."""
    from experiment.data.exports import write

    def lost(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/nowhere/of/ours.json")

    monkeypatch.setattr(write, "export", lost)
    with pytest.raises(FileNotFoundError):
        call("experiment", "export", *lived.where)


@pytest.fixture
def shut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that may be neither entered nor listed: by root either, whom no folder stops."""
    folder = tmp_path / "shut"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)

    def closed(of: Callable[..., Any]) -> Callable[..., Any]:
        listed = of in (os.scandir, os.listdir)

        def called(path: Any = ".", *rest: Any, **more: Any) -> Any:
            if isinstance(path, (str, Path)) and folder in ((Path(path) / "x") if listed else Path(path)).parents:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return of(path, *rest, **more)

        return called

    access = os.access
    monkeypatch.setattr(os, "access", lambda p, *a, **k: Path(p) != folder and access(p, *a, **k))
    for name in ("stat", "lstat", "scandir", "listdir"):
        monkeypatch.setattr(os, name, closed(getattr(os, name)))
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("study", "check"), ("experiment", "restore", "new.db"), ("init", "new", "--kind", "import", "--from"),
        ("experiment", "status", "--study"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_file_in_a_folder_that_may_not_be_entered(words: tuple[str, ...], shut: Path) -> None:
    """The sentence about it asked for the file again, and ended in a traceback."""
    there = str(shut / "there")
    given = (*words[:2], there, *words[2:]) if words[1] == "restore" else (*words, there)
    said = call(*given)
    assert (said.status, len(said.err.splitlines())) == (2, 1), said.err
    assert f"{there}: permission denied" in said.err


def test_a_folder_that_may_not_be_listed_is_told_as_that(shut: Path) -> None:
    """It was called a folder where a file is wanted."""
    with pytest.raises(PermissionError) as refused:
        list(os.scandir(shut))
    assert refusal(refused.value) == f"{shut}: permission denied"
