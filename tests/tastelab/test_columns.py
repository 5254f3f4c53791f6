"""Which columns of a table are shown in 80 characters: what a row is and its main number, before counts and intervals."""

from __future__ import annotations

from typing import Any

import pytest

from tastelab.columns import fit
from tastelab.context import show

NUMBERS = {"n": 96, "df": 17.2, "se": 0.211, "ci_low": -0.105, "ci_high": 0.539}


def parts(rows: list[dict[str, Any]], width: int = 80) -> tuple[list[list[str]], list[str]]:
    """The keys of each part, and those left out; numbers take six characters."""
    told, left = fit(rows, width, lambda value, _: value if isinstance(value, str) else "00.000")
    return [[column.key for column in part] for part in told], left


def test_what_fits_stays_as_it_is() -> None:
    assert parts([{"n": 1, "taste": "sweet", "p": 0.1}]) == ([["n", "taste", "p"]], [])
    assert parts([{"taste": "sweet"}, {"taste": "sour", "mean": 1.5}]) == ([["taste", "mean"]], [])


def test_a_line_is_used_to_its_last_character() -> None:
    """Two columns of 6 characters, each with a line and two spaces, and the last line: 2 * 9 + 1."""
    rows = [{"a": 0.5, "bbbbbb": 0.5}]
    assert parts(rows, 19) == ([["a", "bbbbbb"]], [])
    assert parts(rows, 18) == ([["a"], ["bbbbbb"]], [])


def test_a_row_is_named_first_then_come_estimate_p_and_state_and_counts_get_what_is_left() -> None:
    rows = [
        {
            "taste": "all", "moderator": moderator, "level": level, "against": against, **NUMBERS, "effect": 0.5, "p": 0.003,
            "p_adjusted": 0.012, "state": "ok",
        }
        for moderator, level, against in (("sex", "woman", "man"), ("age", "a decade", ""), ("sex", "other", "man"))
    ]  # fmt: skip
    # moderator (12) and level (11) name a row; effect 9, p_adjusted 13, p 9, state 8, against 10: 72 of 79.
    assert parts(rows) == (
        [["moderator", "level", "against", "effect", "p", "p_adjusted", "state"]],
        ["taste", "n", "df", "se", "ci_low", "ci_high"],
    )


def test_rows_that_differ_in_their_alternative_are_told_apart_in_every_part() -> None:
    rows = [
        {
            "taste": "salty", "test": "wilcoxon", "alternative": alternative, "n": 24, "n_participants": 24, "mean": 4.75,
            "median": 5.5, "statistic": 75.5, "p": 0.5, "p_adjusted": 0.5, "effect": -0.12, "ci_low": -0.5, "ci_high": 0.4,
            "role": role, "state": "ok",
        }
        for alternative, role in (("greater", "declared"), ("less", "exploratory"))
    ]  # fmt: skip
    told, left = parts(rows)
    assert told == [
        ["taste", "alternative", "mean", "median", "p", "p_adjusted", "effect", "state"],  # 79 with the taste's 8
        ["test", "alternative", "n", "statistic", "ci_low", "ci_high", "role"],  # 79 with the 9 of n
    ]
    assert left == ["n_participants"]


def test_what_is_needed_goes_into_further_parts_with_the_name_of_the_row() -> None:
    tastes = ("bitter", "salty", "sour", "sweet", "umami")
    rows = [
        {
            "clip": clip,
            **{f"{whose}_{t}": 0.5 for whose in ("rated", "target") for t in tastes},
            "distance": 1.5,
        }
        for clip in ("one", "two")
    ]
    told, left = parts(rows)
    assert left == []
    assert told == [
        ["clip", "rated_bitter", "rated_salty", "rated_sour", "rated_sweet", "rated_umami"],
        ["clip", "target_bitter", "target_salty", "target_sour", "target_sweet", "distance"],
        ["clip", "target_umami"],
    ]


def test_numbers_of_their_own_names_are_kept_before_counts() -> None:
    rows = [
        {"item": item, "n": 48, "n_clips": 16, "k": 3.5, "icc_21": 0.1, "icc_2k": 0.2, "ci_low": 0.1, "ci_high": 0.9, "state": "ok"}
        for item in ("anger", "disgust")
    ]  # fmt: skip
    assert parts(rows, 60) == ([["item", "icc_21", "icc_2k", "ci_low", "ci_high", "state"]], ["n", "n_clips", "k"])


def test_an_interval_is_shown_with_both_ends_or_not_at_all() -> None:
    rows = [{"item": "anger", "effect": 0.1, "ci_low": 0.1, "ci_high": 0.9, "p": 0.5, "n": 3}]
    # item 8, effect 9, ci_low 9, ci_high 10, p 9, n 9: at 45 both ends just don't fit, a count does.
    assert parts(rows, 46) == ([["item", "effect", "ci_low", "ci_high", "p"]], ["n"])
    assert parts(rows, 45) == ([["item", "effect", "p", "n"]], ["ci_low", "ci_high"])
    # Without a p the interval says how sure it is: it gets a part of its own.
    bare = [{k: v for k, v in rows[0].items() if k != "p"}]
    assert parts(bare, 36) == ([["item", "effect", "n"], ["item", "ci_low", "ci_high"]], [])


def test_long_names_are_broken_so_that_numbers_stand_beside_them() -> None:
    rows = [
        {
            "clip": f"{k} a very long title of a track",
            "words": f"{k} a very long caption of it",
            "mean": 0.5,
            "p": 0.5,
            "state": "ok",
        }
        for k in "ab"
    ]
    told, left = fit(rows, 80, lambda value, _: str(value))
    assert left == []
    assert [c.key for c in told[0]] == ["clip", "words", "mean", "p", "state"]
    assert sum(c.width + 3 for c in told[0]) + 1 <= 80


def test_whole_numbers_name_rows_that_words_leave_alike() -> None:
    rows = [{"taste": "all", "people": k, **{f"another_number_{j}": 0.5 for j in range(3)}} for k in (20, 40)]
    assert parts(rows, 30) == ([["people", f"another_number_{j}"] for j in range(3)], ["taste"])


def test_parts_are_shown_one_under_another_and_what_is_left_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"item": item, **{f"component_{k}": 0.25 for k in range(6)}, **NUMBERS, "p": 0.9996, "p_adjusted": 1.0}
        for item in ("anger", "disgust")
    ]
    show("x", "robust", None, {"two_words": rows}, False, None)
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.strip() for line in lines if line and line[0].isalpha()] == ["two words", "two words, continued"]
    heads = [line for line in lines if line.startswith("┃")]
    assert len(heads) == 2
    assert all(head.startswith("┃ item ") for head in heads)
    assert sum(line.startswith("│ anger ") for line in lines) == 2
    assert out.count("1.000") == 4
    shown = {c.strip() for head in heads for c in head.split("┃") if c.strip()}
    (said,) = [line for line in lines if "also in --csv and --json: " in line]
    assert shown | set(said.split(": ")[1].split(", ")) == set(rows[0])
