"""Who hears what: counted over complete sessions by what people would meet, against what arithmetic allows."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from experiment.config import ExperimentConfig
from experiment.data.allotment import free_row
from experiment.design import period, plan, with_repeats
from experiment.tasks.task import Clip, PlannedTrial
from tastelab.study import load_study
from tests.conftest import ROOT

TASTES = ("bitter", "salty", "sour", "sweet")
CONDITIONS = ("alpha", "beta", "gamma")
SCALES: dict[str, Any] = {
    "labels": {"en": ["no", "yes"]},
    "adjectives": [{"name": n, "words": {"en": n}} for n in ("hot", "cold", "sad")],
}


def clips(n: int, tastes: Sequence[str] = TASTES, conditions: Sequence[str] = CONDITIONS[:2]) -> list[Clip]:
    found = itertools.product(tastes, conditions, range(n))
    return [Clip(100 + i, taste, condition, number) for i, (taste, condition, number) in enumerate(found)]


def study(*tasks: dict[str, Any], **more: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate({"tasks": tasks, "seed": 5} | more)


def compared(conditions: int = 2, **more: Any) -> dict[str, Any]:
    pairs = [list(p) for p in itertools.combinations(CONDITIONS[:conditions], 2)]
    return {"kind": "preference", "pairs": pairs} | more


def block(trials: Iterable[PlannedTrial], name: str) -> list[PlannedTrial]:
    return [t for t in trials if t.block == name]


def even(counts: Iterable[int], cells: int) -> None:
    """Counts of `cells` cells are as equal as their sum allows: all of them the mean, rounded down or up."""
    found = list(counts)
    assert len(found) <= cells
    total = sum(found)
    assert set(found) | ({0} if len(found) < cells else set()) <= {total // cells, -(-total // cells)}


def complete(target: int, dropped: bool, seed: int) -> list[int]:
    """Rows of `target` complete sessions, as up to four booths at a time hold them; a third breaks off where `dropped`."""
    rng = np.random.default_rng(seed)
    running: list[int] = []
    done: list[int] = []
    ended = 0
    while len(done) < target:
        if len(running) < 4 and len(running) + len(done) < target:
            running.append(free_row(running + done, 1))
            continue
        row = running.pop(int(rng.integers(len(running))))
        ended += 1
        if not (dropped and ended % 3 == 0):
            done.append(row)
    assert not dropped or ended >= 1.4 * target
    return done


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("tastes", [1, 2, 3, 4])
@pytest.mark.parametrize("conditions", [2, 3])
def test_pairs_sides_places_and_what_comes_before(conditions: int, tastes: int, dropped: bool) -> None:
    """After 48 complete sessions, for 2 to 30 clips; the rows of those who broke off were given out again."""
    rows = complete(48, dropped, 10 * tastes + conditions)
    for n in (*range(2, 31, 3), 3, 4, 9, 12, 16, 25, 30):
        pool = clips(n, TASTES[:tastes], CONDITIONS[:conditions])
        known = {c.id: c for c in pool}
        trials = min(5, tastes * n)
        config = study(compared(conditions, trials=trials))
        pairs = tastes * n * conditions * (conditions - 1) // 2
        pair: Counter[Any] = Counter()
        side: Counter[Any] = Counter()
        place: Counter[Any] = Counter()
        before: Counter[Any] = Counter()
        where: Counter[Any] = Counter()
        ahead: Counter[Any] = Counter()
        for row in rows:
            session = block(plan(config, pool, row), "preference")
            assert len(session) == trials
            heard = [c for t in session for c in (t.first, t.second)]
            assert len(set(heard)) == 2 * trials
            for at, t in enumerate(session):
                one, other = known[t.first or 0], known[t.second or 0]
                assert (one.taste, one.number) == (other.taste, other.number) == (t.taste, one.number)
                name = (one.taste, one.number, *sorted((one.model, other.model)))
                pair[name] += 1
                side[name, one.model] += 1
                place[name, at] += 1
                where[t.taste, at] += 1
                ahead[at] += 1 if one.model < other.model else -1
            before.update((a.taste, b.taste) for a, b in itertools.pairwise(session))
            # Nor is one condition always ahead in a session.
            ahead_here = sum(known[t.first or 0].model < known[t.second or 0].model for t in session)
            assert conditions > 2 or 0 < ahead_here < trials or trials < 4
        even(pair.values(), pairs)
        even(side.values(), 2 * pairs)
        even(where.values(), tastes * trials)
        # 48 sessions fill the places of a taste equally; of its pairs within one, in each place.
        even(place.values(), pairs * trials)
        if tastes > 1:
            assert all(a != b for a, b in before)
            even(before.values(), tastes * (tastes - 1))
        assert all(abs(more) <= 2 for more in ahead.values())


@pytest.mark.parametrize("n", [3, 4, 5, 8, 24, 25])
def test_the_default_study_with_any_number_of_clips(n: int) -> None:
    """Version 0.1 had every pair on one side only with an even number, and one clip in two places alone with 8 or 24.

    Clips that are rated were heard between 13 and 61 times in 320 sessions.
    """
    config = load_study(ROOT / "study.toml").experiment
    pool = clips(n, conditions=("base", "finetuned"))
    known = {c.id: c for c in pool}
    place: Counter[Any] = Counter()
    side: Counter[Any] = Counter()
    before: Counter[Any] = Counter()
    rated: Counter[Any] = Counter()
    opening: Counter[Any] = Counter()
    for row in range(320):
        trials = plan(config, pool, row)
        asked = block(trials, "preference")
        pairs = {(known[t.first or 0].taste, known[t.first or 0].number) for t in asked}
        opening[known[asked[0].first or 0].model] += 1
        for at, t in enumerate(asked):
            place[t.taste, known[t.first or 0].number, at] += 1
            side[t.taste, known[t.first or 0].number, known[t.first or 0].model] += 1
        before.update((a.taste, b.taste) for a, b in itertools.pairwise(asked))
        ratings = block(trials, "ratings")
        assert len({t.taste for t in ratings}) == 3
        for t in ratings:
            clip = known[t.first or 0]
            assert clip.model == "finetuned"
            assert (clip.taste, clip.number) not in pairs
            rated[clip.id] += 1
    assert sum(place.values()) == 1600
    # 320 sessions: 80 blocks, in which each taste is once in each place.
    even(place.values(), 4 * n * 5)
    even(side.values(), 4 * n * 2)
    assert max(before.values()) - min(before.values()) <= 8
    assert abs(opening["base"] - opening["finetuned"]) <= 2
    assert set(rated) == {c.id for c in pool if c.model == "finetuned"}
    # What was compared can't be rated in the same session, which leaves few to choose from where there are few.
    assert max(rated.values()) - min(rated.values()) <= 2


def test_what_one_sees_of_a_session(config: ExperimentConfig) -> None:
    trials = plan(config, clips(5, conditions=("base", "finetuned")), 3)
    assert [t.block for t in trials] == ["demographics", *["preference"] * 5, *["ratings"] * 3]
    assert all(t.items == ("preference",) and not t.repeated for t in block(trials, "preference"))
    assert period(config, clips(5)) == 1
    before = config.model_copy(update={"design": "0.1"})
    assert period(before, clips(5, conditions=("base", "finetuned"))) == 16  # four tastes, two sides, twice
    again = plan(config, clips(5, conditions=("base", "finetuned")), 3)
    assert again == trials
    orders = {
        t.items
        for row in range(60)
        for t in block(plan(config, clips(5, conditions=("base", "finetuned")), row), "ratings")
    }
    assert len(orders) == 180  # adjectives are shuffled anew with each clip


def test_other_seeds_shuffle_otherwise() -> None:
    task = {"kind": "ratings", "clips": 3, **SCALES}
    one, other = (
        [t.items for row in range(8) for t in block(plan(study(task, seed=s), clips(5), row), "ratings")]
        for s in (1, 2)
    )
    assert one != other


@pytest.mark.parametrize("kind", ["ratings", "identification"])
@pytest.mark.parametrize(
    ("n", "tastes", "heard"), [(5, 4, 3), (8, 4, 8), (20, 1, 10), (24, 4, 16), (3, 2, 5), (7, 3, 6)]
)
def test_clips_heard_alone_come_equally_often_in_every_place(kind: str, n: int, tastes: int, heard: int) -> None:
    pool = clips(n, TASTES[:tastes])
    task = {"kind": kind, "clips": heard} | (SCALES if kind == "ratings" else {})
    config = study(task)
    known = {c.id: c for c in pool}
    count: Counter[Any] = Counter()
    place: Counter[Any] = Counter()
    before: Counter[Any] = Counter()
    for row in range(48):
        trials = block(plan(config, pool, row), kind)
        assert len({t.first for t in trials}) == heard
        # Every taste and condition within one of each other, in each session.
        even(Counter(t.taste for t in trials).values(), tastes)
        assert all(t.taste == known[t.first or 0].taste and t.second is None for t in trials)
        count.update(t.first for t in trials)
        place.update((t.taste, known[t.first or 0].model, at) for at, t in enumerate(trials))
        before.update((a.taste, b.taste) for a, b in itertools.pairwise(trials))
    even(count.values(), len(pool))
    even(place.values(), tastes * 2 * heard)
    if tastes > 1:
        even(before.values(), tastes * (tastes - 1))


def test_crossed_pairs_meet_every_other_clip() -> None:
    """Six clips of a taste: each of one condition meets each of the five others of the other condition."""
    pool = clips(6, TASTES[:2])
    known = {c.id: c for c in pool}
    config = study(compared(match="crossed", trials=4))
    met: Counter[Any] = Counter()
    alone: Counter[Any] = Counter()
    side: Counter[Any] = Counter()
    for row in range(60):
        trials = block(plan(config, pool, row), "preference")
        assert len({c for t in trials for c in (t.first, t.second)}) == 8
        for t in trials:
            one, other = sorted((known[t.first or 0], known[t.second or 0]), key=lambda c: c.model)
            assert one.taste == other.taste == t.taste
            assert one.number != other.number
            met[one.id, other.id] += 1
            alone.update((one.id, other.id))
            side[one.id, other.id] += 1 if known[t.first or 0] == one else -1
    assert len(met) == 2 * 6 * 5
    # 240 trials over 60 pairs that can meet, 24 clips.
    assert max(met.values()) - min(met.values()) <= 1
    assert max(alone.values()) - min(alone.values()) == 0
    assert all(abs(more) <= 1 for more in side.values())


@pytest.mark.parametrize(("n", "trials", "tastes", "tasks"), [(3, 4, 2, 1), (5, 2, 1, 2), (8, 3, 1, 2)])
def test_crossed_pairs_hear_no_clip_twice_and_none_with_its_own(n: int, trials: int, tastes: int, tasks: int) -> None:
    """Whose turn it is to be crossed with may have been heard before, in the same task or another; then another one comes."""
    pool = clips(n, TASTES[:tastes])
    known = {c.id: c for c in pool}
    config = study(*({**compared(match="crossed", trials=trials), "name": f"task{k}"} for k in range(tasks)))
    for row in range(48):
        heard = [t for t in plan(config, pool, row) if t.first]
        assert len({c for t in heard for c in (t.first, t.second)}) == 2 * trials * tasks
        assert all(known[t.first or 0].number != known[t.second or 0].number for t in heard)


def test_a_pair_named_twice_is_heard_twice_as_often() -> None:
    pairs = [["alpha", "beta"], ["alpha", "beta"], ["alpha", "gamma"]]
    config = study({"kind": "preference", "pairs": pairs, "trials": 12})
    pool = clips(24, conditions=CONDITIONS)
    known = {c.id: c for c in pool}
    for row in range(12):
        trials = block(plan(config, pool, row), "preference")
        kinds = Counter((t.taste, *sorted((known[t.first or 0].model, known[t.second or 0].model))) for t in trials)
        assert kinds == {(t, "alpha", c): n for t in TASTES for c, n in (("beta", 2), ("gamma", 1))}


def test_no_clip_is_heard_in_two_tasks() -> None:
    config = study(
        {"kind": "identification", "clips": 8, "conditions": ["alpha", "beta"]},
        compared(trials=4),
        {"kind": "ratings", "clips": 4, "conditions": ["beta"], **SCALES},
    )
    pool = clips(6)
    known = {c.id: c for c in pool}
    for row in range(60):
        trials = plan(config, pool, row)
        heard = [c for t in trials for c in (t.first, t.second) if c is not None]
        assert len(heard) == len(set(heard)) == 8 + 8 + 4
        # Nor the other condition's clip of the same number as a pair.
        pairs = {(t.taste, known[t.first or 0].number) for t in block(trials, "preference")}
        others = {(t.taste, known[t.first or 0].number) for t in trials if t.first and t.block != "preference"}
        assert not pairs & others
    assert list(dict.fromkeys(t.block for t in trials)) == ["demographics", "identification", "preference", "ratings"]


def test_repeats_come_late_are_marked_and_say_the_same() -> None:
    config = study({"kind": "identification", "clips": 16, "repeats": 2, "after": ["liking"], "confidence": 5})
    pool = clips(24)
    repeated: Counter[Any] = Counter()
    for row in range(48):
        everything = plan(config, pool, row)
        trials = block(everything, "identification")
        assert len(trials) == 18
        first = {t.first: at for at, t in enumerate(trials) if not t.repeated}
        again = {t.first: at for at, t in enumerate(trials) if t.repeated}
        assert len(first) == 16
        assert len(again) == 2
        for clip, at in again.items():
            assert at >= 12
            assert first[clip] < 8
            assert trials[at].items == trials[first[clip]].items == ("identification", "confidence")
        repeated.update(again.keys())
        # What is asked after each clip is asked after the repeats too, and marked.
        asked = block(everything, "affect")
        assert [(t.first, t.repeated, t.items) for t in asked] == [(t.first, t.repeated, ("liking",)) for t in trials]
    assert max(repeated.values()) <= 2


def test_a_repeat_comes_anywhere_in_the_last_quarter() -> None:
    """Of eight clips one of the first four, as seventh, eighth or ninth of nine."""
    trials = [PlannedTrial("identification", "sweet", k, None, ("identification",)) for k in range(8)]
    places: Counter[int] = Counter()
    for seed in range(60):
        made = with_repeats(trials, 1, Counter(), np.random.default_rng(seed))
        (at,) = (i for i, t in enumerate(made) if t.repeated)
        assert made[at].first in range(4)
        assert [t for t in made if not t.repeated] == trials
        places[at] += 1
    assert set(places) == {6, 7, 8}
    assert with_repeats(trials, 0, Counter(), np.random.default_rng(1)) == trials


@pytest.mark.parametrize(("count", "early"), [(1, {0}), (2, {0}), (3, {0}), (4, {0, 1}), (5, {0, 1})])
def test_what_is_repeated_was_heard_in_the_first_half(count: int, early: set[int]) -> None:
    """Of one clip, that one: it has no first half."""
    trials = [PlannedTrial("fit", "sour", k, 10 + k, ("preference",)) for k in range(count)]
    again: Counter[Any] = Counter()
    for seed in range(8 * len(early)):
        made = with_repeats(trials, 1, again, np.random.default_rng(seed))
        (repeat,) = (t for t in made if t.repeated)
        assert (repeat.block, repeat.taste, repeat.items) == ("fit", "sour", ("preference",))
        assert repeat.second == 10 + (repeat.first or 0)
    # Each as often as the others: whose turn it is is counted over people.
    assert again == {(k, 10 + k): 8 for k in early}


def test_a_session_has_what_is_asked_about_each_clip_of_a_pair_and_what_has_no_clips() -> None:
    scale = {"question": {"en": "Agree?"}, "labels": {"en": ["no", "yes"]}}
    tasks = [
        {"kind": "questionnaire", "name": "sounds", **scale, "items": [{"name": n, "words": {"en": n}} for n in ("b", "a")]},
        compared(trials=2, after=["quality", "liking"]),
        {"kind": "questions", "name": "own", "items": [{"kind": "number", "name": "years", "question": {"en": "Years?"}}]},
        {"kind": "page", "name": "bye", "title": {"en": "a"}, "text": {"en": "b"}},
    ]  # fmt: skip
    trials = plan(study(*tasks, demographics=[], minimum_age=0), clips(3), 0)
    one, other = block(trials, "preference")
    assert trials == [
        PlannedTrial("sounds", None, None, None, ("b", "a")),
        *(
            t
            for pair in (one, other)
            for t in (pair, *(PlannedTrial("affect", pair.taste, c, None, ("quality", "liking")) for c in (pair.first, pair.second)))
        ),
        PlannedTrial("own", None, None, None, ("years",)),
        PlannedTrial("bye", None, None, None, ()),
    ]  # fmt: skip
    asked = plan(study(*tasks, demographics=["age", "sex"]), clips(3), 0)
    assert asked == [PlannedTrial("demographics", None, None, None, ("age", "sex")), *trials]


def test_parts_change_places_where_that_is_declared() -> None:
    tasks = [
        {"kind": "page", "name": "hello", "title": {"en": "a"}, "text": {"en": "b"}},
        {"kind": "identification", "clips": 2},
        compared(trials=2),
        {"kind": "ratings", "clips": 2, **SCALES},
    ]
    pool = clips(6)

    def parts(row: int, **more: Any) -> list[str]:
        return list(dict.fromkeys(t.block for t in plan(study(*tasks, **more), pool, row)))

    fixed = ["demographics", "hello", "identification", "preference", "ratings"]
    assert all(parts(row) == fixed for row in range(6))
    found = Counter(tuple(parts(row, shuffle=True)) for row in range(48))
    assert all(order[:2] == ("demographics", "hello") for order in found)
    assert set(found.values()) == {8}  # all six orders of three
    assert len(found) == 6


def test_what_the_paper_did_is_its_own_draw(config: ExperimentConfig) -> None:
    """replicate = true: the tastes of trials 1, 3 and 4 are rated, adjectives keep the file's order."""
    values = config.model_dump(exclude={"preference"})
    replicate = ExperimentConfig.model_validate(values | {"preference": {"replicate": True}})
    assert config.ratings is not None
    order = tuple(a.name for a in config.ratings.adjectives)
    pool = clips(25, conditions=("base", "finetuned"))
    drawn = Counter()
    for row in range(100):
        trials = plan(replicate, pool, row)
        asked, rated = block(trials, "preference"), block(trials, "ratings")
        assert [t.taste for t in rated] == [asked[i].taste for i in (0, 2, 3)]
        assert {t.items for t in rated} == {order}
        drawn.update(t.taste for t in asked)
    assert max(drawn.values()) - min(drawn.values()) > 3  # drawn, not balanced
    before = ExperimentConfig.model_validate(values | {"preference": {"replicate": True}, "design": "0.1"})
    assert len({t.items for t in block(plan(before, pool, 0), "ratings")}) == 3
