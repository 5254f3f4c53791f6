"""Figures of the factors: every loading where its item and factor are, its sign in colour and line."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from analysis.factors import figures
from analysis.page.style import BLUE, ORANGE
from tests.analysis.figure import bars, kept, words

LOADINGS = [
    {"item": "hot", "F1": 0.10, "F2": 0.62, "F3": -0.05, "uniqueness": 0.5},
    {"item": "sweet", "F1": 0.81, "F2": 0.31, "F3": 0.0, "uniqueness": 0.3},
    {"item": "cold", "F1": 0.05, "F2": -0.74, "F3": 0.1, "uniqueness": 0.4},
    {"item": "fear", "F1": 0.0, "F2": 0.29, "F3": 0.55, "uniqueness": 0.6},
    {"item": "happy", "F1": 0.52, "F2": 0.0, "F3": -0.30, "uniqueness": 0.5},
]
TABLES = {
    "loadings": LOADINGS,
    "phi": [
        {"factor1": "F1", "factor2": "F2", "r": 0.43}, {"factor1": "F1", "factor2": "F3", "r": -0.1},
        {"factor1": "F2", "factor2": "F3", "r": 0.09},
    ],
    "eigenvalues": [{"index": k, "actual": 3.0 / k, "threshold": 1.5 - k / 10} for k in range(1, 6)],
    "retention": [{"method": "kaiser", "n_factors": 9}, {"method": "parallel", "n_factors": 2}],
    "scores": [
        {"prompt": p, "F1": (p == "sweet") + k / 10, "F2": -k / 10, "F3": 0.0} for p in ("sweet", "sour") for k in range(5)
    ],
}  # fmt: skip
# From the first factor's strongest item to the last factor's: by hand.
ORDER = ["sweet", "happy", "cold", "hot", "fear"]


def test_scree_has_the_data_over_the_random_line(tmp_path: Path) -> None:
    with kept() as found:
        drawn = figures.scree(TABLES, 300, tmp_path, "people")
        axis = found[0].axes[0]
        lines = {line.get_label(): line for line in axis.lines}
        assert np.array(lines["data"].get_data()) == pytest.approx(np.array([[1, 2, 3, 4, 5], [3, 1.5, 1, 0.75, 0.6]]))
        assert lines["random, 95 % quantile"].get_ydata() == pytest.approx([1.4, 1.3, 1.2, 1.1, 1.0])
        assert lines["data"].get_color() == BLUE
        assert axis.get_xticks().tolist() == [1, 2, 3, 4, 5]
    assert drawn.caption == "Parallel analysis keeps 2 factors (n = 300 rated clips)."


def test_loadings_stand_in_their_cells_grouped_by_factor(tmp_path: Path) -> None:
    with kept() as found:
        drawn = figures.loadings(TABLES, 300, tmp_path, "people")
        axis = found[0].axes[0]
        assert [t.get_text() for t in axis.get_yticklabels()] == ORDER
        assert [t.get_text() for t in axis.get_xticklabels()] == ["F1", "F2", "F3"]
        shown = np.array([float(t.get_text()) for t in axis.texts]).reshape(5, 3)
        by = {r["item"]: r for r in LOADINGS}
        assert shown == pytest.approx(np.array([[by[i][f] for f in ("F1", "F2", "F3")] for i in ORDER]))
    assert "(n = 300 rated clips)" in drawn.caption
    assert "uniqueness" not in drawn.caption


def test_diagram_has_a_line_for_each_loading_from_its_item_to_its_factor(tmp_path: Path) -> None:
    with kept() as found:
        drawn = figures.diagram(TABLES, 300, tmp_path, "people")
        axis = found[0].axes[0]
        texts = {t.get_text(): t.get_position() for t in axis.texts}
        y_item = {i: texts[i][1] for i in ORDER}
        y_factor = {f: texts[f][1] for f in ("F1", "F2", "F3")}
        assert [i for i, _ in sorted(y_item.items(), key=lambda p: -p[1])] == ORDER
        assert y_factor["F1"] > y_factor["F2"] > y_factor["F3"]
        assert min(y_factor["F1"] - y_factor["F2"], y_factor["F2"] - y_factor["F3"]) >= 1.4 - 1e-9
        shown = {(r["item"], f): r[f] for r in LOADINGS for f in ("F1", "F2", "F3") if abs(r[f]) >= 0.3}
        assert len(axis.lines) == len(shown) == 7
        at_item = {y: i for i, y in y_item.items()}
        at_factor = {y: f for f, y in y_factor.items()}
        for line in axis.lines:
            (x0, x1), (y0, y1) = line.get_data()
            value = shown.pop((at_item[y0], at_factor[y1]))
            assert x0 < x1
            assert texts[at_item[y0]][0] < x0
            assert x1 < texts[at_factor[y1]][0]
            assert line.get_color() == (BLUE if value > 0 else ORANGE)
            assert line.get_linestyle() == ("-" if value > 0 else "--")
            written = next(t for t in axis.texts if t.get_text() == f"{value:.2f}" and x0 < t.get_position()[0] < x1)
            share = (written.get_position()[0] - x0) / (x1 - x0)
            assert written.get_position()[1] == pytest.approx(y0 + share * (y1 - y0))  # the number lies on its line
        assert shown == {}
        widths = {
            line.get_data()[1][0]: line.get_linewidth()
            for line in axis.lines
            if line.get_data()[1][1] == y_factor["F2"]
        }
        assert widths[y_item["cold"]] > widths[y_item["hot"]] > widths[y_item["sweet"]]
        # Arcs between factors that correlate by .1 or more, their r beside them, right of the names.
        assert len(axis.patches) == 2
        arcs = {t.get_text(): t.get_position() for t in axis.texts if t.get_position()[0] > 0.75}
        assert set(arcs) == {"0.43", "-0.10"}
        assert arcs["0.43"][1] == pytest.approx((y_factor["F1"] + y_factor["F2"]) / 2)
        # Nothing lies outside.
        (left, right), (low, high) = axis.get_xlim(), axis.get_ylim()
        assert all(left <= x <= right and low < y < high for x, y in (t.get_position() for t in axis.texts))
    assert "(|loading| of 0.3 or more; dashed: negative)" in drawn.caption
    with kept() as found:
        figures.diagram(TABLES, 300, tmp_path, "people", shown=0.7)
        assert len(found[0].axes[0].lines) == 2


def test_biplots_have_each_clip_and_prompt_at_their_scores(tmp_path: Path) -> None:
    with kept() as found:
        drawn = figures.biplots(TABLES, 10, tmp_path, "people")
        assert drawn is not None
        (axis,) = found[0].axes
        dots, marks = axis.collections[::2], axis.collections[1::2]
        assert [m.get_label() for m in marks] == ["sour", "sweet"]
        for k, base in enumerate((0.0, 1.0)):
            wanted = np.array([[base + i / 10, -i / 10] for i in range(5)])
            assert np.asarray(dots[k].get_offsets()) == pytest.approx(wanted)
            assert np.asarray(marks[k].get_offsets())[0] == pytest.approx(wanted.mean(axis=0))
            assert to_hex(dots[k].get_facecolor()[0]) == to_hex((BLUE, ORANGE)[k])
            assert to_hex(marks[k].get_facecolor()[0]) == to_hex((BLUE, ORANGE)[k])
        assert (axis.get_xlabel(), axis.get_ylabel()) == ("F1 (score)", "F2 (score)")
        # An arrow a loading, in its direction, all by one scale.
        arrows = {t.xy: t for t in axis.texts if hasattr(t, "xy") and t.get_text() == ""}
        by = {r["item"]: np.array([r["F1"], r["F2"]]) for r in LOADINGS}
        long = {i: v for i, v in by.items() if np.hypot(*v) >= 0.25}
        scale = float(np.quantile(np.abs([[r["F1"], r["F2"]] for r in TABLES["scores"]]), 0.98))
        assert np.array(sorted(arrows)) == pytest.approx(np.array(sorted(tuple(scale * v) for v in long.values())))
        assert {t.get_text() for t in axis.texts} - {""} == set(long)
        for t in axis.texts:
            if t.get_text():
                assert np.sign(t.get_position()[0]) == np.sign(by[t.get_text()][0]) or by[t.get_text()][0] == 0
        assert axis.get_xlim() == axis.get_ylim()
        across, upright = axis.lines
        assert {float(y) for y in across.get_ydata()} == {float(x) for x in upright.get_xdata()} == {0.0}
        assert axis.get_xlim()[0] == -axis.get_xlim()[1]
    assert drawn.caption.startswith("Factor scores of 10 rated clips")


def test_pairs_of_factors_and_many_prompts(tmp_path: Path) -> None:
    four = {
        "loadings": [{"item": "a", "F1": 0.9, "F2": 0.1, "F3": 0.2, "F4": 0.8, "uniqueness": 0.1}],
        "scores": [{"prompt": f"p{k}", "F1": k, "F2": -k, "F3": k / 2, "F4": 1.0} for k in range(9)],
    }
    with kept() as found:
        figures.biplots(four, 9, tmp_path, "people")
        assert [(a.get_xlabel(), a.get_ylabel()) for a in found[0].axes] == [
            ("F1 (score)", "F2 (score)"), ("F3 (score)", "F4 (score)"),
        ]  # fmt: skip
        wide, high = found[0].get_size_inches()
        assert 2 * 0.9 < wide / high < 2 * 1.2  # two squares and a little for their labels
        # Nine prompts can't be told by colour: one mark for all.
        assert [c.get_label() for c in found[0].axes[0].collections[1::2]] == ["all clips"]
        assert "all clips" in words(found[0])
    eight = {**four, "scores": four["scores"][:8]}
    with kept() as found:
        figures.biplots(eight, 8, tmp_path, "people")
        assert len(found[0].axes[0].collections) == 16
    one = {"loadings": [{"item": "a", "F1": 0.9, "uniqueness": 0.1}], "scores": []}
    assert figures.biplots(one, 9, tmp_path, "people") is None


def test_labels_of_arrows_do_not_cover_each_other() -> None:
    placed = figures._apart([("happy", 0.5, 0.5), ("sweet", 0.52, 0.5), ("sad", -0.5, -0.5), ("hot", 0.5, 0.51)])
    assert {i for i, _, _ in placed} == {"happy", "sweet", "sad", "hot"}
    for k, (a, x, y) in enumerate(placed):
        for b, u, v in placed[:k]:
            apart_x = abs(x - u) >= 0.035 * (len(a) + len(b)) / 2 + 0.05
            assert apart_x or abs(y - v) >= 0.085 - 1e-9
    by = {i: (x, y) for i, x, y in placed}
    # No farther than it takes, in steps of a fiftieth.
    pair = figures._apart([("a", 0.5, 0.5), ("b", 0.5, 0.5)])
    assert pair[1][2] - pair[0][2] == pytest.approx(0.1)
    assert by["sad"] == pytest.approx((-0.56, -0.6))  # alone: a little beyond its tip
    assert by["happy"][1] == pytest.approx(0.6)


def test_intervals_stand_beside_their_own_item_and_factor(tmp_path: Path) -> None:
    rows = [
        {"item": i, "factor": f, "loading": v, "ci_low": v - 0.2, "ci_high": v + 0.1, "resamples": 150}
        for i, one in {"sweet": (0.8, 0.1), "sad": (-0.5, 0.6)}.items()
        for f, v in zip(("F1", "F2"), one, strict=True)
    ]
    with kept() as found:
        drawn = figures.intervals(rows, 300, tmp_path, "people")
        axes = found[0].axes
        assert [a.get_title() for a in axes] == ["F1", "F2"]
        assert [t.get_text() for t in axes[0].get_yticklabels()] == ["sad", "sweet"]  # the first item on top
        for k, axis in enumerate(axes):
            sure, unsure = axis.containers
            values = {"F1": {1: 0.8, 0: -0.5}, "F2": {1: 0.1, 0: 0.6}}[f"F{k + 1}"]
            ends = {round(y): (low, high) for low, y, high, _ in bars(axis)}
            assert {n: pytest.approx((v - 0.2, v + 0.1)) for n, v in values.items()} == ends
            assert sure[0].get_color() == BLUE
            drawn_sure = {round(y): x for x, y in zip(*sure[0].get_data(), strict=True)}
            assert drawn_sure == {
                n: pytest.approx(v) for n, v in values.items() if v != 0.1
            }  # .1 - .2 to .1 + .1 holds zero
            assert unsure[0].get_color() != BLUE
    assert drawn.caption == (
        "Pattern loadings with 95 % bootstrap intervals over participants (150 resamples, each aligned with the whole "
        "sample's solution; n = 300 rated clips). Grey: the interval holds zero."
    )
