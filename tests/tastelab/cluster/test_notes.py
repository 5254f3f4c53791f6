"""Who is at what, what failed, and how long the rest takes: from what processes said of themselves."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tastelab.cluster.notes import Note, Notes, failures_of, notes_of
from tastelab.cluster.status import lasting

HERE = Note("generate", socket.gethostname(), 1, "", 100.0, 110.0, made=5, units=("a", "b"))


def test_what_failed_is_told_until_it_is_made(tmp_path: Path) -> None:
    notes = Notes(tmp_path, "generate", "11_2", "/logs/11_2.err")
    notes.begins(["a", "b"])
    assert notes_of(tmp_path, "generate")[0].units == ("a", "b")
    try:
        raise ValueError("no sound\nand more")
    except ValueError as error:
        notes.failed(["a"], error)
    notes.begins(["b/strange name"])
    notes.made(["b/strange name", "c"])
    (failure,) = failures_of(tmp_path, "generate")
    assert (failure.unit, failure.line, failure.log) == ("a", "ValueError: no sound", "/logs/11_2.err")
    (note,) = notes_of(tmp_path, "generate")
    assert (note.made, note.units, note.job) == (1, (), "11_2")  # c was there before
    again = Notes(tmp_path, "generate", "12_0")
    again.begins(["a"])
    again.made(["a"])
    again.ends()
    assert failures_of(tmp_path, "generate") == []
    assert [n.ended for n in notes_of(tmp_path, "generate")] == [False, True]
    assert failures_of(tmp_path, "captions") == []


def test_a_note_that_a_power_cut_left_empty_says_nothing(tmp_path: Path) -> None:
    """No command that asks how far a step is went on beside it, nor one that makes the rest."""
    notes = Notes(tmp_path, "generate", "11_2")
    notes.begins(["a"])
    notes.failed(["b"], ValueError("no sound"))
    for folder in ("notes", "failed"):
        (tmp_path / folder / "generate" / "cut.json").write_text("")
        (tmp_path / folder / "generate" / "half.json").write_text('{"step": "gen')
    assert [n.job for n in notes_of(tmp_path, "generate")] == ["11_2"]
    assert [f.unit for f in failures_of(tmp_path, "generate")] == ["b"]


def test_who_found_all_made_leaves_no_note_and_a_job_does(tmp_path: Path) -> None:
    here = Notes(tmp_path, "generate")
    assert len(notes_of(tmp_path, "generate")) == 1
    here.ends()
    assert notes_of(tmp_path, "generate") == []
    Notes(tmp_path, "generate", "12_0").ends()
    busy = Notes(tmp_path, "generate")
    busy.begins(["a"])
    busy.made(["a"])
    busy.ends()
    assert sorted((n.job, n.made, n.ended) for n in notes_of(tmp_path, "generate")) == [
        ("", 1, True),
        ("12_0", 0, True),
    ]


def test_an_error_that_is_no_units_is_let_through_and_told_of_none(tmp_path: Path) -> None:
    notes = Notes(tmp_path, "generate", passing=(KeyError,))
    with pytest.raises(KeyError):
        notes.failed(["a"], KeyError("time is up"))
    assert failures_of(tmp_path, "generate") == []


def test_who_is_at_work_still(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    alive = replace(HERE, pid=os.getpid())
    assert alive.alive(None, 1e9)
    assert not replace(HERE, pid=gone.pid).alive(None, 110.0)
    assert not replace(alive, ended=True).alive(None, 110.0)
    on_cluster = replace(HERE, host="n1", job="11_2")
    assert on_cluster.alive(frozenset({"11_2"}), 1e9)
    assert not on_cluster.alive(frozenset({"11_3"}), 111.0)
    assert on_cluster.alive(None, 111.0)  # nobody knows of jobs now: by what it said last
    assert not on_cluster.alive(None, 110.0 + 901)


def test_what_is_left_takes_as_long_as_what_was_made() -> None:
    """Two processes, 10 units in 20 s together and 2 s each: 40 more take 40 s with two at work."""
    notes = [replace(HERE, made=5), replace(HERE, made=5), replace(HERE, made=0, told=1000.0)]
    assert lasting(40, notes, 2) == "40 s"
    assert lasting(4000, notes, 2) == "67 min"
    assert lasting(40_000, notes, 2) == "11.1 h"
    assert lasting(0, notes, 2) == ""
    assert lasting(5, notes, 0) == lasting(5, [], 3) == "unknown"


def test_a_step_that_tells_of_no_units_is_counted_from_where_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("tastelab.cluster.notes.time.time", lambda: clock[0])
    notes = Notes(tmp_path, "generate")
    for seconds, done in ((0, 8.0), (1, 8.5), (10, 12.5), (11, 40.0)):
        clock[0] = 1000.0 + seconds
        notes.counts(done)
    (note,) = notes_of(tmp_path, "generate")
    assert (note.made, len(note.units), note.told) == (4, 1, 1010.0)
    assert lasting(8, [note], 1) == "20 s"  # 4 in 10 s
