"""What waits beside the manifest is read over it, is of one sound, is taken in once, and is never lost on the way."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from stimuli import waiting
from stimuli.errors import StimulusError
from stimuli.manifest import Glance, gather, read_manifest, update_manifest, write_manifest
from tests.stimuli.test_manifest import row

ONE = row(number=0)


def test_what_waits_is_read_as_if_it_stood_there(tmp_path: Path) -> None:
    write_manifest(tmp_path, [row(number=1)])
    before = (tmp_path / "manifest.json").read_bytes()
    waiting.put(tmp_path, waiting.CLIP, ONE.clip, asdict(ONE))
    waiting.put(tmp_path, "features", ONE.clip, {"features": {"tempo": 90.0}}, ONE.sha256)
    waiting.put(tmp_path, "captions", ONE.clip, {"caption": "A tune."}, ONE.sha256)
    for rows in (read_manifest(tmp_path), list(Glance(tmp_path).of([ONE.clip, row(number=1).clip]).values())):
        first = next(r for r in rows if r.number == 0)
        assert (first.caption, first.features) == ("A tune.", {"tempo": 90.0})  # neither overwrites the other
    assert [r.number for r in read_manifest(tmp_path)] == [0, 1]
    assert (tmp_path / "manifest.json").read_bytes() == before
    kept = read_manifest(tmp_path)
    assert gather(tmp_path) == kept
    assert len(json.loads((tmp_path / "manifest.json").read_text())["clips"]) == 2
    assert waiting.found(tmp_path) == []


def test_what_was_found_in_another_sound_is_left_out(tmp_path: Path) -> None:
    write_manifest(tmp_path, [ONE])
    waiting.put(tmp_path, "captions", ONE.clip, {"caption": "of an earlier sound"}, "0" * 64)
    waiting.put(tmp_path, "captions", "clip-unknown", {"caption": "of nothing"}, "0" * 64)
    assert gather(tmp_path) == [ONE]


def test_a_clip_that_was_made_anew_loses_what_was_said_of_the_old(tmp_path: Path) -> None:
    write_manifest(tmp_path, [row(caption="old")])
    waiting.put(tmp_path, "captions", ONE.clip, {"caption": "newer"}, ONE.sha256)
    waiting.put(tmp_path, waiting.CLIP, ONE.clip, asdict(row(sha256="9" * 64)))
    assert [r.caption for r in gather(tmp_path)] == [None]


def test_an_update_takes_in_what_waits(tmp_path: Path) -> None:
    waiting.put(tmp_path, waiting.CLIP, ONE.clip, asdict(ONE))
    update_manifest(tmp_path, [row(number=1)])
    assert [r.number for r in read_manifest(tmp_path)] == [0, 1]
    assert waiting.found(tmp_path) == []


def test_what_comes_anew_while_it_is_taken_in_stays(tmp_path: Path) -> None:
    waiting.put(tmp_path, waiting.CLIP, ONE.clip, asdict(ONE))
    late = waiting.found(tmp_path)
    waiting.put(tmp_path, waiting.CLIP, ONE.clip, asdict(row(sha256="9" * 64)))
    os.utime(late[0].path, ns=(1, late[0].stamp + 1_000_000))
    waiting.taken(late)
    assert [one.fields["sha256"] for one in waiting.found(tmp_path)] == ["9" * 64]
    waiting.taken([*waiting.found(tmp_path), *late])  # and what is gone already is no problem
    assert waiting.found(tmp_path) == []


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    waiting.put(tmp_path, "features", "clip-1", {}, "0")
    (tmp_path / "waiting" / "features" / "clip-1.json").write_text("{")
    with pytest.raises(StimulusError, match=r"clip-1\.json is damaged .*; delete it and run the same again$"):
        read_manifest(tmp_path)


def test_only_what_a_dead_process_left_half_written_is_swept(tmp_path: Path) -> None:
    """Of this machine by the process' number, of others when a day has gone by."""
    (tmp_path / "clips").mkdir()
    done = subprocess.Popen(["true"])
    done.wait()
    host = socket.gethostname()
    dead, mine, theirs, old = (
        tmp_path / "clips" / f".clip-1.{who}.partial"
        for who in (f"{host}-{done.pid}", f"{host}-{os.getpid()}", f"elsewhere-{done.pid}", "elsewhere-1")
    )
    for path in (dead, mine, theirs, old):
        path.write_text("half")
    os.utime(old, (1, 1))
    assert waiting.partial(tmp_path / "clips" / "clip-1.wav") == mine
    waiting.sweep(tmp_path)
    assert [p.exists() for p in (dead, mine, theirs, old)] == [False, True, True, False]
