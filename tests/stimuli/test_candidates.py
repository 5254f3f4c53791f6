"""Of how many drawings a clip is chosen, by which words and measures, and what the manifest says of it.

The networks are the stand-in of `tests.stimuli.test_generate`, with tones that say which seed they are of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.config import ModelsConfig
from stimuli.candidates import SCALES, asked, best
from stimuli.errors import StimulusError
from stimuli.generate import generate
from stimuli.manifest import ClipRow, read_manifest
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


def seeds_of(bench: Bench, row: ClipRow, size: int = 2) -> list[int]:
    """Those with which a clip was drawn, one after the other."""
    made = [c for c in bench.calls if (c["checkpoint"], c["prompts"][0]) == (row.checkpoint, row.prompt)]
    return [c["seeds"][row.number % size] for c in made]


@pytest.mark.usefixtures("asking")
def test_of_four_drawings_the_one_is_kept_that_has_most_of_what_is_asked(bench: Bench, tmp_path: Path) -> None:
    rows = generate(study(**CHOSEN), models(batch=2), tmp_path)
    order, kept = {"bright": max, "dark": min}, []
    for row in rows:
        seeds = seeds_of(bench, row)
        tones = [scattered(row.checkpoint or "", row.prompt or "", s) for s in seeds]
        assert (len(seeds), seeds[0]) == (4, row.seed)
        chosen = order[row.prompt or ""](tones)
        assert heard(tmp_path, row) == pytest.approx(chosen, abs=1)
        assert tones[row.checks["kept"]] == chosen
        assert row.checks["drawn_with"] == seeds[row.checks["kept"]]
        assert [c["try"] for c in row.checks["candidates"]] == [0, 1, 2, 3]
        assert row.checks["tries"] == 4
        assert row.checks["drawn_again"] == ["another drawing has more of what is asked"] * 3
        assert (row.settings["candidates"], row.settings["asks"]) == (
            4,
            {"centroid": 1 if row.prompt == "bright" else -1},
        )
        kept.append(row.checks["kept"])
    assert len(set(kept)) > 1
    assert made_again(bench, tmp_path, study(**CHOSEN), models(batch=2)) == set()
    assert len(made_again(bench, tmp_path, study(**{**CHOSEN, "candidates": 3}), models(batch=2))) == 8


@pytest.mark.usefixtures("asking")
def test_no_drawing_is_one_of_another_clip_or_of_a_study_with_the_next_seed(bench: Bench, tmp_path: Path) -> None:
    """Shifted by the half of what lies between the seeds of two studies they would be."""
    for seed in (4, 5):
        generate(study(**{**CHOSEN, "candidates": 6, "seed": seed}), models(batch=2), tmp_path / str(seed))
    drawn = [s for c in bench.calls if c["checkpoint"] == "one" for s in c["seeds"]]
    assert len(drawn) == len(set(drawn)) == 2 * 2 * 2 * 6
    assert all(0 <= s < 2**63 for s in drawn)


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
    first = next(r for r in generate(study(**few), models(batch=1), tmp_path / "without") if r.model == "base")
    bench.faulty[first.checks["drawn_with"]] = "silent"
    bench.calls.clear()
    row = next(r for r in generate(study(**few), models(batch=1), tmp_path / "with") if r.model == "base")
    tones = [scattered("one", "bright", s) for s in seeds_of(bench, row, 1)]
    left = [k for k in range(5) if k != first.checks["kept"]]
    assert [c["try"] for c in row.checks["candidates"]] == left
    assert tones[row.checks["kept"]] == max(tones[k] for k in left)
    assert row.checks["tries"] == 5
    assert row.checks["drawn_again"].count("another drawing has more of what is asked") == 3
    assert row.checks["drawn_again"].count("silent") == 1


@pytest.mark.usefixtures("asking")
def test_a_fault_now_and_then_gives_no_clip_up_and_four_in_a_row_do(bench: Bench, tmp_path: Path) -> None:
    few = {**CHOSEN, "candidates": 16, "clips_per_taste": 1, "tastes": [{"name": "sweet", "prompt": "bright"}]}
    generate(study(**few), models(batch=1), tmp_path / "without")
    seeds = [c["seeds"][0] for c in bench.calls if c["checkpoint"] == "one"]
    bench.faulty |= {seeds[k]: "silent" for k in (1, 5, 9, 13)}
    row = next(r for r in generate(study(**few), models(batch=1), tmp_path / "with") if r.model == "base")
    assert row.checks["tries"] == 20
    bench.faulty |= {seeds[k]: "silent" for k in (6, 7, 8)}
    with pytest.raises(StimulusError, match=r"gave 4 unusable clips \(silent, silent, silent, silent\)"):
        generate(study(**few), models(batch=1), tmp_path / "never")


def test_prompts_that_ask_for_nothing_are_drawn_once(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROMPTS, "bright", 300)
    tastes = [{"name": "sweet", "prompt": "bright"}, {"name": "sour", "prompt": "another"}]
    rows = generate(study(**{**CHOSEN, "tastes": tastes}), models(batch=2), tmp_path)
    assert {r.taste: r.checks["tries"] for r in rows} == {"sweet": 4, "sour": 1}
    assert not any("candidates" in r.settings or "candidates" in r.checks for r in rows if r.taste == "sour")


def test_each_clip_of_music_for_another_taste_is_chosen_by_its_own_prompt(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts of a set differ then; more clips leave those that are there."""
    for k, prompt in enumerate(("bright", "dark", "plain")):
        monkeypatch.setitem(PROMPTS, prompt, 300 * (k + 1))
    tastes = [{"name": n, "prompt": p} for n, p in (("sweet", "bright"), ("sour", "dark"), ("salty", "plain"))]
    wrong = {"name": "wrong", "checkpoint": "one", "prompts_of": "other tastes"}
    three = ModelsConfig.model_validate({"conditions": [{"name": "base", "checkpoint": "one"}, wrong], "batch": 2})
    made = {**CHOSEN, "tastes": tastes, "clips_per_taste": 4}
    rows = [r for r in generate(study(**made), three, tmp_path) if r.model == "wrong"]
    assert {r.prompt for r in rows if r.taste == "sweet"} == {"dark", "plain"}
    for row in rows:
        asks = {"bright": {"centroid": 1}, "dark": {"centroid": -1}}.get(row.prompt or "", {})
        assert row.settings.get("asks", {}) == asks
        assert row.checks["tries"] == (4 if asks else 1)
    assert made_again(bench, tmp_path, study(**{**made, "clips_per_taste": 6}), three) == {
        f"{t}-{m}-00{n}" for t in ("sweet", "sour", "salty") for m in ("base", "wrong") for n in (4, 5)
    }


