"""Parts that are kept: whole or not there, the same to the last digit, and told by the code that made them."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy
import pytest
import scipy

from analysis import kept
from analysis.kept import Kept


def test_what_is_kept_comes_back_to_the_last_digit(tmp_path: Path) -> None:
    place = Kept(tmp_path / "deep" / "parts")
    assert place.get("a") is None
    assert not place.has("a")
    value = {"of": "é", "rows": [{"value": math.pi, "low": None, "n": 3, "deficient": False, "nan": math.inf}]}
    place.put("a", value)
    assert place.has("a")
    assert place.get("a") == value
    assert place.path("a") == tmp_path / "deep" / "parts" / "a.json"
    assert not place.has("b")


def test_what_is_damaged_is_as_what_is_not_there(tmp_path: Path) -> None:
    place = Kept(tmp_path)
    for text in (b"", b'{"of": 1', b"\xff\xfe"):
        place.path("a").write_bytes(text)
        assert place.get("a") is None


def test_what_can_not_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Kept(tmp_path)
    place.put("a", [1])
    monkeypatch.setattr(kept.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space left"):
        place.put("a", [2])
    assert place.get("a") == [1]


def test_code_is_told_by_what_is_in_the_files_that_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "ROOT", tmp_path)
    for name in ("room/inner/a.py", "room/a.txt", "one.py", "other.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")

    def told() -> list[str]:
        kept.made_by.cache_clear()
        return kept.made_by("room", "one.py")

    seen = [told()]
    for name in ("room/inner/a.py", "room/a.txt", "one.py", "other.py"):
        (tmp_path / name).write_text("2")
        seen.append(told())
    monkeypatch.undo()
    kept.made_by.cache_clear()
    assert [a == b for a, b in pairwise(seen)] == [False, True, False, True]
    assert all(one[1:] == [numpy.__version__, scipy.__version__] for one in seen)


def test_code_that_is_named_nowhere_is_no_code() -> None:
    with pytest.raises(FileNotFoundError):
        kept.made_by("analysis/nothing.py")
