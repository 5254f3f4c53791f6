"""`tastelab trace`: from a clip, by name, hash or words of its prompt, to the answers about it and the tests they went into."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.tastelab.conftest import Lived, call, clip_rows


def traced(lived: Lived, what: str) -> dict[str, list[dict[str, Any]]]:
    said = call("trace", what, *lived.where, "--json")
    assert said.status == 0, said.err
    found = json.loads(said.out)
    assert (found["analysis"], found["data_sha256"]) == ("trace", None)
    tables: dict[str, list[dict[str, Any]]] = found["tables"]
    return tables


def clips(lived: Lived, what: str) -> list[str]:
    return [row["clip"] for row in traced(lived, what)["clips"]]


def test_a_clip_is_found_by_name_hash_or_prompt(lived: Lived) -> None:
    row = next(r for r in clip_rows() if r.clip == "sour-finetuned-002")
    assert clips(lived, row.clip) == [row.clip]
    assert clips(lived, row.sha256) == [row.clip]
    assert clips(lived, row.sha256[:12]) == [row.clip]
    assert len(clips(lived, row.sha256[:6])) == 1 + sum(
        r.sha256[:6] == row.sha256[:6] for r in clip_rows() if r is not row and r.clip != row.clip
    )
    assert call("trace", row.sha256[:5], *lived.where).status == 2
    assert clips(lived, "SOUR music number 2") == ["sour-base-002", "sour-finetuned-002"]
    assert len(clips(lived, "music number")) == 32


@pytest.mark.parametrize("what", ["sour", "music", "ffffffffffff", "sour-base"])
def test_what_fits_nothing_or_too_much_is_a_mistake(lived: Lived, what: str) -> None:
    """Five letters of a prompt say too little; a piece of a name is no name."""
    said = call("trace", what, *lived.where)
    assert (said.status, said.out) == (2, "")
    assert said.err == f"tastelab: no clip of small is named {what!r}, has that hash, or was prompted with it\n"


def test_where_a_clip_came_from_stands_in_its_row(lived: Lived) -> None:
    assert traced(lived, "sweet-base-003")["clips"] == [
        {
            "clip": "sweet-base-003", "condition": "base", "taste": "sweet", "number": 3, "prompt": "Sweet music number 3", "checkpoint": "nano-base",
            "checkpoint_sha256": "cccccccccccc", "seed": 103, "sha256": next(
                r.sha256[:12] for r in clip_rows() if r.clip == "sweet-base-003"
            ), "loudness": -23.0, "caption": None,
        }
    ]  # fmt: skip


def test_answers_are_counted_wherever_the_clip_was_heard(lived: Lived) -> None:
    """As the first of a pair, as the second, and alone."""
    for name in ("sweet-finetuned-001", "sour-base-000", "bitter-finetuned-003"):
        by_hand = lived.asked(
            "select block, item, count(*), avg(value) from response join trial on trial.id = trial_id where first_id = "
            "(select id from stimulus where clip = ?) or second_id = (select id from stimulus where clip = ?) "
            "group by block, item order by block, item",
            (name, name),
        )
        found = traced(lived, name)["answers"]
        assert by_hand
        assert [(r["clip"], r["kind"]) for r in found] == [(name, "bot")] * len(by_hand)
        assert [(r["block"], r["item"], r["answers"]) for r in found] == [row[:3] for row in by_hand]
        assert [r["mean"] for r in found] == pytest.approx([row[3] for row in by_hand])


def test_the_last_report_s_tests_of_its_taste_are_named(mine: Lived) -> None:
    assert traced(mine, "sweet-base-000")["tests"] == []
    folder = mine.out / "small" / "tables"
    folder.mkdir(parents=True)
    rows = [
        {"taste": t, "alternative": "greater", "n": n, "p": p, "p_adjusted": q, "effect": 0.1}
        for t, n, p, q in (("all", 96, 0.01, ""), ("sweet", 24, 0.02, 0.08), ("sour", 24, 0.5, 1.0))
    ]
    with (folder / "preference_tests.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    wanted: list[dict[str, Any]] = [
        {
            "taste": "all",
            "plan": "paper",
            "alternative": "greater",
            "n": 96,
            "p": 0.01,
            "p_adjusted": None,
            "data_sha256": None,
        },
        {
            "taste": "sweet",
            "plan": "paper",
            "alternative": "greater",
            "n": 24,
            "p": 0.02,
            "p_adjusted": 0.08,
            "data_sha256": None,
        },
    ]
    assert traced(mine, "sweet-base-000")["tests"] == wanted
    (mine.out / "small" / "manifest.json").write_text(json.dumps({"data_sha256": "d" * 64}))
    assert traced(mine, "sweet-base-000")["tests"] == [row | {"data_sha256": "d" * 12} for row in wanted]
    # The report's own answer, by the mixed model, comes first.
    with (folder / "preference_mixed.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerow({**rows[1], "p": 0.11, "p_adjusted": 0.44})
    first = traced(mine, "sweet-base-000")["tests"][0]
    assert (first["taste"], first["plan"], first["p"], first["p_adjusted"]) == ("sweet", "robust", 0.11, 0.44)


def test_a_clip_that_nobody_heard_is_said_to_be_so(mine: Lived, tmp_path: Path) -> None:
    where = ["--study", mine.study, "--db", f"sqlite:///{tmp_path / 'new.db'}", "--out", mine.out]
    said = call("trace", "sweet-base-000", *where)
    assert said.status == 0
    assert said.out.rstrip().endswith("No session has heard it yet.")
    assert "No session" not in call("trace", "sweet-base-000", *mine.where).out
    assert "No session" not in call("trace", "sweet-base-000", *where, "--json").out
