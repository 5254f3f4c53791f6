"""What the figures of task 1 show, read from the figures themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.data.frames import StudyData
from analysis.page.sentences import Sides
from analysis.page.style import Drawn, style
from analysis.preference import figures
from tests.analysis.figure import check_room
from tests.analysis.preference.test_section import data, three
from tests.analysis.report.study import CONDITIONS


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Draw a figure; gives it, and what was to be written beside it."""
    style()
    kept: list[tuple[Figure, str, str]] = []

    def keep(figure: Figure, folder: Path, name: str, title: str, caption: str, label: str) -> Drawn:
        check_room(figure)
        kept.append((figure, caption, label))
        return Drawn(name, title, caption, folder / f"{name}.svg")

    monkeypatch.setattr(figures, "save", keep)

    def draw(what: Any, whole: StudyData) -> tuple[Figure, str, str]:
        found = what(whole, tmp_path)
        assert found.name == what.__name__
        return kept[-1]

    return draw


def test_every_taste_has_its_points_its_number_and_the_middle(drawn) -> None:
    whole = data()
    figure, caption, label = drawn(figures.preference, whole)
    (axis,) = figure.axes
    names = [text.get_text() for text in axis.get_xticklabels()]
    assert names == ["bitter\nn = 36", "salty\nn = 36", "sour\nn = 36", "sweet\nn = 108"]
    points = [c.get_offsets() for c in axis.collections if len(np.asarray(c.get_offsets())) > 1]
    for place, taste in enumerate(("bitter", "salty", "sour", "sweet")):
        (mine,) = [p for p in points if np.abs(np.asarray(p)[:, 0].mean() - place) < 0.2]
        wanted = whole.preference.loc[whole.preference["taste"] == taste, "score"]
        assert sorted(np.asarray(mine)[:, 1]) == sorted(wanted)
    assert any(set(line.get_ydata()) == {5.0} for line in axis.lines)
    assert caption.startswith("Scores of 36 participants (216 answers)")
    assert label == "SIMULATED"
    # The same data are the same picture, whatever was drawn at random before.
    np.random.seed(7)  # noqa: NPY002  # the common generator is what must not matter
    again, _, _ = drawn(figures.preference, whole)
    other = [c.get_offsets() for c in again.axes[0].collections if len(np.asarray(c.get_offsets())) > 1]
    assert len(other) == len(points)
    assert all(np.array_equal(a, b) for a, b in zip(points, other, strict=True))


def test_distributions_are_shares_of_each_taste_in_whole_steps(drawn) -> None:
    whole = data()
    figure, caption, _ = drawn(figures.distribution, whole)
    assert [axis.get_title() for axis in figure.axes] == [
        "all, n = 216", "bitter, n = 36", "salty, n = 36", "sour, n = 36", "sweet, n = 108",
    ]  # fmt: skip
    for axis, taste in zip(figure.axes[1:], ("bitter", "salty", "sour", "sweet"), strict=True):
        scores = whole.preference.loc[whole.preference["taste"] == taste, "score"]
        bars = {bar.get_x() + bar.get_width() / 2: bar.get_height() for bar in axis.patches if bar.get_height()}
        assert bars == pytest.approx({k: 100 * v for k, v in scores.value_counts(normalize=True).items()})
        lines = sorted(float(line.get_xdata()[0]) for line in axis.lines)
        assert lines == pytest.approx(sorted([5.0, scores.mean()]))
    assert caption.startswith("Distribution of the 216 scores of 36 participants")
    part = whole.preference.assign(score=whole.preference["score"] + 0.25)
    figure, _, _ = drawn(figures.distribution, replace(whole, preference=part))
    assert len(figure.axes[0].patches) == 20  # no whole numbers: twenty bars from the lowest to the highest
    assert figure.axes[0].patches[0].get_x() == pytest.approx(part["score"].min())


def test_every_pair_of_conditions_has_a_row_of_its_own(drawn) -> None:
    whole = three()
    pairs, called = [("base", "tuned"), ("film", "base"), ("film", "tuned")], {"tuned": "fine-tuned"}
    named = [tuple(called.get(side, side) for side in pair) for pair in pairs]
    figure, caption, _ = drawn(figures.preference, whole)
    assert [axis.get_ylabel() for axis in figure.axes] == [
        f"Score (0 {under}, 5 neither, 10 {over})" for over, under in named
    ]
    counts = whole.preference.groupby(["over", "under"]).size()
    for axis, pair in zip(figure.axes, pairs, strict=True):
        shown = [int(t.get_text().split("n = ")[1]) for t in axis.get_xticklabels()]
        assert sum(shown) == counts[pair]
    figure, caption, _ = drawn(figures.distribution, whole)
    firsts = figure.axes[::5]
    assert [axis.get_ylabel() for axis in firsts] == [f"{over} over {under}\nAnswers (%)" for over, under in named]
    assert [axis.get_title() for axis in firsts] == [f"all, n = {counts[pair]}" for pair in pairs]
    own = whole.preference[(whole.preference["over"] == "film") & (whole.preference["under"] == "tuned")]
    assert max(float(line.get_xdata()[0]) for line in figure.axes[10].lines) == pytest.approx(
        max(5.0, own["score"].mean())
    )
    assert caption.endswith("Over the middle the first named fits better.")


