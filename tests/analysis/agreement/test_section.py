"""The report's part on targets: sentences from constructed results, and the whole section from rows made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.agreement.section import alike, follows, nearest, section, word_by_word
from analysis.config import AnalysisConfig
from tests.analysis.report.study import inputs

TASTES = ("sweet", "sour", "salty")
# Each row another direction, so that a track is nearer to its own target than to any other.
TARGETS = {"a": (9, 1, 1), "b": (1, 9, 1), "c": (1, 1, 9), "d": (9, 9, 1), "e": (1, 9, 9), "f": (9, 1, 9)}


def row_of(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"n": 20, "statistic": 1.53, "p": 0.004, "permutations": 9999, "state": "ok"} | row | changes


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.004, "On average the ratings of a track lie nearer to its own target than to one dealt at random: "),
        (
            0.0501,
            "It is not shown that on average the ratings of a track lie nearer to its own target than to one dealt at random: ",
        ),
        (0.05, "It is not shown that "),
    ],
)
def test_a_claim_stands_on_its_p(p: float, said: str) -> None:
    told = follows(row_of({"test": "permutation"}, p=p), 0.05)
    assert told.startswith(said)
    assert "mean distance 1.53 (z-scores)" in told
    assert "20 tracks, 9,999 permutations." in told


def test_like_targets_and_what_cannot_be_told() -> None:
    mantel = row_of({"test": "mantel"}, statistic=0.452)
    assert alike(mantel, 0.05) == "Tracks with like targets are rated alike: Mantel's r = 0.45, p = .004."
    assert alike(mantel | {"p": 0.3}, 0.05).startswith("It is not shown that tracks with like targets are rated alike")
    unknown = mantel | {"p": None, "statistic": None, "state": "undefined: all tracks lie equally far apart"}
    assert alike(unknown, 0.05) == (
        "Whether tracks with like targets are rated alike can't be told: undefined: all tracks lie equally far apart."
    )
    assert follows(unknown, 0.05).startswith(
        "Whether on average the ratings of a track lie nearer to its own target than to one dealt at random can't be told"
    )


def test_counts_of_tracks_and_words() -> None:
    assert nearest([{"rank": r, "chance": 0.25} for r in (1, 2, 1, 3)]) == (
        "Of 4 tracks 2 are rated nearest to their own target; by chance it would be one."
    )
    assert nearest([{"rank": r, "chance": c} for r, c in ((1, 1.0), (2, 0.5))]).endswith("by chance it would be 1.5.")
    assert nearest([{"rank": r, "chance": 0.5} for r in (1, 2)]).startswith(
        "Of 2 tracks 1 is rated nearest to its own target"
    )
    assert word_by_word([{"item": "sweet", "r": 0.789}, {"item": "sour", "r": -0.2}]) == (
        "Over tracks, ratings and targets correlate: sweet 0.79, sour -0.20."
    )


def rated(values: dict[str, tuple[int, ...]]) -> pd.DataFrame:
    """Two people who rate each track one step beside what is given, one above and one under."""
    return pd.DataFrame(
        [
            {"participant": p, "trial": k, "prompt": "", "model": "given", "clip": clip, "adjective": word, "value": float(v + by), "response_time": 2.0}
            for p, by in ((1, 1), (2, -1))
            for k, (clip, row) in enumerate(values.items())
            for word, v in zip(TASTES, row, strict=True)
        ]
    )  # fmt: skip


def part(folder: Path, values: dict[str, tuple[int, ...]], targets: str | None = None) -> tuple[Any, list[str]]:
    file = folder / "targets.csv"
    lines = [f"{clip},{','.join(map(str, row))}" for clip, row in TARGETS.items()]
    file.write_text(targets or "\n".join(["track,sweet,sour,salty", *lines]) + "\n")
    given = inputs(folder, config=AnalysisConfig(targets=file, seed=1))
    given.data = replace(given.data, ratings=rated(values), words={"salzig": "salty"})
    summary: list[str] = []
    return section(given, summary), summary


def test_ratings_that_are_the_targets_follow_them_and_those_of_another_track_do_not(tmp_path: Path) -> None:
    found, summary = part(tmp_path, TARGETS)
    assert found.text[0].startswith("On average the ratings of a track lie nearer to its own target")
    assert summary == [found.text[0]]
    assert found.text[1] == "Over tracks, ratings and targets correlate: salty 1.00, sour 1.00, sweet 1.00."
    assert found.text[2].startswith("Of 6 tracks 6 are")
    assert [t.name for t in found.tables] == [
        "agreement_tests", "agreement_correlations", "agreement_vectors", "agreement_pca"
    ]  # fmt: skip
    names = list(TARGETS)
    turned = {clip: TARGETS[names[(i + 3) % 6]] for i, clip in enumerate(names)}
    found, _ = part(tmp_path, turned)
    assert found.text[0].startswith("It is not shown")
    assert found.text[2].startswith("Of 6 tracks 0 are")


def test_tracks_that_share_a_target_are_right_by_it_and_by_chance(tmp_path: Path) -> None:
    """Three tracks of each of two targets, rated without sense: dealt anew, three of six have the nearest target on average (all deals
    counted by hand: each track has its nearest target in half of them)."""
    lines = ["track,sweet,sour,salty", "a,9,1,1", "b,9,1,1", "c,9,1,1", "d,1,9,2", "e,1,9,2", "f,1,9,2"]
    turned = dict(zip(TARGETS, [(9, 1, 3), (1, 9, 1), (2, 8, 1), (8, 2, 2), (1, 9, 1), (9, 2, 1)], strict=True))
    found, _ = part(tmp_path, turned, "\n".join(lines) + "\n")
    assert found.text[2] == "Of 6 tracks 2 are rated nearest to their own target; by chance it would be 3."


def test_without_targets_there_is_no_part_and_a_bad_file_is_told_in_it(tmp_path: Path) -> None:
    bare = inputs(tmp_path, config=AnalysisConfig())
    bare.data = replace(bare.data, ratings=rated(TARGETS))
    assert section(bare, []) is None
    found, summary = part(tmp_path, TARGETS, "track,sweet\na,1\n")
    assert found.tables == []
    assert "has no column for salty, sour" in found.text[0]
    assert summary == found.text


def test_targets_may_be_called_as_the_study_words_them(tmp_path: Path) -> None:
    lines = [f"{clip},{','.join(map(str, row))}" for clip, row in TARGETS.items()]
    found, _ = part(tmp_path, TARGETS, "\n".join(["track,sweet,sour,Salzig", *lines]) + "\n")
    assert found.text[1] == "Over tracks, ratings and targets correlate: salty 1.00, sour 1.00, sweet 1.00."


def test_each_table_stands_under_its_own_title_and_note(tmp_path: Path) -> None:
    found, _ = part(tmp_path, TARGETS)
    assert {t.name.removeprefix("agreement_"): t.title for t in found.tables} == {
        "tests": "Ratings against targets", "correlations": "Word by word", "vectors": "Track by track", "pca": "Components",
    }  # fmt: skip
    notes = {t.name.removeprefix("agreement_"): t.note for t in found.tables}
    assert "Mantel (1967)" in notes["tests"]
    assert "Pearson" in notes["correlations"]
    assert "plus one" in notes["vectors"]
    assert "Principal components" in notes["pca"]
    assert (found.name, found.title) == ("agreement", "Do the ratings follow their targets")
    assert found.how == "tastelab analysis agreement --targets targets.csv"


def test_a_word_that_is_left_out_is_named(tmp_path: Path) -> None:
    same = {clip: (row[0], row[1], 3) for clip, row in TARGETS.items()}
    found, _ = part(tmp_path, same)
    assert [
        line for line in found.text if line.startswith("Salty is left out: its ratings are the same for all 6 tracks.")
    ]
