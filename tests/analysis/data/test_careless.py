"""Careless answering: the indices find what was put in, nobody is left out undeclared, and the flow adds up."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig, Exclude
from analysis.data.careless import analyse, apply, flow, indices
from analysis.data.frames import StudyData
from analysis.preference.sensitivity import with_and_without

ADJECTIVES = ("sweet", "sour", "happy", "sad", "hot")


def study(people: int = 60) -> StudyData:
    """Person 1 gives one answer throughout, 2 answers in no time, 3 turns every answer round, 4 stopped early."""
    rng = np.random.default_rng(0)
    ratings, preference = [], []
    for p in range(1, people + 1):
        for trial in range(3):
            prompt = ("sweet", "sour", "sweet")[trial]
            for a in ADJECTIVES:
                value = 3 + 1.5 * (a == prompt) + rng.normal(0, 0.5)
                value = 3.0 if p == 1 else 9 - 2 * value if p == 3 else value
                ratings.append(
                    (p, 5 + trial, prompt, "finetuned", f"c{trial}", a, float(round(value)), 0.2 if p == 2 else 2.5)
                )
        for trial in range(5):
            score = float(rng.integers(4, 11))
            preference.append(
                (p, trial, "sweet", "base", f"b{trial}", f"f{trial}", score, score, 0.1 if p == 2 else 3.0)
            )
    status = ["stopped" if p == 4 else "complete" for p in range(1, people + 1)]
    columns = ["participant", "trial", "prompt", "model", "clip", "adjective", "value", "response_time"]
    frame = pd.DataFrame(ratings, columns=columns)
    return StudyData(
        "s", "bot", pd.DataFrame({"participant": range(1, people + 1), "status": status, "language": "en"}),
        pd.DataFrame(
            preference,
            columns=["participant", "trial", "taste", "first_model", "clip_base", "clip_finetuned", "answer", "score", "response_time"],
        ),
        frame, frame.iloc[:0].rename(columns={"adjective": "item"}), 5.0,
        {"complete": people - 1, "stopped": 1, "withdrawn": 2, "running": 1}, "0" * 64,
    )  # fmt: skip


def test_indices_find_what_was_put_in() -> None:
    table = indices(study()).set_index("participant")
    assert table.loc[1, "long_string"] == 1
    assert table.loc[1, "spread"] == 0
    assert table.loc[2, "seconds"] < 0.6
    assert table["distance_p"].idxmin() == 3
    assert (table.loc[5:, "long_string"] < 0.8).all()
    found = analyse(study(), Exclude())
    assert {r["participant"] for r in found["marked"]} == {1, 2, 3}
    assert {r["index"]: r["marked"] for r in found["careless"]}["any"] == 3


def test_nobody_is_left_out_undeclared() -> None:
    data, left = apply(study(), Exclude())
    assert left == {}
    assert len(data.people) == 60


def test_declared_rules_leave_out_once_and_the_flow_adds_up() -> None:
    rules = Exclude(incomplete=True, long_string=0.9, spread=0.3, seconds=1.0)
    data, left = apply(study(), rules)
    assert left == {"incomplete": [4], "long_string": [1], "spread": [], "seconds": [2]}
    assert len(data.people) == 57
    assert not set(data.ratings["participant"]) & {1, 2, 4}
    rows = flow(data, left)
    assert rows[0]["n"] == 63
    for before, after in pairwise(rows):
        if not after["step"].startswith("analysed"):
            assert before["n"] - after["lost"] == after["n"]
    assert rows[-1] == {"step": "analysed: ratings", "n": 57, "lost": 0, "why": "no answer to this task"}


def test_result_stands_with_and_without_them() -> None:
    rows = with_and_without(study(), {1, 2, 3}, AnalysisConfig(resamples=100))
    assert [r["n_participants"] for r in rows] == [60, 57]
    assert all(r["p"] < 0.01 for r in rows)


def test_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="extra"):
        Exclude.model_validate({"fastest": 1})
