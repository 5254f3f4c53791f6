"""The first screen from constructed rows: what stands where, in which order, and what is said of states, power and people."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.config import AnalysisConfig, Equivalence, Hypothesis
from analysis.data.compared import Conditions
from analysis.page.page import Section, Table
from analysis.page.sentences import span
from analysis.page.style import Drawn
from analysis.report.answer import could_have_found, first_screen, generalises_to, repeats
from experiment.data.declared import Change
from tests.analysis.report.study import answers, inputs


def row(taste: str, **changes: Any) -> dict[str, Any]:
    base = {
        "taste": taste, "alternative": "greater", "status": "declared", "n": 40, "difference": 0.8, "ci_low": 0.2, "ci_high": 1.4,
        "statistic": 2.9, "df": 20.0, "p": 0.004, "p_adjusted": 0.016, "state": "ok",
    }  # fmt: skip
    return {**base, **changes}


def screen(
    tmp_path: Path, *rows: dict[str, Any], near: Iterable[dict[str, Any]] = (), **changes: Any
) -> dict[str, list[str]]:
    section = Section("preference", "t", figures=[Drawn("intervals", "", "", tmp_path / "intervals.svg")])
    section.tables = [
        Table("preference_mixed", "", list(rows)),
        Table("preference_equivalence", "", list(near)),
        Table("preference_detectable", "", [{"taste": "all", "detectable": 0.9, "power": 0.8}]),
    ]
    flow = [
        {"step": "sessions begun", "n": 9, "lost": 0, "why": ""}, {"step": "with answers", "n": 4, "lost": 5, "why": "ended early"},
        {"step": "analysed: ratings", "n": 3, "lost": 1, "why": "no answer to this task"},
    ]  # fmt: skip
    people = Section("people", "p", tables=[Table("flow", "", flow)])
    found = first_screen(inputs(tmp_path, **changes), [people, section])
    assert found.figure is not None
    return dict(found.said)


def test_the_order_is_the_readers(tmp_path: Path) -> None:
    found = screen(tmp_path, row("all"), row("sweet"))
    assert list(found) == [
        "Question", "Answer", "Is it the taste", "Rests on", "Could have found", "Plan and deviations", "Generalises to", "Does not show",
    ]  # fmt: skip


def test_the_answer_has_difference_interval_and_state_then_the_tastes(tmp_path: Path) -> None:
    overall, tastes = screen(tmp_path, row("all", state="singular: clip"), row("sweet"), row("sour", p_adjusted=0.4))[
        "Answer"
    ]
    assert "+0.80 of 10 points, two-sided 95 % CI [0.20, 1.40]" in overall
    assert "estimated as zero" in overall
    assert tastes == (
        "By taste: the fine-tuned model fits better for sweet; undecided for sour (3 declared tests: 3 one-sided)."
    )


def test_where_tracks_were_rated_against_targets_that_is_the_answer(tmp_path: Path) -> None:
    """No pairs, no tastes asked: a study like the follow-up's has its answer all the same, and no more than that."""
    tests = [
        {"test": "mantel", "n": 20, "statistic": 0.4, "p": 0.2, "permutations": 99, "state": "ok"},
        {"test": "permutation", "n": 20, "statistic": 1.5, "p": 0.01, "permutations": 99, "state": "ok"},
    ]
    told = Section("agreement", "t")
    told.tables = [
        Table("agreement_tests", "", tests),
        Table("agreement_correlations", "", [{"item": "sweet", "n": 20, "r": 0.79}]),
        Table("agreement_vectors", "", [{"clip": c, "rank": k, "chance": 0.5} for k, c in ((1, "a"), (2, "b"))]),
    ]
    found = dict(first_screen(inputs(tmp_path), [told]).said)
    assert found["Question"] == ["Do the ratings of a track follow what it is meant to call up?"]
    assert found["Answer"][0].startswith("On average the ratings of a track lie nearer to its own target")
    assert found["Answer"][1:] == [
        "Over tracks, ratings and targets correlate: sweet 0.79.",
        "Of 2 tracks 1 is rated nearest to its own target; by chance it would be one.",
    ]
    assert found["Generalises to"][0].startswith("These tracks as these people rate them")
    assert "Could have found" not in found
    nothing = dict(first_screen(inputs(tmp_path), []).said)
    assert nothing["Generalises to"] == ["Nothing: what was rated is described, and nothing tested."]


