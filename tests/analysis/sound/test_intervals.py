"""Distances in shares: those that are kept are what the report finds, and only of what they were measured on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.data.compared import Conditions
from analysis.kept import Kept
from analysis.sound import distances, intervals
from analysis.sound.distances import Reference, analyse, described, sets_of
from analysis.sound.intervals import Distances
from stimuli.manifest import ClipRow, write_manifest

Numbers = tuple[list[ClipRow], dict[str, np.ndarray], Reference]
CONDITIONS = Conditions(("base", "finetuned"))

# FAD and its interval as version 0.2 printed them, all conditions and tastes drawn in one loop: 20 resamples, seed 5.
PRINTED = {
    ("x", "base", "all"): (4.324427251779001, 2.762162583052077, 5.794733828795501),
    ("x", "finetuned", "sweet"): (0.2793593610279883, 0.1743354899560125, 0.4246910300513586),
    ("y", "base", "sour"): (34.23199178307896, 29.68360195546527, 37.95553023251238),
    ("y", "finetuned", "all"): (4.209754791251253, 3.3057785217703417, 5.389507146229691),
}


class Told:
    """An account that remembers."""

    def __init__(self) -> None:
        self.at: list[str] = []
        self.there: list[str] = []
        self.wrong: dict[str, str] = {}

    def begins(self, names: Any) -> None:
        self.at += names

    def made(self, names: Any) -> None:
        self.there += names

    def failed(self, names: Any, error: Exception) -> None:
        self.wrong |= dict.fromkeys(names, str(error))


def step(folder: Path, seed: int = 5, where: str = "w") -> Distances:
    return Distances(folder, ["x", "y"], where, folder / "out", seed, CONDITIONS)


@pytest.fixture
def study(numbers: Numbers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ClipRow]:
    """The clips in a manifest, their embeddings where a study keeps them."""
    rows = numbers[0]
    (tmp_path / "out").mkdir()
    for space in ("x", "y"):
        (tmp_path / "out" / intervals.CACHE).mkdir(exist_ok=True)
        (tmp_path / space).rename(tmp_path / "out" / intervals.CACHE / space)
    write_manifest(tmp_path, rows)
    monkeypatch.setattr(intervals, "load_reference", distances.load_reference)
    monkeypatch.setattr(intervals, "RESAMPLES", 20)
    return rows


def found(rows: list[ClipRow], folder: Path, kept: Kept | None = None) -> dict[str, Any]:
    return analyse(
        rows, folder, ["x", "y"], "w", folder / "out" / intervals.CACHE, resamples=20, seed=5, conditions=CONDITIONS, kept=kept
    )  # fmt: skip


def test_numbers_are_those_of_before_to_the_last_digit(study: list[ClipRow], tmp_path: Path) -> None:
    rows = {
        (r["embedding"], r["model"], r["taste"]): r for r in found(study, tmp_path)["distances"] if r["metric"] == "FAD"
    }
    for key, (value, low, high) in PRINTED.items():
        assert [rows[key][k] for k in ("value", "ci_low", "ci_high")] == pytest.approx([value, low, high], rel=1e-12)


def test_shares_that_two_make_are_the_whole(
    study: list[ClipRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = step(tmp_path), step(tmp_path)
    units = first.units()
    assert [u.name for u in units][:4] == ["x base all", "x base sour", "x base sweet", "x finetuned all"]
    assert len({u.fingerprint for u in units}) == len(units) == 12
    assert {u.group for u in units} == {"x", "y"}
    told = Told()
    first.make([u.name for u in units[:5]], told)
    assert first.done(units) == set(told.there) == {u.name for u in units[:5]}
    second.make([u.name for u in units[3:]], told)
    assert told.at == [u.name for u in units]  # what was there was not made again
    assert step(tmp_path).done(units) == {u.name for u in units}
    whole = found(study, tmp_path)
    monkeypatch.setattr(distances, "bootstrap", None)  # nothing is resampled any more
    assert found(study, tmp_path, step(tmp_path).kept) == whole


def test_what_is_not_there_is_made_and_kept(study: list[ClipRow], tmp_path: Path) -> None:
    kept = step(tmp_path).kept
    units = step(tmp_path).units()
    assert found(study, tmp_path, kept) == found(study, tmp_path)
    assert step(tmp_path).done(units) == {u.name for u in units}
    kept.path(units[0].fingerprint).write_text('{"of')  # damaged
    assert found(study, tmp_path, kept) == found(study, tmp_path)


def test_what_was_measured_on_other_embeddings_is_measured_again(study: list[ClipRow], tmp_path: Path) -> None:
    """Nothing that is known of a clip says that a network changed: its frames do."""
    kept = step(tmp_path).kept
    before = found(study, tmp_path, kept)
    path = tmp_path / "out" / intervals.CACHE / "x" / f"{study[0].sha256}.npy"
    np.save(path, np.load(path) + 3)
    after = found(study, tmp_path, kept)
    assert after == found(study, tmp_path) != before


def test_a_unit_is_told_by_all_that_it_depends_on(study: list[ClipRow], tmp_path: Path) -> None:
    def told(**changed: Any) -> dict[str, str]:
        return {u.name: u.fingerprint for u in step(tmp_path, **changed).units()}

    before = told()
    music = tmp_path / "music"
    music.mkdir()
    (music / "a.wav").write_bytes(b"1")
    assert not set(told(seed=6).values()) & set(before.values())
    here = told(where=str(music))
    assert not set(here.values()) & set(before.values())
    (music / "b.wav").write_bytes(b"1")
    assert not set(told(where=str(music)).values()) & set(here.values())
    write_manifest(tmp_path, [replace(study[0], sha256="other"), *study[1:]])
    same = {name for name, of in told().items() if before[name] == of}
    assert same == {
        n for n in before if n.split()[1:] not in (["base", "all"], ["base", "sweet"])
    }  # the clip's own sets


def test_a_shipped_reference_is_told_by_what_its_file_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "SHIPPED", tmp_path)
    (tmp_path / "x.safetensors").write_bytes(b"1")
    first = described("shipped", "x")
    (tmp_path / "x.safetensors").write_bytes(b"2")
    assert described("shipped", "x") != first
    assert described("shipped", "y") == described("shipped", "z")  # none is shipped: whoever measures is told


def test_one_set_that_cannot_be_measured_keeps_none_of_the_others(
    study: list[ClipRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out" / intervals.CACHE / "x" / f"{study[0].sha256}.npy"
    np.save(path, np.full((3, 3), np.nan, dtype=np.float32))
    told = Told()
    units = [u.name for u in step(tmp_path).units()]
    step(tmp_path).make([*units, "z base all"], told)
    assert set(told.wrong) == {"x base all", "x base sweet", "z base all"}
    assert "not a number" in told.wrong["x base all"]
    assert set(told.there) == set(units) - set(told.wrong)


def test_sets_are_of_the_conditions_in_their_order_and_of_clips_that_are_there(study: list[ClipRow]) -> None:
    other = sets_of(study, ["x"], Conditions(("finetuned", "base")))
    assert [one.model for one in other] == ["finetuned"] * 3 + ["base"] * 3
    assert [one.drawn for one in other] == [0, 0, 0, 7, 7, 7]  # FAD and KAD of three sets, and an extrapolation
    few = sets_of([r for r in study if r.taste == "sour"][:3], ["x"], CONDITIONS)
    assert [(one.model, one.taste, len(one.clips)) for one in few] == [
        ("base", "all", 2), ("base", "sour", 2), ("finetuned", "all", 1), ("finetuned", "sour", 1),
    ]  # fmt: skip
