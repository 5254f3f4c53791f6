"""Where a clip came from and what was answered to it, by name, hash or prompt; people who were left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.data.careless import without
from analysis.report import build as building
from analysis.report.trace import Trace
from tastelab.following import _of_report
from tastelab.study import load_study
from tests.analysis.report.study import answers, inputs, sketched
from tests.tastelab.conftest import Lived, call, clip_rows
from tests.tastelab.test_trace import traced


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


@pytest.mark.parametrize("what", ["sour", "music", "ffffffffffff", "sour-base", "means.0.mean", "person-3"])
def test_what_fits_nothing_or_too_much_is_a_mistake(lived: Lived, what: str) -> None:
    """Five letters of a prompt say too little; a piece of a name is no name; without a report there is no number of it."""
    said = call("trace", what, *lived.where)
    assert (said.status, said.out) == (2, "")
    assert said.err == (
        f"tastelab: nothing of small is called {what!r}: no clip has that name, hash or prompt, and no number of the report, no person "
        "and no checkpoint is called so; there is no report yet, so that no number, person or checkpoint can be followed\n"
    )


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
    """As the first of a pair, as the second, and alone; a pair's mean is the report's score, whichever clip came first."""
    for name in ("sweet-finetuned-001", "sour-base-000", "bitter-finetuned-003"):
        by_hand = lived.asked(
            "select block, case block when 'preference' then '' else item end as what, count(*), avg(case when block = 'preference' and "
            "one.model = 'finetuned' then 10 - value else value end) from response join trial on trial.id = trial_id "
            "join stimulus as one on one.id = first_id left join stimulus as two on two.id = second_id "
            "where one.clip = ? or two.clip = ? group by block, what order by block, what",
            (name, name),
        )
        found = traced(lived, name)["answers"]
        assert by_hand
        assert [(r["clip"], r["kind"]) for r in found] == [(name, "bot")] * len(by_hand)
        assert [(r["task"], r["item"], r["answers"]) for r in found] == [row[:3] for row in by_hand]
        assert [r["mean"] for r in found] == pytest.approx([row[3] for row in by_hand])
        assert {r["pair"] for r in found if r["task"] == "preference"} <= {"finetuned - base"}


def test_a_clip_that_nobody_heard_is_said_to_be_so(mine: Lived, tmp_path: Path) -> None:
    where = ["--study", mine.study, "--db", f"sqlite:///{tmp_path / 'new.db'}", "--out", mine.out]
    said = call("trace", "sweet-base-000", *where)
    assert said.status == 0
    assert said.out.rstrip().endswith("No session has heard it yet.")
    assert "No session" not in call("trace", "sweet-base-000", *mine.where).out
    assert "No session" not in call("trace", "sweet-base-000", *where, "--json").out


def test_whom_rules_left_out_is_said_to_be_left_out(lived: Lived, tmp_path: Path) -> None:
    """A page of the report links to them; they are not called unknown, and nothing of theirs is followed on."""
    whole = answers(people=8)
    with sketched(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "STEPS", tuple(s for s in building.STEPS if s[0] == "people"))
        building.build(inputs(tmp_path, data=without(whole, {3}), excluded={"straight": [3]}))
    trace = Trace(json.loads((tmp_path / "trace" / "index.json").read_text(encoding="utf-8")), whole)
    study, nowhere = load_study(lived.study), f"sqlite:///{tmp_path / 'none.db'}"
    found = _of_report(study, nowhere, trace, "person-3")
    assert found is not None
    assert found.lines[0].startswith("Person 3 was left out by the study file's rules")
    assert (
        found.tables["answers"],
        {row["table"] for row in found.tables["went_into"]} <= {"flow", "demographics", "sentences"},
    ) == ([], True)
    other = _of_report(study, nowhere, trace, "person-4")
    assert other is not None
    assert (len(other.tables["answers"]) > 0, "left out" in other.lines[0]) == (True, False)
    assert _of_report(study, nowhere, trace, "person-9") is None
