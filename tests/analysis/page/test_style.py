"""Figures as files: three formats, the same bytes every time, and a mark on everything that people did not answer."""

import html
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from analysis.data.compared import Conditions
from analysis.data.frames import KINDS
from analysis.page.style import by_people, colours, save, signed_map, style


@pytest.fixture(autouse=True)
def _no_figures_of_others() -> None:
    from matplotlib import pyplot as plt

    plt.close("all")


def words(svg: Path) -> str:
    """What stands in a figure that was written with its text as text."""
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text()))


def drawn(folder: Path, label: str) -> Path:
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(3, 2))
    axis.plot([0, 1], [0, 1])
    with mpl.rc_context({"svg.fonttype": "none"}):
        made = save(figure, folder, "line", "A line", "It rises.", label)
    assert not plt.get_fignums()
    assert (made.name, made.title, made.caption) == ("line", "A line", "It rises.")
    return made.svg


def test_three_formats_of_one_name(tmp_path: Path) -> None:
    svg = drawn(tmp_path / "new" / "figures", "people")
    assert svg == tmp_path / "new" / "figures" / "line.svg"
    heads = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}
    for suffix, head in heads.items():
        assert svg.with_suffix(suffix).read_bytes().startswith(head)
    assert len(list(svg.parent.iterdir())) == 3


def test_the_same_figure_has_the_same_bytes(tmp_path: Path) -> None:
    """Files carry no date: a report made again can be told by its hashes to be the same."""
    style()
    one, two = drawn(tmp_path / "a", "SIMULATED"), drawn(tmp_path / "b", "SIMULATED")
    for suffix in (".svg", ".png", ".pdf"):
        assert one.with_suffix(suffix).read_bytes() == two.with_suffix(suffix).read_bytes()


def test_words_that_are_wider_than_the_figure_are_not_cut(tmp_path: Path) -> None:
    """As much ink of a long word in a narrow figure as in a wide one, in the file that is shown and in the others."""
    from matplotlib import image
    from matplotlib import pyplot as plt

    def ink(width: float) -> int:
        figure, axis = plt.subplots(figsize=(width, 2))
        axis.set_xlabel("the music of a condition with a long name fits better", color="#FF0000", fontsize=11)
        svg = save(figure, tmp_path / str(width), "long", "Long", "A long label.", "people").svg
        pixels = image.imread(svg.with_suffix(".png"))
        edges = (pixels[:, :2, 1], pixels[:, -2:, 1], pixels[:2, :, 1], pixels[-2:, :, 1])
        assert all((edge > 0.9).all() for edge in edges)
        return int(((pixels[..., 0] > 0.9) & (pixels[..., 1] < 0.5)).sum())

    assert ink(1.5) == pytest.approx(ink(8.0), rel=0.03)
    sizes = [re.search(r'width="([\d.]+)pt"', (tmp_path / w / "long.svg").read_text()) for w in ("1.5", "8.0")]
    narrow, wide = (float(found[1]) for found in sizes if found)
    assert narrow > 2.5 * 72
    assert wide == 8 * 72  # what holds its words stays as large as it was


@pytest.mark.parametrize(
    ("kind", "mark"),
    [("bot", "SIMULATED"), ("driven", "DRIVEN TEST SESSION"), ("person", None), ("imported", None)],
)
def test_what_people_did_not_answer_says_so(tmp_path: Path, kind: str, mark: str | None) -> None:
    label = KINDS[kind]
    found = words(drawn(tmp_path, label))
    assert (mark in found) if mark else ("SIMULATED" not in found and "people" not in found and "imported" not in found)
    assert by_people(label) is (mark is None)


def test_style_needs_no_screen() -> None:
    style()
    assert mpl.get_backend().lower() == "agg"
    assert mpl.rcParams["svg.fonttype"] == "path"  # reads the same where the font is missing
    assert not mpl.rcParams["axes.spines.top"]
    assert not mpl.rcParams["axes.spines.right"]
    assert mpl.rcParams["figure.constrained_layout.use"]


@pytest.mark.parametrize("label", ["from 5$ to 6$", "a $x^{$", "100 % <b>&\"'</b> {x}"])
def test_a_studys_own_words_are_no_formulas(tmp_path: Path, label: str) -> None:
    from matplotlib import pyplot as plt

    style()
    figure, axis = plt.subplots(figsize=(4, 2))
    axis.set_xlabel(label)
    with mpl.rc_context({"svg.fonttype": "none"}):
        made = save(figure, tmp_path, "label", "t", "c", "people")
    assert label in html.unescape(words(made.svg))


def test_a_map_of_correlations_runs_from_minus_one_to_one() -> None:
    """Colours mean the same in every figure, whatever values stand in it; what is masked is not written."""
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots()
    frame = pd.DataFrame([[0.2, -0.3], [0.123, 0.2]], index=["a", "b"], columns=["a", "b"])
    signed_map(frame, axis, "Pearson r", np.triu(np.ones_like(frame, dtype=bool)))
    mesh = axis.collections[0]
    assert mesh.get_clim() == (-1, 1)
    red, blue = mesh.cmap(mesh.norm(0.9)), mesh.cmap(mesh.norm(-0.9))
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert [t.get_text() for t in axis.texts] == ["0.12"]
    assert "Pearson r" in [a.get_ylabel() for a in figure.axes]
    plt.close(figure)


def test_a_condition_has_one_colour_by_its_declared_place() -> None:
    """Grey, blue, green, pink, orange, light blue, yellow, and from the eighth on again."""
    declared = Conditions(("base", "tuned"), {"base": "base", "tuned": "tuned"})
    assert colours(declared, ["tuned"]) == {"base": "#68737C", "tuned": "#0072B2"}
    found = colours(declared, ["film", "base"])
    assert found == {"base": "#68737C", "tuned": "#0072B2", "film": "#009E73"}
    names = tuple("abcdefgh")
    many = list(colours(Conditions(names, {n: n for n in names}), names).values())
    assert many[3:] == ["#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#68737C"]
