"""Figures of the sound: each value over its own taste, in its condition's colour, and captions with the right counts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.page.style import BLUE, GREY
from analysis.sound import figures
from tests.analysis.figure import bars, kept, points, words
from tests.analysis.report.study import CONDITIONS


def fad_rows() -> list[dict[str, object]]:
    rows = []
    for e, embedding in enumerate(("codec", "yamnet")):
        for m, model in enumerate(("base", "finetuned")):
            for t, (taste, n) in enumerate((("all", 8), ("sour", 3), ("sweet", 5))):
                value = 10.0 * (e + 1) + m + t / 10
                rows.append(
                    {
                        "metric": "FAD", "embedding": embedding, "model": model, "taste": taste, "n": n, "value": value,
                        "ci_low": value - 1, "ci_high": value + 2, "reference": "my music", "n_reference": 40,
                    }
                )  # fmt: skip
    rows[1] |= {"ci_low": None, "ci_high": None}
    return [*rows, {**rows[0], "metric": "KAD", "value": 999.0}]


def test_distances_stand_over_their_taste_with_their_interval(tmp_path: Path) -> None:
    with kept() as found:
        drawn = figures.fad(fad_rows(), tmp_path, CONDITIONS)
        (figure,) = found
        assert drawn.name == "fad"
        assert drawn.caption == (
            "Fréchet Audio Distance to my music (40 clips); 8 clips a condition, 3 to 5 a taste; bars are 95 % bootstrap intervals over "
            "clips. Values compare within an embedding only."
        )
        assert [a.get_title() for a in figure.axes] == ["codec", "yamnet"]
        for e, axis in enumerate(figure.axes):
            assert [t.get_text() for t in axis.get_xticklabels()] == ["all", "sour", "sweet"]
            for m, container in enumerate(axis.containers):
                x, y = container[0].get_data()
                assert np.round(x).tolist() == [0, 1, 2]
                assert np.abs(x - np.round(x)).max() == pytest.approx(0.125)
                assert np.sign(x[0]) == (-1, 1)[m]  # side by side
                assert y == pytest.approx([10 * (e + 1) + m + t / 10 for t in range(3)])
                assert container[0].get_color() == (GREY, BLUE)[m]
                assert container.get_label() == ("base", "fine-tuned")[m]
            wanted = [(10.0 * (e + 1) + m + t / 10) for m in range(2) for t in range(3)]
            ends = [(low, high) for _, low, _, high in bars(axis)]
            none = e == 0
            held = [(v, v) if none and k == 1 else (v - 1, v + 2) for k, v in enumerate(wanted)]
            assert np.array(ends) == pytest.approx(np.array(held))
            assert axis.get_ylim()[0] == 0
        assert {"base", "fine-tuned"} <= {t.get_text() for legend in figure.legends for t in legend.get_texts()}


def test_a_condition_without_clips_of_some_taste_stands_over_its_own(tmp_path: Path) -> None:
    """Tracks for sweet alone, eight of them: not over sour, and not told as if all conditions had as many."""
    rows = [r for r in fad_rows() if (r["model"], r["taste"]) != ("finetuned", "sour")]
    rows = [{**r, "n": 5} if (r["model"], r["taste"]) == ("finetuned", "all") else r for r in rows]
    with kept() as found:
        drawn = figures.fad(rows, tmp_path, CONDITIONS)
        axis = found[0].axes[0]
        assert [t.get_text() for t in axis.get_xticklabels()] == ["all", "sour", "sweet"]
        x, y = axis.containers[1][0].get_data()
        assert dict(zip(np.round(x).tolist(), y.tolist(), strict=True)) == pytest.approx({0: 11.0, 2: 11.2})
        assert "5 to 8 clips a condition, 3 to 5 a taste" in drawn.caption
        bare = figures.fad([r for r in rows if r["taste"] == "all"], tmp_path, CONDITIONS)
        assert "(40 clips); 5 to 8 clips a condition; bars" in bare.caption


def test_an_interval_beside_its_value_still_holds_it(tmp_path: Path) -> None:
    """Bootstrap intervals may miss the value; bars can't be negative."""
    row = {**fad_rows()[0], "ci_low": 11.0, "ci_high": 12.0}
    with kept() as found:
        figures.fad([row], tmp_path, CONDITIONS)
        assert [(a, b) for _, a, _, b in bars(found[0].axes[0])] == [(10.0, 12.0)]


def test_features_by_taste_and_model(tmp_path: Path) -> None:
    rows = [
        {
            "clip": f"{t}{m}{i}",
            "taste": t,
            "model": m,
            "number": i,
            "tempo": 60 + 10 * k + 100 * j + i,
            "gaps": 0.1 * k,
            "x": 1.0,
        }
        for k, t in enumerate(("bitter", "sweet"))
        for j, m in enumerate(("base", "finetuned"))
        for i in range(3 - (t == "sweet" and m == "base"))
    ]
    with kept() as found:
        drawn = figures.features(
            pd.DataFrame(rows), {"tempo": "bpm", "gaps": "", "missing": "Hz"}, tmp_path, CONDITIONS
        )
        (figure,) = found
        axes = figure.axes
        assert [a.get_ylabel() for a in axes[:2]] == ["tempo (bpm)", "gaps"]
        assert len(axes) == 4
        assert [a.axison for a in axes] == [True, True, False, False]
        assert (
            drawn.caption
            == "Acoustic features of the clips (2 to 3 per taste and condition); bars are 95 % bootstrap intervals."
        )
        assert drawn.name == "features"
        middle = sorted(y for _, y in points(axes[0]) if y in (61.0, 70.5, 161.0, 171.0))
        assert middle == [61.0, 70.5, 161.0, 171.0]
        assert {"base", "fine-tuned"} <= set(words(figure))


def test_extrapolation_ends_at_infinitely_many_clips(tmp_path: Path) -> None:
    """Points over 1 / n; the line runs on to 0."""
    fits = [
        {"model": m, "embedding": "codec", "n": n, "value": 3 + k + (8 + k) / n} for k, m in enumerate(("base", "finetuned")) for n in (4, 8)
    ]  # fmt: skip
    rows = [
        {"metric": "FAD-infinity", "r_squared": 0.91}, {"metric": "FAD-infinity", "r_squared": 0.987}, {"metric": "FAD"},
    ]  # fmt: skip
    with kept() as found:
        drawn = figures.extrapolation(fits, rows, tmp_path, CONDITIONS)
        assert drawn is not None
        assert "(R² of the lines 0.91 to 0.99)" in drawn.caption
        (axis,) = found[0].axes
        lines = [np.column_stack(line.get_data()) for line in axis.lines]
        for k in range(2):
            assert lines[2 * k] == pytest.approx(np.array([[1 / 4, 3 + k + (8 + k) / 4], [1 / 8, 3 + k + (8 + k) / 8]]))
            assert lines[2 * k + 1] == pytest.approx(np.array([[0, 3 + k], [1 / 4, 3 + k + (8 + k) / 4]]))
            assert axis.lines[2 * k].get_color() == axis.lines[2 * k + 1].get_color() == (GREY, BLUE)[k]
        assert axis.get_xlim()[0] == 0
        assert axis.get_xlabel() == "1 / number of clips"
    assert figures.extrapolation([], rows, tmp_path, CONDITIONS) is None
