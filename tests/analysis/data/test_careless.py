"""Careless answering: the indices find what was put in, nobody is left out undeclared, and the flow adds up."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig, Exclude
from analysis.data.careless import analyse, apply, flow, indices, marked
from analysis.data.frames import StudyData
from analysis.preference.sensitivity import with_and_without

# R: five people of `study`, see where it is used.
ONE = [0.930958258478944, 0.340573930063529, 0.002426382985416, 0.930958258478944, 0.930958258478944]
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
            columns=["participant", "trial", "taste", "first_model", "clip_under", "clip_over", "answer", "score", "response_time"],
        ).assign(over="finetuned", under="base"),
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


def test_indices_are_those_of_r() -> None:
    """R 4.2.2, v <- value - ave(value, prompt, adjective): pchisq(mahalanobis(w, colMeans(w), cov(w)), 5, lower.tail = FALSE)
    with w <- tapply(v, list(participant, adjective), mean); tapply(value, participant, sd);
    tapply(value, participant, function(v) max(rle(v)$lengths) / length(v)); participants 1, 2, 3, 7, 60."""
    table = indices(study()).set_index("participant").loc[[1, 2, 3, 7, 60]]
    wanted = [4.754215608743e-01, 4.974812811519e-01, 9.818764512694e-08, 1.997986586784e-01, 9.389639603777e-01]
    assert table["distance_p"].tolist() == pytest.approx(wanted, rel=1e-8)
    # Where every second person did not hear the sour clip, what its prompt calls up is nobody's own.
    data = study()
    half = data.ratings[(data.ratings["participant"] % 2 == 1) | (data.ratings["trial"] != 6)]
    other = indices(replace(data, ratings=half)).set_index("participant").loc[[1, 2, 3, 7, 60], "distance_p"]
    wanted = [5.193166781072e-01, 3.518136751521e-01, 4.655559058991e-07, 4.388694838908e-01, 2.523972840742e-01]
    assert other.tolist() == pytest.approx(wanted, rel=1e-8)
    spread = [0, 0.8280786712108, 1.5796322658258, 0.7237468644557, 0.9856107606092]
    assert table["spread"].tolist() == pytest.approx(spread, rel=1e-9)
    assert table["long_string"].tolist() == pytest.approx([1, 3 / 15, 2 / 15, 3 / 15, 4 / 15])
    # Five choices and fifteen ratings each: of 3.0 and 2.5 s, the second person's of 0.1 and 0.2 s.
    assert table["seconds"].tolist() == [2.5, 0.2, 2.5, 2.5, 2.5]


def test_an_item_that_follows_from_others_or_never_varies_changes_no_distance() -> None:
    """As R has them without it (above): what is not there twice is not counted twice."""
    data = study()
    again = data.ratings[data.ratings["adjective"] == "hot"].assign(adjective="warm")
    flat = again.assign(adjective="loud", value=3.0)
    whole = replace(data, ratings=pd.concat([data.ratings, again, flat]))
    assert indices(whole)["distance_p"].tolist() == pytest.approx(indices(data)["distance_p"].tolist(), rel=1e-8)


def test_one_adjective_has_distances_too_and_answers_that_never_vary_have_none() -> None:
    """R 4.2.2, v as above of the happy clips alone: pchisq(as.vector(scale(tapply(v, participant, mean)))^2, 1,
    lower.tail = FALSE); participants 1, 2, 3, 7, 60."""
    data = study()
    one = data.ratings[data.ratings["adjective"] == "happy"]
    found = indices(replace(data, ratings=one)).set_index("participant")["distance_p"]
    assert found.loc[[1, 2, 3, 7, 60]].tolist() == pytest.approx(ONE, rel=1e-8)
    assert indices(replace(data, ratings=one.assign(value=3.0)))["distance_p"].isna().all()


def test_who_rated_once_gave_no_run_of_answers() -> None:
    """A run of one is all that one answer can be: nobody is left out for it."""
    data = study()
    once = replace(data, ratings=data.ratings.drop_duplicates("participant"))
    assert indices(once)["long_string"].isna().all()
    assert analyse(once, Exclude())["careless"][0]["marked"] == 0
    assert apply(once, Exclude(long_string=0.8))[1] == {"long_string": []}


def test_naming_has_times_of_answers_too() -> None:
    """Else a declared limit would leave out nobody in a study that asks for names of tastes alone."""
    data = study()
    named = pd.DataFrame(
        [(p, 9, 0.2 if p == 7 else 4.0) for p in range(1, 61)], columns=["participant", "trial", "response_time"]
    )
    alone = replace(data, identification=named, ratings=data.ratings.iloc[:0], preference=data.preference.iloc[:0])
    assert indices(alone).set_index("participant").loc[[1, 7], "seconds"].tolist() == [4.0, 0.2]
    assert apply(alone, Exclude(seconds=0.6))[1] == {"seconds": [7]}
    silent = replace(alone, identification=named.iloc[:0])
    assert indices(silent)["seconds"].isna().all()


def test_runs_go_by_the_order_in_which_the_answers_were_given() -> None:
    """Rows of the frame may come in any order; missing answers and times are passed over."""
    data = study()
    # Person 5: alternating within a trial would be one long run if it were sorted by anything else than the trial.
    mine = data.ratings["participant"] == 5
    data.ratings.loc[mine, "value"] = [1.0, 2, 3, 4, 4, 4, 4, 5, 1, 2, 3, np.nan, 3, 1, 2]
    shuffled = pd.concat(
        [data.ratings[data.ratings["trial"] == t] for t in (6, 7, 5)]
    )  # a run over trials 5 and 6 would fall apart
    for frame in (data.ratings, shuffled):
        table = indices(replace(data, ratings=frame)).set_index("participant")
        assert table.loc[5, "long_string"] == pytest.approx(4 / 14)
    assert table.loc[5, "spread"] == pytest.approx(np.std([1, 2, 3, 4, 4, 4, 4, 5, 1, 2, 3, 3, 1, 2], ddof=1))


def test_who_has_no_such_answers_has_no_index_and_no_mark() -> None:
    data = study()
    bare = replace(data, ratings=data.ratings[data.ratings["participant"] != 6], preference=data.preference.iloc[:0])
    row = indices(bare).set_index("participant").loc[6]
    assert row.isna().all()
    assert not marked(indices(bare), Exclude()).set_index("participant").loc[6].any()
    nothing = indices(replace(data, ratings=data.ratings.iloc[:0]))
    assert nothing["seconds"].notna().all()
    assert nothing[["long_string", "spread", "distance_p"]].isna().all().all()
    # Five adjectives want fifteen people: with fewer a distance says nothing.
    counts = {
        n: indices(replace(data, ratings=data.ratings[data.ratings["participant"] <= n]))["distance_p"].count()
        for n in (14, 15)
    }
    assert counts == {14: 0, 15: 15}


def test_marks_lie_at_the_limits() -> None:
    """Four fifths in a row or more; a spread under a quarter; one in a thousand; faster than 0.6 s; declared ones instead."""
    table = pd.DataFrame(
        {
            "participant": [1, 2, 3], "long_string": [0.79, 0.8, 0.95], "spread": [0.25, 0.24, 0.0],
            "distance_p": [0.001, 0.0009, 0.5], "seconds": [0.6, 0.59, 2.0],
        }
    )  # fmt: skip
    usual = marked(table, Exclude())
    assert usual["long_string"].tolist() == [False, True, True]
    assert usual["spread"].tolist() == [False, True, True]
    assert usual["distance"].tolist() == [False, True, False]
    assert usual["seconds"].tolist() == [False, True, False]
    declared = marked(table, Exclude(long_string=0.9, spread=0.1, distance_p=0.6, seconds=3.0))
    assert declared["long_string"].tolist() == [False, False, True]
    assert declared["spread"].tolist() == [False, False, True]
    assert declared["distance"].tolist() == [True, True, True]
    assert declared["seconds"].tolist() == [True, True, True]


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        ({"incomplete": True}, {"incomplete": [4]}),
        ({"long_string": 0.9}, {"long_string": [1]}),
        ({"spread": 0.3}, {"spread": [1]}),
        ({"distance_p": 0.001}, {"distance_p": [3]}),
        ({"seconds": 1.0}, {"seconds": [2]}),
        ({"seconds": 0.1}, {"seconds": []}),
    ],
)
def test_each_rule_leaves_out_whom_it_names(rules: dict[str, Any], gone: dict[str, list[int]]) -> None:
    data, left = apply(study(), Exclude(**rules))
    assert left == gone
    missing = set(range(1, 61)) - set(data.people["participant"])
    assert missing == {p for who in gone.values() for p in who}
    for frame in (data.preference, data.ratings):
        assert set(frame["participant"]) == set(data.people["participant"])
        assert frame.index.tolist() == list(range(len(frame)))


def test_unfinished_is_all_that_is_not_complete() -> None:
    data = study()
    data.people.loc[data.people["participant"] == 9, "status"] = "running"
    assert apply(data, Exclude(incomplete=True))[1] == {"incomplete": [4, 9]}


def test_unfinished_of_a_survey_file_is_who_left_early_and_who_left_a_part_out() -> None:
    """Person 4 stopped; 7 sent the survey off with a clip not rated, 8 with a choice not made, 10 without demographics."""
    data = study()
    data.people["age"] = [None if p == 10 else 30 for p in data.people["participant"]]
    gone = data.ratings["participant"].eq(7) & data.ratings["trial"].eq(6)
    skipped = data.preference["participant"].eq(8) & data.preference["trial"].eq(2)
    data = replace(data, ratings=data.ratings[~gone], preference=data.preference[~skipped])
    assert apply(replace(data, kind="imported"), Exclude(incomplete=True))[1] == {"incomplete": [4, 7, 8, 10]}
    # A session of ours that came to its end has all that its own group was asked.
    assert apply(replace(data, kind="person"), Exclude(incomplete=True))[1] == {"incomplete": [4]}


def test_the_table_says_the_rules_in_words_and_counts_whom_they_mark() -> None:
    rows = {r["index"]: r for r in analyse(study(), Exclude(long_string=0.9, seconds=0.15))["careless"]}
    assert rows["long_string"]["rule"] == "one answer for 90% of the ratings or more, in a row"
    assert rows["spread"]["rule"] == "sd of the ratings under 0.25"
    assert rows["distance"]["rule"] == "Mahalanobis distance, p < 0.001"
    assert rows["seconds"]["rule"] == "median answer under 0.15 s"
    assert {k: r["marked"] for k, r in rows.items()} == {
        "long_string": 1, "spread": 1, "distance": 1, "seconds": 0, "any": 2,
    }  # fmt: skip
    assert {r["n"] for r in rows.values()} == {60}
    data = study()
    some = replace(data, ratings=data.ratings[data.ratings["participant"] > 10])
    rows = {r["index"]: r["n"] for r in analyse(some, Exclude())["careless"]}
    assert rows == {"long_string": 50, "spread": 50, "distance": 50, "seconds": 60, "any": 60}


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
    # 59 complete, one stopped, one running without an answer, two withdrawn.
    assert [(r["step"], r["n"], r["lost"]) for r in rows] == [
        ("sessions begun", 63, 0), ("not withdrawn", 61, 2), ("with answers", 60, 1), ("after rule 'incomplete'", 59, 1),
        ("after rule 'long_string'", 58, 1), ("after rule 'spread'", 58, 0), ("after rule 'seconds'", 57, 1),
        ("analysed: preference", 57, 0), ("analysed: ratings", 57, 0),
    ]  # fmt: skip
    refused = flow(replace(data, sessions=data.sessions | {"refused": 3, "too_young": 2}), left)
    assert [(r["step"], r["n"], r["lost"]) for r in refused[:5]] == [
        ("sessions begun", 68, 0), ("not withdrawn", 66, 2), ("agreed", 63, 3), ("old enough", 61, 2), ("with answers", 60, 1),
    ]  # fmt: skip
    part = replace(data, ratings=data.ratings[data.ratings["participant"] > 9], preference=data.preference.iloc[:0])
    assert [(r["step"], r["n"], r["lost"]) for r in flow(part, left)][7:] == [("analysed: ratings", 51, 6)]
    named = pd.DataFrame({"participant": [10, 10, 11], "condition": "m", "asked": "sour", "answered": "sour"})
    assert [(r["step"], r["n"], r["lost"]) for r in flow(replace(part, identification=named), left)][7:] == [
        ("analysed: ratings", 51, 6), ("analysed: identification", 2, 55),
    ]  # fmt: skip
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
