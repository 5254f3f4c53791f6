"""The report: what has not changed is not made anew, every figure in three formats, one style, and words for a page reader."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.config import AnalysisConfig
from analysis.page.inputs import Inputs
from analysis.page.sentences import apa_anova, apa_mixed, number, p_value
from analysis.report.build import STEPS, build
from tests.analysis.data.test_careless import study


def inputs(folder: Path, **changes: object) -> Inputs:
    base = Inputs(
        title="A study <with> & signs", data=study(80), config=AnalysisConfig(resamples=100), embedders=[], clips=[],
        folder=folder / "stimuli", out=folder, version="0", study_sha256="a" * 64,
    )  # fmt: skip
    return replace(base, **changes)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    path, made = build(inputs(folder))
    assert made
    return path


def test_it_stands_in_one_file_with_everything_linked(built: Path) -> None:
    text = built.read_text()
    assert "A study &lt;with&gt; &amp; signs" in text
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    for target in re.findall(r'href="#([^"]+)"', text):
        if not target.startswith(("m", "D")) or target in ("main", "manifest", "mediation"):  # glyphs of figures apart
            assert target in ids, target
    for link in re.findall(r'href="((?:tables|figures)/[^"]+)"', text):
        assert (built.parent / link).exists(), link
    assert "SIMULATED" in text
    assert "seed 0" in text
    assert "pandas" in text


def test_figures_come_in_three_formats(built: Path) -> None:
    stems = {p.stem for p in (built.parent / "figures").iterdir()}
    assert {"preference", "distribution", "qq", "heatmap", "correlations", "scree", "loadings", "diagram"} <= stems
    for stem in stems:
        assert {p.suffix for p in (built.parent / "figures").glob(f"{stem}.*")} == {".svg", ".png", ".pdf"}


def test_tables_have_apa_strings(built: Path) -> None:
    import pandas as pd

    rows = pd.read_csv(built.parent / "tables" / "preference_mixed.csv")
    assert rows["apa"][0].startswith("difference = ")
    assert "95 % CI [" in rows["apa"][0]


def test_the_page_can_be_walked_by_keyboard(built: Path) -> None:
    text = built.read_text()
    assert text.index('class="skip" href="#main"') < text.index("<nav")
    assert '<nav aria-label="Contents">' in text
    # What scrolls can be reached: tables and the manifest take the focus and have a name.
    assert len(
        re.findall(r'<div class="scroll[^"]*" role="region" aria-labelledby="[^"]+" tabindex="0">', text)
    ) == text.count('class="scroll')
    assert 'lang="en"' in text


def test_unchanged_sections_are_kept(built: Path) -> None:
    folder = built.parent
    assert build(inputs(folder)) == (built, False)
    stamps = {p.name: p.stat().st_mtime_ns for p in (folder / "sections").iterdir()}
    assert len(stamps) == len(STEPS)
    # A driven session touches its own section alone.
    desk = {"answers": 2, "matching": 2, "audio": [{"clip": "a", "r": 1.0}]}
    _, made = build(inputs(folder, desk=desk))
    assert made
    changed = {p.name for p in (folder / "sections").iterdir() if p.stat().st_mtime_ns != stamps[p.name]}
    assert changed == {"session.json"}
    # Other answers: everything that stands on answers.
    other = study(80)
    ratings = other.ratings.assign(value=np.clip(other.ratings["value"] + (other.ratings["trial"] == 5), 1, 9))
    build(inputs(folder, desk=desk, data=replace(other, ratings=ratings, digest="1" * 64)))
    again = {p.name for p in (folder / "sections").iterdir() if p.stat().st_mtime_ns != stamps[p.name]}
    assert again == {f"{n}.json" for n, _, needs in STEPS if "data" in needs} | {"session.json"}


def test_a_broken_kept_section_is_made_anew(built: Path) -> None:
    folder = built.parent
    (folder / "sections" / "ratings.json").write_text("{")
    _, made = build(inputs(folder, version="1"))
    assert made
    assert json.loads((folder / "sections" / "ratings.json").read_text())["section"]["name"] == "ratings"


@pytest.mark.parametrize(
    ("value", "column", "shown"),
    [
        (0.0004, "p", "< .001"), (0.0312, "p_adjusted", ".031"), (1.0, "p", "1"), (None, "p", "–"), (float("nan"), "x", "–"),
        (0.00724, "x", "0.007"), (-0.0559, "x", "-0.056"), (0.1234, "x", "0.12"), (12345.0, "x", "12,345"), (True, "x", "yes"),
        (3.91e9, "bf10", "3.91e+09"), (0.00001, "x", "1.00e-05"), (7, "n", "7"),
    ],
)  # fmt: skip
def test_numbers_as_people_read_them(value: object, column: str, shown: str) -> None:
    assert number(value, column) == shown


def test_apa_sentences() -> None:
    row = {"effect": 0.821, "ci_low": 0.3, "ci_high": 1.34, "statistic": 3.4, "df": 19.9, "p": 0.0028}
    assert apa_mixed(row) == "difference = 0.82, 95 % CI [0.30, 1.34], t(19.9) = 3.40, p = .003"
    assert apa_mixed({**row, "p": None}) == ""
    term = {"df": 2.0, "F": 9.79, "p": 9.5e-5, "partial_eta_sq": 0.103}
    assert apa_anova(term, 171) == "F(2, 171) = 9.79, p < .001, partial η² = .103"
    assert p_value(0.05) == "p = .050"