def test_the_counts_are_of_the_family_that_is_corrected(tmp_path: Path) -> None:
    """Over all tastes, two tastes and an equivalence test make four; of two pairs, eight; a gate is said."""
    near = {"taste": "sour", "bound": 1.0, "p": 0.001, "p_adjusted": 0.004, "state": "ok"}
    rows = [row("all"), row("sweet"), row("sour", p_adjusted=0.4)]
    found = screen(tmp_path, *rows, near=[near])
    assert found["Answer"][1].endswith(
        "equivalent within ±1 for sour (4 declared tests: 3 one-sided, 1 of equivalence)."
    )
    stands_on = getattr(found["Answer"][1], "on", ())
    assert stands_on == ("preference_mixed.1", "preference_mixed.2", "preference_equivalence.0")
    assert "over the 4 declared tests: 3 one-sided, 1 of equivalence; declared" in found["Plan and deviations"][0]
    both = [r | {"pair": p} for p in ("finetuned - base", "finetuned - wrong") for r in rows]
    config = AnalysisConfig(hypotheses=[Hypothesis(taste="sweet"), Hypothesis(taste="sour")], overall="gate")
    twice = screen(tmp_path, *both, near=[near | {"pair": "finetuned - wrong"}], config=config)
    assert [line.count("7 declared tests: 6 one-sided, 1 of equivalence") for line in twice["Answer"]] == [0, 0, 1, 1]
    assert twice["Answer"][2].startswith("The fine-tuned model or the base model, by taste: ")
    assert ["equivalent" in line.split("(")[0] for line in twice["Answer"]] == [False, False, False, True]
    assert "1 of equivalence, the one over all tastes first; declared" in twice["Plan and deviations"][0]
    assert "each of them of 2 pairs of conditions" in twice["Plan and deviations"][0]


def test_it_rests_on_people_of_those_who_began_and_on_answers_a_pair(tmp_path: Path) -> None:
    """Four people compare one pair a taste, each twice; why people are fewer is told, what a task lost is not counted twice."""
    found = screen(tmp_path, row("all"))["Rests on"]
    assert found[0] == "4 of 9 sessions begun (SIMULATED): 5 ended early."
    assert found[1] == "16 choices of 4 people on 1 pair of clips a taste, 8 answers a pair."
    assert found[2] == "8 ratings of 4 clips."
    assert found[3].startswith("8 pairs were judged again by the same person: on average ")


def test_a_pair_that_came_again_says_how_far_apart_answers_are() -> None:
    frame = pd.DataFrame(
        [(1, "sweet", "a", 4.0), (1, "sweet", "a", 7.0), (2, "sweet", "a", 5.0), (2, "sweet", "b", 9.0), (3, "sour", "a", 5.0), (3, "sour", "a", 4.0)],
        columns=["participant", "taste", "clip_over", "score"],
    ).assign(clip_under=lambda d: "u" + d["clip_over"])  # fmt: skip
    assert repeats(frame[2:4]).endswith("was not measured: no pair was repeated.")
    assert repeats(frame) == "2 pairs were judged again by the same person: on average 2.00 points apart."
    assert repeats(frame[:3]).startswith("1 pair was judged again by the same person: on average 3.00 points")


