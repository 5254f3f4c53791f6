"""The section on the sound from constructed numbers: the sentences that they must give, and what stands under which title."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.config import AnalysisConfig
from analysis.sound import distances, section
from tests.analysis.report.study import clip, inputs, sketched


def row(model: str, value: float, **changes: Any) -> dict[str, Any]:
    return {
        "metric": "FAD", "embedding": "codec", "model": model, "taste": "all", "n": 4, "n_reference": 40, "n_frames": 120,
        "seconds": 2.0, "value": value, "ci_low": value - 0.5, "ci_high": value + 0.25, "rank_deficient": False, "width": 64,
        "reference": "music", **changes,
    }  # fmt: skip


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Sentences and section for constructed distances."""

    def make(rows: list[dict[str, Any]], **changes: Any):
        tables = {
            "distances": rows,
            "fits": [],
            "clips": [{"clip": "c", "model": "base", "taste": "sweet", "embedding": "codec", "distance": 1.0}],
        }
        monkeypatch.setattr(distances, "analyse", lambda *_, **__: tables)
        summary: list[str] = []
        with sketched():
            made = section.section(inputs(tmp_path, **changes), summary)
        return summary, made

    return make


def test_distances_are_told_with_intervals_condition_by_condition(told) -> None:
    rows = [
        row("base", 3.456), row("finetuned", 2.0), row("base", 9.0, taste="sweet"), row("finetuned", 9.0, taste="sweet"),
        row("base", 99.0, metric="KAD"), row("base", 77.0, embedding="yamnet"),
    ]  # fmt: skip
    summary, _ = told(rows)
    assert summary[0] == "FAD (codec) to the reference music: base 3.46 [2.96, 3.71], fine-tuned 2.00 [1.50, 2.25]."
    assert not [line for line in summary if "77" in line or "99" in line]
    # Without an interval, or without one of the two, nothing is compared.
    for few in ([row("base", 3.0), row("finetuned", 2.0, ci_low=None, ci_high=None)], [row("base", 3.0)]):
        assert not [line for line in told(few)[0] if line.startswith("FAD")]


def pitched(sweet: float, bitter: float, model: str = "finetuned"):
    return [
        clip(t, model, n, features={"pitch_height": level + n / 10, "roughness": -level - n / 10})
        for t, level in (("sweet", sweet), ("bitter", bitter))
        for n in range(4)
    ]


@pytest.mark.parametrize(
    ("sweet", "bitter", "alpha", "said"),
    [
        (62.0, 60.0, 0.05, "Music for sweet is higher in pitch than music for bitter (fine-tuned model: +2.0 semitones, 4 and 4 clips)."),
        (60.0, 62.0, 0.05, "Whether music for sweet is higher in pitch than music for bitter is undecided (fine-tuned model: -2.0 semitones, 4 and 4 clips, one-sided corrected p = 1.000)."),
        # Four against four without overlap: one-sided p = 1/70, under Holm over the two tested correspondences 2/70.
        (62.0, 60.0, 0.0286, "Music for sweet is higher in pitch than music for bitter (fine-tuned model: +2.0 semitones, 4 and 4 clips)."),
        # No four against four could pass a lower level.
        (62.0, 60.0, 0.0285, "4 and 4 clips are too few to show whether music for sweet is higher in pitch than music for bitter (fine-tuned model: +2.0 semitones)."),
        (60.0, 62.0, 0.0142, "4 and 4 clips are too few to show whether music for sweet is higher in pitch than music for bitter (fine-tuned model: -2.0 semitones)."),
    ],
)  # fmt: skip
def test_pitch_is_called_higher_only_where_the_corrected_test_says_so(
    told, sweet: float, bitter: float, alpha: float, said: str
) -> None:
    summary, _ = told([row("base", 3.0)], clips=pitched(sweet, bitter), config=AnalysisConfig(alpha=alpha))
    assert summary == [said]


def test_each_model_is_told_by_its_own_name(told) -> None:
    both = [*pitched(62, 60, "base"), *pitched(60, 62, "finetuned")]
    summary, _ = told([row("base", 3.0)], clips=both)
    assert summary == [
        "Music for sweet is higher in pitch than music for bitter (base model: +2.0 semitones, 4 and 4 clips).",
        "Whether music for sweet is higher in pitch than music for bitter is undecided (fine-tuned model: -2.0 semitones, 4 and 4 "
        "clips, one-sided corrected p = 1.000).",
    ]


def test_tables_stand_under_their_titles(told) -> None:
    _summary, made = told([row("base", 3.0), row("finetuned", 2.0)], clips=pitched(62, 60))
    tables = {t.name: t for t in made.tables}
    assert list(tables) == ["fad", "distance_preference", "clip_distances", "correspondences", "feature_tests"]
    assert tables["fad"].rows[0]["value"] == 3.0
    assert tables["fad"].columns[:5] == ["metric", "embedding", "model", "taste", "n"]
    assert tables["clip_distances"].rows[0]["clip"] == "c"
    assert {r["feature"] for r in tables["feature_tests"].rows} == {"pitch_height", "roughness"}
    assert {r["source"] for r in tables["correspondences"].rows}
    assert [f.name for f in made.figures] == ["fad", "features"]
    assert made.how == "tastelab analysis fad"


def test_without_clips_or_features_or_preference(told, tmp_path: Path) -> None:
    assert section.section(inputs(tmp_path, clips=[]), []) is None
    bare = [replace(c, features={}) for c in pitched(62, 60)]
    given = inputs(tmp_path)
    summary, made = told(
        [row("base", 3.0)], clips=bare, data=replace(given.data, preference=given.data.preference.iloc[:0])
    )
    assert [t.name for t in made.tables] == ["fad", "clip_distances"]
    assert [f.name for f in made.figures] == ["fad"]
    assert summary == []


def test_simulated_answers_are_marked_on_the_figures_of_the_sound_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every figure of a report on bots says so; on people none does."""
    from analysis.page.style import Drawn
    from analysis.sound import figures
    from tests.analysis.report.study import answers

    marked: dict[str, str] = {}

    def keep(figure: Any, folder: Path, name: str, title: str, caption: str, label: str) -> Drawn:
        marked[name] = label
        return Drawn(name, title, caption, folder / f"{name}.svg")

    monkeypatch.setattr(figures, "save", keep)
    for kind, label in (("bot", "SIMULATED"), ("person", "people")):
        marked.clear()
        section.section(inputs(tmp_path / kind, data=answers(kind)), [])
        assert {"fad", "features"} <= set(marked)
        assert set(marked.values()) == {label}
