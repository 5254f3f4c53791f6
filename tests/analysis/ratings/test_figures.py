"""Figures of task 2: every value in its own cell, every effect on its own line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.data.compared import Conditions
from analysis.page.style import BLUE
from analysis.ratings import figures
from tests.analysis.figure import bars, kept, words
from tests.analysis.report.study import answers


def test_mean_ratings_stand_in_their_own_cells(tmp_path: Path) -> None:
    data = answers()
    cells = {("sweet", "sweet"): 4.25, ("sweet", "happy"): 3.0, ("bitter", "bitter"): 1.5}
    values = [cells.get((p, a), 2.0) for p, a in zip(data.ratings["prompt"], data.ratings["adjective"], strict=True)]
    with kept() as found:
        drawn = figures.heat_map(replace(data, ratings=data.ratings.assign(value=values)), tmp_path)
        axis = found[0].axes[0]
        columns = [t.get_text() for t in axis.get_xticklabels()]
        rows = [t.get_text() for t in axis.get_yticklabels()]
        assert columns == ["bitter", "happy", "sweet"]
        assert rows == ["bitter", "sweet"]
        written = np.array([t.get_text() for t in axis.texts]).reshape(2, 3).tolist()
        assert written == [["1.50", "2.00", "2.00"], ["2.00", "3.00", "4.25"]]
        assert (axis.get_xlabel(), axis.get_ylabel()) == ("Adjective", "Taste of the prompt")
        assert "Mean rating (scale steps)" in words(found[0])
    assert drawn.caption == "Mean ratings; 8 rated clips of 4 participants."
    assert drawn.name == "heatmap"


@pytest.mark.parametrize(
    ("prompts", "clips", "model", "label"),
    [
        (("a", "b"), ("c1", "c2"), "made", "Taste of the prompt"),
        (
            [f"p{k}" for k in range(9)],
            [f"c{k}" for k in range(9)],
            "made",
            "Taste of the prompt",
        ),  # nine tastes are no tracks
        (("one", "two"), ("one", "two"), "film", "Track"),  # two tracks without tastes: each is a prompt of its own
        (("sweet", "two"), ("one", "two"), "film", "Taste of the music, or track"),
        (("sweet", "sour"), ("one", "two"), "film", "Taste of the music"),
        (("sweet", "sour"), ("one", "two"), "wrong", "Taste of the music"),  # that it stands for, and was not asked for
    ],
)
def test_rows_are_called_what_they_are(
    tmp_path: Path, prompts: list[str], clips: list[str], model: str, label: str
) -> None:
    """In a study file's ratings a track without a taste has its own name as prompt (`analysis.data.frames`)."""
    told = list(zip(prompts, clips, strict=True))
    rows = [(1, k, p, model, c, a, 1.0 + k % 3) for k, (p, c) in enumerate(told) for a in "xy"]
    known = Conditions(("made", "film", "wrong"), tracks=("film",), wrong={"wrong": "made"})
    frame = pd.DataFrame(rows, columns=["participant", "trial", "prompt", "model", "clip", "adjective", "value"])
    with kept() as found:
        figures.heat_map(replace(answers(), ratings=frame, conditions=known), tmp_path)
        assert found[0].axes[0].get_ylabel() == label


def test_correlations_are_shown_once(tmp_path: Path) -> None:
    """The lower triangle: three adjectives, three numbers."""
    data = answers()
    wide = data.ratings.pivot_table(index=["participant", "trial"], columns="adjective", values="value")
    with kept() as found:
        drawn = figures.correlation(data, tmp_path)
        axis = found[0].axes[0]
        shown = [t.get_text() for t in axis.texts]
        assert (axis.get_xlabel(), axis.get_ylabel()) == ("", "")
    r = np.corrcoef(wide[["bitter", "happy", "sweet"]].to_numpy(), rowvar=False)
    assert [float(s) for s in shown] == pytest.approx([r[1, 0], r[2, 0], r[2, 1]], abs=0.0051)
    assert drawn.caption == "Pearson correlations between adjectives over 8 completely rated clips."


def mediated() -> list[dict[str, Any]]:
    rows = []
    for t, taste in enumerate(("bitter", "sweet")):
        for m, mediator in enumerate(("valence", "arousal")):
            one: dict[str, Any] = {"taste": taste, "mediator": mediator, "indirect": t + 0.1 * (m + 1)}
            one |= {"total": t + 0.7, "direct": t + 0.5, "music": "prompt"}
            for name, (low, high) in {"": (0.05, 0.02), "total_": (0.2, 0.1), "direct_": (0.3, 0.4)}.items():
                value = one[{"": "indirect", "total_": "total", "direct_": "direct"}[name]]
                one |= {
                    f"{name or 'ci_'}low": value - low,
                    f"{name or 'ci_'}high": value + high,
                }
            rows.append(one)
            rows.append(one | {"music": "tempo", "indirect": 99.0})
    return rows


def test_effects_stand_on_their_own_lines(tmp_path: Path) -> None:
    with kept() as found:
        drawn = figures.mediation(mediated(), 24, tmp_path, "people")
        axes = found[0].axes
        assert [a.get_title() for a in axes] == ["bitter", "sweet"]
        assert axes[0].get_xlim() == axes[1].get_xlim()  # one scale: lengths can be compared from taste to taste
        assert axes[0].get_ylim() == axes[1].get_ylim()
        names = dict(zip(axes[0].get_yticks(), [x.get_text() for x in axes[0].get_yticklabels()], strict=True))
        for t, axis in enumerate(axes):
            assert list(names.values()) == ["total", "via valence", "via arousal", "direct"]
            shown = {
                names[float(c[0].get_ydata()[0])]: (float(c[0].get_xdata()[0]), c[0].get_color())
                for c in axis.containers
            }
            value = {"total": 0.7, "via valence": 0.1, "via arousal": 0.2, "direct": 0.5}
            assert {n: v for n, (v, _) in shown.items()} == pytest.approx({n: t + v for n, v in value.items()})
            assert {n for n, (_, c) in shown.items() if c == BLUE} == {"via valence", "via arousal"}
            ends = {names[y]: (low, high) for low, y, high, _ in bars(axis)}
            for name, (below, above) in {
                "total": (0.2, 0.1), "via valence": (0.05, 0.02), "via arousal": (0.05, 0.02), "direct": (0.3, 0.4),
            }.items():  # fmt: skip
                assert ends[name] == pytest.approx((t + value[name] - below, t + value[name] + above))
        # From the top: total, the feelings, direct.
        assert list(names) == sorted(names, reverse=True)
    assert "(n = 24 rated clips)" in drawn.caption
    assert "no proof of cause" in drawn.caption
    assert drawn.name == "mediation"
