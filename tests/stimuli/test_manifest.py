"""The manifest: rows come back, in order, by hash; what has changed, is missing or stray is told."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stimuli.errors import StimulusError
from stimuli.manifest import (
    ClipRow,
    keep_only,
    locked,
    read_manifest,
    update_manifest,
    verify,
    write_manifest,
    write_table,
)


def row(taste: str = "sweet", model: str = "base", number: int = 0, **changes: Any) -> ClipRow:
    name = f"{taste}-{model}-{number:03d}"
    given = {
        "file": f"clips/{name}.wav", "sha256": hashlib.sha256(name.encode()).hexdigest(), "seconds": 15.0, "rate": 48000,
        "loudness": -23.1, "peak": -4.5, "gain": -6.7, **changes,
    }  # fmt: skip
    return ClipRow(clip=name, taste=taste, model=model, number=number, **given)


def placed(folder: Path, *rows: ClipRow) -> None:
    """The rows' files, each with its clip's name in it."""
    (folder / "clips").mkdir(exist_ok=True)
    for r in rows:
        (folder / r.file).write_text(r.clip)


def test_rows_come_back_as_they_were_and_in_order(tmp_path: Path) -> None:
    full = row(
        "sour", prompt="wörds", seed=3, checkpoint="nano-base", checkpoint_sha256="c" * 64, settings={"top_k": 120},
        checks={"tries": 2}, caption="A tune.", caption_features={"mood": {"happy": 0.5}}, captioner_sha256="d" * 64,
        features={"tempo": 90.5},
    )  # fmt: skip
    others = [row("sweet", "finetuned", 1), row("sweet", "base", 10), row("sweet", "base", 9), full]
    path = write_manifest(tmp_path, others)
    assert path == tmp_path / "manifest.json"
    back = read_manifest(tmp_path)
    assert [r.clip for r in back] == ["sour-base-000", "sweet-base-009", "sweet-base-010", "sweet-finetuned-001"]
    assert back[0] == full
    assert "wörds" in path.read_text(encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]


def test_an_update_replaces_its_rows_and_leaves_the_others(tmp_path: Path) -> None:
    update_manifest(tmp_path, [row(number=0), row(number=1)])
    update_manifest(tmp_path, [row(number=1, caption="new"), row(number=2)])
    assert [(r.number, r.caption) for r in read_manifest(tmp_path)] == [(0, None), (1, "new"), (2, None)]


def test_what_is_not_asked_for_goes_with_its_file(tmp_path: Path) -> None:
    rows = [row(number=n) for n in range(3)]
    placed(tmp_path, *rows)
    write_manifest(tmp_path, rows)
    assert [r.number for r in keep_only(tmp_path, [rows[0].clip, rows[2].clip, "unknown"])] == [0, 2]
    assert sorted(p.name for p in (tmp_path / "clips").iterdir()) == ["sweet-base-000.wav", "sweet-base-002.wav"]
    assert [r.number for r in read_manifest(tmp_path)] == [0, 2]
    stamp = (tmp_path / "manifest.json").stat().st_mtime_ns
    keep_only(tmp_path, [rows[0].clip, rows[2].clip])
    assert (tmp_path / "manifest.json").stat().st_mtime_ns == stamp
    (tmp_path / rows[2].file).unlink()  # already gone: not a problem
    assert [r.number for r in keep_only(tmp_path, [rows[0].clip])] == [0]


def test_a_lock_holds_for_others_and_goes(tmp_path: Path) -> None:
    from filelock import FileLock, Timeout

    with locked(tmp_path, "sweet-base"):
        with pytest.raises(Timeout):
            FileLock(tmp_path / ".locks" / "sweet-base.lock").acquire(timeout=0)
        with locked(tmp_path):  # another one
            pass
    FileLock(tmp_path / ".locks" / "sweet-base.lock").acquire(timeout=0).lock.release()


@pytest.mark.parametrize(
    "text", ["", "{", '{"clips": [{"clip": "x"}]}', '{"rows": []}', '{"clips": [{"unknown": 1}]}', "[]"]
)
def test_a_damaged_manifest_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StimulusError, match=r"manifest\.json is damaged") as told:
        read_manifest(tmp_path)
    assert "\n" not in str(told.value)


def test_no_manifest_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StimulusError, match=r"no stimuli in .*run 'tastelab stimuli generate'"):
        read_manifest(tmp_path)


def test_missing_changed_and_stray_files_are_told_one_a_line(tmp_path: Path) -> None:
    rows = [row(number=n) for n in range(3)]
    placed(tmp_path, *rows)
    write_manifest(tmp_path, rows)
    assert verify(tmp_path) == []
    (tmp_path / rows[0].file).write_text(rows[0].clip + ".")
    (tmp_path / rows[1].file).unlink()
    (tmp_path / "clips" / "stray.wav").write_text("?")
    changed, missing, stray = verify(tmp_path)
    assert changed.startswith("sweet-base-000: ")
    assert "has changed since it was made" in changed
    assert missing.startswith("sweet-base-001: ")
    assert missing.endswith("is missing")
    assert stray.endswith("stray.wav: not in the manifest")


def test_the_table_has_a_column_for_every_setting_check_and_feature(tmp_path: Path) -> None:
    made = row(
        settings={"top_k": 120, "fade": 0.02}, checks={"tries": 2, "drawn_again": ["silent"]}, features={"tempo": 90.5},
        caption_features={"mood": {"happy": 0.5}}, seed=7,
    )  # fmt: skip
    write_manifest(tmp_path, [made, row(number=1)])
    path = write_table(tmp_path)
    assert path == tmp_path / "manifest.parquet"
    table = pd.read_parquet(path)
    assert list(table["clip"]) == ["sweet-base-000", "sweet-base-001"]
    first = table.iloc[0]
    assert (first["settings.top_k"], first["settings.fade"], first["checks.tries"]) == (120, 0.02, 2)
    assert (first["features.tempo"], first["seed"], first["gain"], first["peak"]) == (90.5, 7, -6.7, -4.5)
    assert json.loads(first["checks.drawn_again"]) == ["silent"]
    assert json.loads(first["caption_features"]) == {"mood": {"happy": 0.5}}
    assert not {"settings", "checks", "features"} & set(table.columns)
    assert not list(tmp_path.glob("*.partial"))