def test_a_clip_that_meets_others_is_no_pair_that_came_again(tmp_path: Path) -> None:
    """Two people compare one clip with one of base and with one of wrong, in each of two tastes: two pairs a taste, none twice."""
    listed = [
        (p, k, t, under, f"{t}-{under}-0", f"{t}-finetuned-0", s, s, 3.0, "finetuned", under)
        for p in (1, 2)
        for k, (t, under, s) in enumerate((t, u, v) for t in ("bitter", "sweet") for u, v in (("base", 2.0), ("wrong", 9.0)))
    ]  # fmt: skip
    frame = pd.DataFrame(listed, columns=[*answers().preference.columns])
    found = screen(tmp_path, row("all"), data=replace(answers(), preference=frame))["Rests on"]
    assert found[1] == "8 choices of 2 people on 2 pairs of clips a taste, 2 answers a pair."
    assert found[3] == "How alike people answer when a pair comes again was not measured: no pair was repeated."


def test_one_is_one(tmp_path: Path) -> None:
    whole = answers(people=1)
    whole = replace(whole, preference=whole.preference[:1], ratings=whole.ratings[:3])
    found = screen(tmp_path, row("all"), data=whole)["Rests on"]
    assert found[1:3] == ["1 choice of 1 person on 1 pair of clips a taste, 1 answer a pair.", "1 rating of 1 clip."]


WRONG = Conditions(
    ("base", "finetuned", "wrong"), {"finetuned": "fine-tuned"}, pairs=(("finetuned", "base"), ("finetuned", "wrong")),
    wrong={"wrong": "finetuned"},
)  # fmt: skip


def test_whether_it_is_the_taste_is_told_of_right_over_wrong_prompts(tmp_path: Path) -> None:
    """Only the pair of one model's right and wrong prompts says it; whichever of them a high score speaks for."""
    other = row("all", pair="finetuned - base", difference=3.0)
    right = row("all", pair="finetuned - wrong"), row("sweet", pair="finetuned - wrong")
    whole = replace(answers(), conditions=WRONG)
    (said,) = screen(tmp_path, other, *right, data=whole)["Is it the taste"]
    assert said.startswith(
        "Over all tastes, music that the fine-tuned model made for the taste fits better than its music for other tastes, as supported"
    )
    assert "+0.80 of 10 points" in said
    turned = row("all", pair="wrong - finetuned", difference=-0.8, ci_low=-1.4, ci_high=-0.2, p=0.99, p_adjusted=1.0)
    (said,) = screen(tmp_path, other, turned, data=whole)["Is it the taste"]
    assert "not supported" in said
    less = turned | {"alternative": "less", "p": 0.001, "p_adjusted": 0.01}
    (said,) = screen(tmp_path, other, less, data=whole)["Is it the taste"]
    assert "music that the fine-tuned model made for the taste fits better than its music for other tastes" in said
    (said,) = screen(tmp_path, other, data=whole)["Is it the taste"]
    assert said.startswith("Whether it is the taste that is heard was not asked")


def test_a_study_of_right_and_wrong_prompts_alone_says_it_too(tmp_path: Path) -> None:
    frame = answers().preference.assign(under="wrong")
    whole = replace(answers(), conditions=WRONG, preference=frame)
    (said,) = screen(tmp_path, row("all"), data=whole)["Is it the taste"]
    assert "fits better than its music for other tastes" in said


