"""A figure is made anew when what it is of changed: code in a commit, code in the tree, or no commit that is known."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import evidence, freshness
from tests.conftest import ROOT


def test_every_measurement_says_what_it_is_about_and_that_is_there() -> None:
    assert list(freshness.MEASURES) == list(evidence.MEASUREMENTS)
    assert [p for paths in freshness.MEASURES.values() for p in paths if not (ROOT / p).exists()] == []


def test_what_changed_is_told_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> str:
        named = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", *named, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    monkeypatch.setitem(freshness.MEASURES, "keys", ("models",))
    (tmp_path / "models").mkdir()
    for name in ("models/a.py", "models/b.py", "models/README.md", "other.py"):
        (tmp_path / name).write_text("1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    commit = git("rev-parse", "HEAD")

    def told(found: object) -> str:
        (tmp_path / "keys.json").write_text(json.dumps(found))
        return freshness.older("keys", tmp_path, tmp_path)

    assert freshness.older("keys", tmp_path, tmp_path) == "not measured yet"
    assert told({"figure": 1}) == told([1, 2]) == "measured before files said by which code"
    assert told({"measured": {"commit": f"{commit}, changed"}}) == "measured by code that no commit has"
    assert told({"measured": {"commit": "0" * 40}}) == "measured by 0000000, which is not in this history"
    assert told({"measured": {"commit": commit, "minutes": 3.5}}) == ""
    assert freshness.minutes("keys", tmp_path) == 3.5
    (tmp_path / "other.py").write_text("2\n")
    (tmp_path / "models" / "README.md").write_text("2\n")
    assert told({"measured": {"commit": commit}}) == ""
    (tmp_path / "models" / "b.py").write_text("2\n")
    assert told({"measured": {"commit": commit}}) == f"models/b.py changed since {commit[:7]}"
    (tmp_path / "models" / "a.py").write_text("2\n")
    git("commit", "-qam", "two")
    assert told({"measured": {"commit": commit}}) == f"models/a.py and 1 more changed since {commit[:7]}"


def test_what_is_old_is_listed_and_a_wrong_name_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evidence, "older", lambda name: "it is old" if name in ("grid", "keys") else "")
    monkeypatch.setattr(evidence, "minutes", lambda name: {"grid": 90.0}.get(name))
    evidence.main(["--old"])
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f"2 of {len(evidence.MEASUREMENTS)} to measure; 1 of them took 1.5 h the last time"
    assert rest == ["keys: it is old", "grid: it is old"]
    with pytest.raises(SystemExit, match="no measurement is called 'gird'; there are: pulse, bands"):
        evidence.main(["gird"])