def test_worths_are_drawn_from_their_rows(drawn) -> None:
    rows = [
        {"taste": t, "condition": c, "value": v, "ci_low": v - 0.5, "ci_high": v + 0.5, "state": "singular: clips"}
        for t, values in (("all", (0.4, -0.1, -0.3)), ("sour", (1.0, 0.0, -1.0)))
        for c, v in zip(("tuned", "film", "base"), values, strict=True)
    ]
    lost = {"taste": "salty", "condition": "film", "value": None, "ci_low": None, "ci_high": None, "state": "too few"}

    def worth(given: StudyData, folder: Path) -> Drawn:
        return figures.worth([*rows, lost], 10, CONDITIONS, folder, given.label)

    figure, caption, label = drawn(worth, three())
    (axis,) = figure.axes
    spans = sorted(tuple(line.get_xdata()) for line in axis.lines if len(set(line.get_xdata())) == 2)
    assert spans == sorted((r["value"] - 0.5, r["value"] + 0.5) for r in rows)
    assert [t.get_text() for t in axis.get_yticklabels()] == ["sour", "all tastes"]
    assert sorted(t.get_text() for t in axis.get_legend().get_texts()) == ["base", "film", "tuned"]
    assert "the variance of clips was estimated as zero" in caption
    assert label == "SIMULATED"


def test_quantiles_are_of_all_scores(drawn) -> None:
    whole = data()
    figure, caption, _ = drawn(figures.qq, whole)
    (axis,) = figure.axes
    assert any(len(np.asarray(line.get_xdata())) == 216 for line in axis.lines) or any(
        len(np.asarray(c.get_offsets())) == 216 for c in axis.collections
    )
    assert caption == "Quantiles of all 216 scores against a normal distribution with 95 % band."


def test_intervals_are_drawn_from_their_rows_with_bounds_and_states(drawn) -> None:
    """One line a test from low to high; bounds as ticks; what can't be told is not drawn."""
    rows = [
        {"taste": "all", "effect": 0.5, "ci_low": 0.1, "ci_high": 0.9, "state": "ok"},
        {"taste": "sweet", "effect": -0.2, "ci_low": -0.8, "ci_high": 0.4, "state": "singular: clip"},
        {"taste": "sour", "effect": None, "ci_low": None, "ci_high": None, "state": "too few"},
    ]
    sides = Sides("new", "old", (0.0, 10.0))

    def intervals(given: StudyData, folder: Path) -> Drawn:
        return figures.intervals(rows, [{"taste": "sweet", "bound": 1.0}], sides, folder, given.label)

    figure, caption, label = drawn(intervals, data())
    (axis,) = figure.axes
    spans = [sorted(line.get_xdata()) for line in axis.lines if len(set(line.get_xdata())) == 2]
    assert [-0.8, 0.4] in spans
    assert [0.1, 0.9] in spans
    assert len(spans) == 2 + 0
    assert [t.get_text() for t in axis.get_yticklabels()] == ["sweet *", "all tastes"]
    assert sorted(
        {line.get_xdata()[0] for line in axis.lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2}
    ) == [-1.0, 0, 1.0]
    assert "old fits better" in axis.get_xlabel()
    assert "the variance of clips was estimated as zero" in caption
    assert label == "SIMULATED"


def test_tracks_are_many_in_figures_too(drawn: Any) -> None:
    """ "The film tracks fit better", never "fits": in captions and under axes, on both sides."""
    whole = data()
    over, under = whole.preference["over"].iloc[0], whole.preference["under"].iloc[0]
    known = replace(whole.conditions, labels={over: "film"}, tracks=(over,))
    _, caption, _ = drawn(figures.distribution, replace(whole, conditions=known))
    assert caption.endswith("Over the middle the film tracks fit better.")
    _, caption, _ = drawn(figures.distribution, whole)
    assert caption.endswith(f"Over the middle the {whole.conditions.spoken(over)} fits better.")
    row: dict[str, Any] = {"taste": "all", "effect": 0.5, "ci_low": 0.1, "ci_high": 0.9, "state": "ok"}
    for sides, left, right in (
        (Sides("the film tracks", "the base model"), "the base model fits", "the film tracks fit"),
        (Sides("the base model", "the film tracks"), "the film tracks fit", "the base model fits"),
    ):

        def intervals(given: StudyData, folder: Path, sides: Sides = sides) -> Drawn:
            return figures.intervals([row], [], sides, folder, given.label)

        figure, _, _ = drawn(intervals, whole)
        assert figure.axes[0].get_xlabel().splitlines()[1:] == [f"← {left} better", f"{right} better →"]
    assert under != over