def named(
    condition: str, taste: str, share: float, chance: float, p: float | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    return (
        {"condition": condition, "taste": taste, "p_adjusted": p, "state": "ok" if p is not None else "too few"},
        {"condition": condition, "taste": taste, "share": share, "chance": chance},
    )


def test_whether_it_is_the_taste_is_told_by_what_is_named(tmp_path: Path) -> None:
    """Mean over tastes: (.6 + .3) / 2 when asked for, (.2 + .3) / 2 when not; the wrong prompts' music is no taste's own."""
    rows = [
        named("finetuned", "sweet", 0.6, 0.2, 0.01),
        named("finetuned", "sour", 0.3, 0.3, 0.7),
        named("wrong", "sweet", 0.1, 0.3, 0.9),
    ]
    section = Section("identification", "i")
    section.tables = [
        Table("identification_tests", "", [t for t, _ in rows]), Table("identification_accuracy", "", [a for _, a in rows]),
    ]  # fmt: skip
    whole = replace(answers(), conditions=WRONG)
    (said,) = dict(first_screen(inputs(tmp_path, data=whole), [section]).said)["Is it the taste"]
    assert said == (
        "Of the music of the fine-tuned model a taste was named in 45 % of the answers when it was asked for and in 25 % when it was not "
        "(+20 points, mean of 2 tastes); shown to be more when asked for sweet of 2 (mixed logit, one-sided, corrected)."
    )
    rows[1] = named("finetuned", "sour", 0.3, 0.3, None)
    section.tables[0].rows[:] = [t for t, _ in rows[:2]]
    (said,) = dict(first_screen(inputs(tmp_path, data=whole), [section]).said)["Is it the taste"]
    assert said.endswith(
        "shown to be more when asked for sweet of 2 (mixed logit, one-sided, corrected); it can't be told for sour."
    )


def test_hidden_repeats_say_how_alike_people_answer(tmp_path: Path) -> None:
    """Of six words four are the same, by chance 12 of 36; numbers by their ICC (R's psych: .91 of these seven)."""
    words = zip(
        ["sweet", "sour", "sweet", "salty", "none", "sweet"],
        ["sweet", "sour", "salty", "salty", "sweet", "sweet"],
        strict=True,
    )
    numbers = zip([1.0, 2, 3, 4, 5, 5, 2], [1.0, 3, 3, 4, 4, 5, 1], strict=True)
    listed = [(k % 4, "b", "c", "identification", *pair) for k, pair in enumerate(words)]
    listed += [(k % 4, "b", "c", "preference", *pair) for k, pair in enumerate(numbers)]
    listed += [(1, "b", "c", "liking", 1.0, 2.0)]
    again = pd.DataFrame(listed, columns=["participant", "block", "clip", "item", "first", "again"])
    found = screen(tmp_path, row("all"), data=replace(answers(), repeats=again))["Rests on"][3:]
    assert found == [
        "Heard again without being told (identification, 6 pairs of answers of 4 people): 67 % the same (by chance 33 %, Cohen's kappa 0.50).",
        "Heard again without being told (preference, 7 pairs of answers of 4 people): ICC 0.91, the second answer -0.14 points from the first.",
        "Heard again without being told (liking, 1 pair of answers of 1 person): too few to say how alike people answer.",
    ]


def test_plan_and_deviations(tmp_path: Path) -> None:
    config = AnalysisConfig(
        plan="paper", alpha=0.01, correction="holm", hypotheses=[Hypothesis(taste="all"), Hypothesis(taste="sweet"), Hypothesis(taste="umami", alternative="less")],
        equivalence=[Equivalence(taste="sour", bound=0.5)],
    )  # fmt: skip
    plan, deviation, left, missing = screen(
        tmp_path, row("sweet"), config=config, excluded={"incomplete": [3, 4], "spread": []}
    )["Plan and deviations"]
    assert "the seed paper's tests; α = 0.01, Holm over the 1 declared test: 1 one-sided;" in plan
    assert "all tastes together (greater), sweet (greater), umami (less), sour within ±0.5" in plan
    assert deviation.startswith("Deviation: the answer above is by mixed models")
    assert left == "Left out by declared rules: 2 by 'incomplete'."
    assert missing == "Deviation: sour, umami were declared, but there are no answers to them."  # sour within a bound
    whole = AnalysisConfig(
        hypotheses=[Hypothesis(taste="sweet", alternative="two-sided"), Hypothesis(taste="all", alternative="less")]
    )
    said = screen(tmp_path, row("all", alternative="less"), row("sweet"), config=whole)["Plan and deviations"][0]
    assert said.endswith("declared before the data: all tastes together (less), sweet (two-sided).")


def test_amendments_are_told_and_what_is_asked_otherwise_is_a_deviation(tmp_path: Path) -> None:
    spelt = Change("texts.en.preference.question", "fits ?", "fits?", "spelling")
    amendments = [
        {"number": 2, "at": datetime(2026, 11, 3), "note": "a storm", "wording": None, "before": 1, "since": 0,
         "changes": [Change("resume_hours", "24.0", "48.0"), spelt]},
        {"number": 3, "at": datetime(2026, 11, 4), "note": "nicer", "wording": "nobody knew the word", "before": 12, "since": 28,
         "changes": [Change("taste_words.en.sour", "sour", "acid", "wording")]},
    ]  # fmt: skip
    *_, first, second = screen(tmp_path, row("sweet"), amendments=amendments)["Plan and deviations"]
    assert first == (
        "Amended on 2026-11-03, after 1 session (0 since), because 'a storm': resume_hours: 24.0 -> 48.0; "
        "texts.en.preference.question: 'fits ?' -> 'fits?'."
    )
    assert second == (
        "Deviation: what people are asked was reworded on 2026-11-04, after 12 sessions (28 since), because 'nobody knew "
        "the word': taste_words.en.sour: 'sour' -> 'acid'."
    )


@pytest.mark.parametrize(
    ("states", "must", "never"),
    [
        (["ok", "ok"], "other clips made in the same way", "only"),
        (["confounded: clip", "ok"], "these clips only", "other clips made"),
        (["singular: clip"], "with care", "only"),
        (["too few", "not converged"], "Nothing", "people"),
        (["confounded: clip; singular: participant"], "these clips only", "with care"),
        (["confounded: people"], "Other clips, but these people only", "these clips"),
        (["confounded: participant", "singular: pair"], "Other clips, but these people only", "these clips"),
        (["confounded: people, pair"], "Nothing beyond these people and these clips", "Other"),
        (["confounded: clips of base"], "Other people, but these clips only", "beyond"),
    ],
)
def test_to_whom_it_generalises_follows_from_the_state(states: list[str], must: str, never: str) -> None:
    said = generalises_to([{"state": s} for s in states])
    assert must in said
    assert never not in said
    assert generalises_to([]).startswith("Nothing")


def test_what_could_have_been_found() -> None:
    rows = [{"taste": "all", "detectable": 0.5, "power": 0.8}, {"taste": "sweet", "detectable": None, "power": 0.8}]
    assert could_have_found(rows, 100) == (
        "With 80 % power a difference of 0.50 over all tastes (of 100 points); smaller ones may have been missed."
    )
    two = [r | {"pair": p} for p in ("a - b", "a - c") for r in rows]
    assert "a difference of a - b: 0.50 over all tastes; a - c: 0.50 over all tastes (of 100" in could_have_found(
        two, 100
    )
    assert "can't be told" in could_have_found([], 10)
    # A mean lies at most half the slider from its middle: of two people a difference of 12 of 10 points is no number to plan by.
    wide = [{"taste": "all", "detectable": 4.99, "power": 0.8}, {"taste": "sweet", "detectable": 12.2, "power": 0.8}]
    assert could_have_found(wide, 10) == (
        "With 80 % power a difference of 4.99 over all tastes (of 10 points); smaller ones may have been missed. None that the scale "
        "holds would be found for sweet."
    )
    assert (
        could_have_found(wide[1:], 10)
        == "With 80 % power no difference that the scale holds (of 10 points) would be found for sweet."
    )
    first, second = ([r | {"pair": pair} for r in wide] for pair in ("b - a", "c - a"))
    assert could_have_found([*first, *second[1:]], 10) == (
        "With 80 % power a difference of b - a: 4.99 over all tastes (of 10 points); smaller ones may have been missed. None that the "
        "scale holds would be found: b - a: for sweet; c - a: for sweet."
    )
    assert (span(2, 2), span(1, 9)) == ("2", "1 to 9")


def test_simulated_answers_show_nothing_about_people(tmp_path: Path) -> None:
    assert (
        screen(tmp_path, row("all"))["Does not show"][0] == "It shows nothing about people: the answers were simulated."
    )
    people = replace(answers("person"))
    assert "simulated" not in " ".join(screen(tmp_path, row("all"), data=people)["Does not show"])
