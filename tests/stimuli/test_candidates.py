"""Of how many drawings a clip is chosen, by which words and measures, and what the manifest says of it.

The networks are the stand-in of `tests.stimuli.test_generate`, with tones that say which seed they are of.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimuli.candidates import SCALES, asked, best
from stimuli.generate import generate
from stimuli.manifest import read_manifest
from tests.stimuli.test_generate import CHECKPOINTS, PROMPTS, Bench, bench, heard, made_again, models, study

__all__ = ["bench"]

ASKING = {"tastes": [{"name": "sweet", "prompt": "bright"}, {"name": "sour", "prompt": "dark"}]}
CHOSEN = {"candidates": 4, "chosen_by": ["brightness"], "clips_per_taste": 2, **ASKING}


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROMPTS, "bright", 300)
    monkeypatch.setitem(PROMPTS, "dark", 600)
    monkeypatch.setattr("tests.stimuli.test_generate.pitch", scattered)


def scattered(checkpoint: str, prompt: str, seed: int) -> int:
    return CHECKPOINTS[checkpoint] + PROMPTS[prompt] + 40 * (seed * 7919 % 23)


@pytest.mark.usefixtures("asking")
def test_of_four_drawings_the_one_is_kept_that_has_most_of_what_is_asked(bench: Bench, tmp_path: Path) -> None:
    rows = generate(study(**CHOSEN), models(batch=2), tmp_path)
    order, kept = {"bright": max, "dark": min}, []
    for row in rows:
        seeds = [row.seed or 0, *((row.seed or 0) + k * 500_000 + 1 for k in (1, 2, 3))]
        tones = [scattered(row.checkpoint or "", row.prompt or "", s) for s in seeds]
        assert len(set(tones)) == 4
        assert heard(tmp_path, row) == pytest.approx(order[row.prompt or ""](tones), abs=1)
        assert tones[row.checks["kept"]] == order[row.prompt or ""](tones)
        assert [c["try"] for c in row.checks["candidates"]] == [0, 1, 2, 3]
        assert row.checks["tries"] == 4
        assert row.checks["drawn_again"] == ["another drawing has more of what is asked"] * 3
        assert (row.settings["candidates"], row.settings["chosen_by"]) == (4, ["brightness"])
        kept.append(row.checks["kept"])
    assert len(set(kept)) > 1
    assert made_again(bench, tmp_path, study(**CHOSEN), models(batch=2)) == set()
    assert len(made_again(bench, tmp_path, study(**{**CHOSEN, "candidates": 3}), models(batch=2))) == 8


@pytest.mark.usefixtures("asking")
def test_a_choice_is_the_same_however_a_set_was_made(bench: Bench, tmp_path: Path) -> None:
    whole = generate(study(**CHOSEN), models(batch=2), tmp_path / "whole")
    generate(study(**CHOSEN), models(batch=2), tmp_path)
    lost = read_manifest(tmp_path)[3]
    (tmp_path / lost.file).unlink()
    again = generate(study(**CHOSEN), models(batch=2), tmp_path)
    assert [(r.sha256, r.checks) for r in again] == [(r.sha256, r.checks) for r in whole]


@pytest.mark.usefixtures("asking")
def test_drawings_with_a_fault_are_not_chosen_from(bench: Bench, tmp_path: Path) -> None:
    few = {**CHOSEN, "clips_per_taste": 1, "tastes": [{"name": "sweet", "prompt": "bright"}]}
    seeds = [4_000_000, 4_500_001, 5_000_001, 5_500_001, 6_000_001]
    tones = [scattered("one", "bright", s) for s in seeds]
    best = max(range(4), key=lambda k: tones[k])
    bench.faulty[seeds[best]] = "silent"
    row = next(r for r in generate(study(**few), models(batch=1), tmp_path) if r.model == "base")
    left = [k for k in range(5) if k != best]
    assert [c["try"] for c in row.checks["candidates"]] == left
    assert row.checks["kept"] == max(left, key=lambda k: tones[k])
    assert row.checks["tries"] == 5
    assert row.checks["drawn_again"].count("another drawing has more of what is asked") == 3


def test_prompts_that_ask_for_nothing_are_drawn_once(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROMPTS, "bright", 300)
    tastes = [{"name": "sweet", "prompt": "bright"}, {"name": "sour", "prompt": "another"}]
    rows = generate(study(**{**CHOSEN, "tastes": tastes}), models(batch=2), tmp_path)
    assert {r.taste: r.checks["tries"] for r in rows} == {"sweet": 4, "sour": 1}
    assert not any("candidates" in r.settings or "candidates" in r.checks for r in rows if r.taste == "sour")


@pytest.mark.usefixtures("asking")
def test_progress_goes_on_over_all_drawings_and_never_back(bench: Bench, tmp_path: Path) -> None:
    told: list[float] = []
    generate(study(**CHOSEN), models(batch=2), tmp_path, lambda done, total, what: told.append(done / total))
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len({x for x in told if 0 < x < 0.25}) > 4  # the first set's four rounds each tell of themselves


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("Sweet music: in C major, soft.", {"mode": 1}),
        ("A MINOR key", {"mode": -1}),
        ("from major to minor", {}),
        ("the majority of a minority", {}),
        ("Bright and dissonant, low-pitched, legato", {"centroid": 1, "roughness": 1, "pitch_height": -1, "gaps": -1}),
        ("dark, consonant harmony, high notes, crisp staccato", {"centroid": -1, "roughness": -1, "pitch_height": 1, "gaps": 1}),
        ("high spirits, a low voice, sweet", {}),
    ],
)  # fmt: skip
def test_what_a_prompt_asks_for(prompt: str, found: dict[str, int]) -> None:
    assert asked(prompt) == found
    assert asked(prompt, ["mode"]) == {k: v for k, v in found.items() if k == "mode"}


def test_every_scale_is_of_a_feature_that_is_measured() -> None:
    from stimuli.features import FEATURES

    assert {s.feature for s in SCALES.values()} <= set(FEATURES)
    assert len({s.feature for s in SCALES.values()}) == len(SCALES)


VALUES = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=8)


@given(VALUES, st.sampled_from([1, -1]), st.sampled_from([1, -1]))
def test_what_beats_all_others_in_all_that_is_asked_is_chosen_whatever_the_units(
    values: list[tuple[int, int]], one: int, other: int
) -> None:
    drawn = [{"mode": float(a), "centroid": float(b)} for a, b in values]
    assert best(drawn, {"mode": one}) == max(range(len(drawn)), key=lambda i: one * values[i][0])  # of equals the first
    chosen = best(drawn, {"mode": one, "centroid": other})
    better = [one * a > one * values[chosen][0] and other * b > other * values[chosen][1] for a, b in values]
    assert not any(better)
    stretched = [{"mode": 1000 * d["mode"] + 3, "centroid": d["centroid"] ** 3} for d in drawn]
    assert best(stretched, {"mode": one, "centroid": other}) == chosen


def test_what_no_candidate_could_be_chosen_by_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"candidates = 4, and no prompt has a word by which one could be chosen \(mode: major, minor\)",
    ):
        study(candidates=4)
    with pytest.raises(ValueError, match="less than or equal to 16"):
        study(candidates=17, tastes=[{"name": "sweet", "harmony": "minor key"}])
    with pytest.raises(ValueError, match="Input should be 'mode'"):
        study(candidates=2, chosen_by=["loveliness"])
    assert study(candidates=4, tastes=[{"name": "sweet", "harmony": "minor key"}]).asks("In D minor") == {"mode": -1}
    assert study(tastes=[{"name": "sweet", "harmony": "minor key"}]).asks("In D minor") == {}


@pytest.mark.usefixtures("asking")
def test_a_twin_is_drawn_again_as_often_and_outdone_drawings_are_no_faults(bench: Bench, tmp_path: Path) -> None:
    """All four drawings of the second clip sound as those of the first do: four more are made, of which one has a fault."""
    few = {**CHOSEN, "tastes": [{"name": "sweet", "prompt": "bright"}]}
    bench.twins = {4_000_000 + n + (k * 500_000 + 1 if k else 0) for n in (0, 1) for k in range(4)}
    bench.faulty[4_000_001 + 4 * 500_000 + 1] = "silent"
    rows = [r for r in generate(study(**few), models(batch=2), tmp_path) if r.model == "base"]
    first, second = rows
    assert first.checks["tries"] == 4
    assert second.checks["tries"] == 9
    assert [c["try"] for c in second.checks["candidates"]] == [5, 6, 7, 8]
    outdone = "another drawing has more of what is asked"
    assert second.checks["drawn_again"] == [outdone] * 3 + ["near-duplicate", "silent"] + [outdone] * 3
    assert second.checks["kept"] in (5, 6, 7, 8)
