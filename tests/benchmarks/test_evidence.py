"""Every measurement says by which code, where and when it was made."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks import evidence
from benchmarks.measured import commit, machine


def test_a_figure_carries_its_commit_machine_and_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "RESULTS", tmp_path)
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    monkeypatch.setattr(evidence, "MEASUREMENTS", {"one": lambda: {"share": 0.5}, "two": lambda: {"share": 0.25}})
    evidence.main(["one"])
    told = json.loads((tmp_path / "one.json").read_text())
    assert told["share"] == 0.5
    assert set(told["measured"]) == {"commit", "machine", "date", "minutes"}
    assert re.fullmatch(r"unknown|[0-9a-f]{40}(, changed)?", told["measured"]["commit"])
    assert told["measured"]["date"] == time.strftime("%Y-%m-%d", time.gmtime())
    assert re.search(r"\d+ cores, Python 3\.\d+", told["measured"]["machine"])
    assert [p.name for p in tmp_path.iterdir()] == ["one.json"]
    evidence.main([])  # what is there stays, what is missing is made
    assert json.loads((tmp_path / "two.json").read_text())["share"] == 0.25


def test_code_that_differs_from_its_commit_is_told(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        return subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert commit(tmp_path) == "unknown"
    git("init", "-q")
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "notes.md").write_text("one\n")
    git("add", ".")
    git("commit", "-qm", "one")
    here = git("rev-parse", "HEAD").strip()
    (tmp_path / "notes.md").write_text("two\n")  # words change no figure
    assert commit(tmp_path) == here
    (tmp_path / "a.py").write_text("x = 2\n")
    assert commit(tmp_path) == f"{here}, changed"


def test_a_machine_is_told_without_its_name() -> None:
    import platform

    assert platform.node() not in machine()