@pytest.mark.usefixtures("asking")
def test_progress_goes_on_over_all_drawings_and_never_back(bench: Bench, tmp_path: Path) -> None:
    told: list[float] = []
    bench.faulty[4_000_000] = "silent"  # a round more than are sure
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
        ("non-legato, non-dissonant", {}),
        ("high pitched, in E flat minor with piano", {"pitch_height": 1, "mode": -1}),
        ("a high-register flute in F# Major then", {"pitch_height": 1, "mode": 1}),
        ("a minor percussion part, minor variations, a major festival", {}),
        ("deep and low, minor scale", {"pitch_height": -1, "mode": -1}),
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


MINOR = [{"name": "sweet", "harmony": "minor key"}]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"candidates": 4}, r"chosen by mode, and no prompt has a word of it \(major, minor\), or each has both"),
        ({"candidates": 4, "tastes": MINOR, "chosen_by": ["mode", "harmony"]}, r"chosen by harmony, and .*dissonant, consonant"),
        ({"candidates": 4, "tastes": [{"name": "sweet"}], "setting": "a piece in D minor"}, "chosen by mode"),
        ({"candidates": 17, "tastes": MINOR}, "less than or equal to 16"),
        ({"candidates": 2, "tastes": MINOR, "chosen_by": ["loveliness"]}, "Input should be 'mode'"),
        ({"candidates": 2, "tastes": MINOR, "chosen_by": ["mode", "mode"]}, "one thing twice: mode, mode"),
        ({"tastes": MINOR, "chosen_by": ["harmony"]}, "there is one; add candidates = 4"),
        ({"candidates": 2, "tastes": MINOR, "source": "given", "folder": "tracks"}, "tracks are not drawn"),
    ],
    ids=str,
)  # fmt: skip
def test_what_no_candidate_could_be_chosen_by_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        study(**fields)


@pytest.mark.parametrize("setting", ["background music for a dark chocolate tasting", "r"])
def test_what_the_music_is_for_asks_for_nothing(setting: str) -> None:
    tastes = [{"name": "sour", "character": "bright"}, {"name": "sweet", "character": "warm"}]
    made = study(candidates=2, chosen_by=["brightness"], setting=setting, tastes=tastes)
    assert [made.asks(t) for t in made.tastes] == [{"centroid": 1}, {}]
    (once,) = study(tastes=MINOR).tastes
    assert study(tastes=MINOR).asks(once) == {}
    assert study(tastes=MINOR, candidates=2).asks(once) == {"mode": -1}


@pytest.mark.usefixtures("asking")
def test_a_twin_is_drawn_again_as_often_and_outdone_drawings_are_no_faults(bench: Bench, tmp_path: Path) -> None:
    """All four drawings of the second clip sound as those of the first do: four more are made, of which one has a fault."""
    few = {**CHOSEN, "tastes": [{"name": "sweet", "prompt": "bright"}]}
    generate(study(**{**few, "candidates": 9}), models(batch=2), tmp_path / "all")
    drawn = [c["seeds"] for c in bench.calls if c["checkpoint"] == "one"][:9]
    bench.twins = {seed for seeds in drawn[:4] for seed in seeds}
    bench.faulty[drawn[4][1]] = "silent"
    rows = [r for r in generate(study(**few), models(batch=2), tmp_path / "four") if r.model == "base"]
    first, second = rows
    assert first.checks["tries"] == 4
    assert second.checks["tries"] == 9
    assert [c["try"] for c in second.checks["candidates"]] == [5, 6, 7, 8]
    outdone = "another drawing has more of what is asked"
    assert second.checks["drawn_again"] == [outdone] * 3 + ["near-duplicate", "silent"] + [outdone] * 3
    assert second.checks["kept"] in (5, 6, 7, 8)
