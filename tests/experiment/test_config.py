"""What an [experiment] table may say; what can't be run is refused when it is read."""

from __future__ import annotations

import copy
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from experiment.config import ExperimentConfig, stored_config
from experiment.stations import LevelConfig
from experiment.tasks.preference import PreferenceTask
from experiment.tasks.ratings import RatingsTask

BOOLEAN = ("true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "1", "0")
WORDS = {"en": "word", "it": "parola"}
LABELS = {"en": ["no", "yes"], "it": ["no", "sì"]}
RATINGS = {
    "labels": {"en": list("abcde"), "it": list("vwxyz")},
    "adjectives": [{"name": "sweet", "words": {"en": "sweet", "it": "dolce"}}],
}
ASKED = {"name": "sounds", "question": WORDS, "labels": LABELS, "items": [{"name": "q1", "words": WORDS}]}


def read(**table: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate({"languages": ["en", "it"], "ratings": RATINGS} | table)


def test_what_nothing_is_said_about() -> None:
    """The defaults that the guides tell: 18 years, two replays, a day to go on, sound checked, nothing screened."""
    plain = read()
    assert (plain.minimum_age, plain.replays, plain.resume_hours, plain.disk_gb, plain.seed) == (18, 2, 24.0, 2.0, 0)
    assert (plain.sound_check, plain.practice, plain.pause) == (True, True, True)
    assert (plain.headphones, plain.headphones_required, plain.affect, plain.questionnaires) == ("off", False, [], [])
    assert (plain.level.by, plain.level.days, plain.level.softest, plain.level.dba) == ("free", 30, -24, None)
    assert plain.preference is None
    assert plain.ratings is not None
    assert (plain.ratings.clips, plain.ratings.low, plain.ratings.high, plain.ratings.models) == (
        3,
        1,
        5,
        ["finetuned"],
    )
    both = read(preference={})
    assert both.preference is not None
    assert both.preference.model_dump() == {"trials": 5, "low": 0, "high": 10, "replicate": False, "order": "latin"}
    assert ExperimentConfig(preference={}).languages == ["en"]  # type: ignore[arg-type]


def ratings(**more: Any) -> dict[str, Any]:
    return {"ratings": RATINGS | more}


def adjective(**more: Any) -> dict[str, Any]:
    return ratings(adjectives=[{"name": "sweet", "words": {"en": "sweet", "it": "dolce"}} | more])


def questionnaire(**more: Any) -> dict[str, Any]:
    return {"questionnaires": [ASKED | more]}


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"ratings": None}, r"needs \[experiment.preference\] or \[experiment.ratings\]"),
        ({"unknown": 1}, "Extra inputs are not permitted"),
        ({"languages": []}, "at least 1 item"),
        ({"languages": ["en", "fr"]}, "ratings.labels has no words in 'fr'"),
        (ratings(labels={"en": list("abcd"), "it": list("vwxyz")}), "labels.en has 4 words; the scale needs 5, or 2"),
        (ratings(labels={"en": list("abcdef"), "it": list("vwxyz")}), "labels.en has 6 words"),
        (ratings(high=7), "labels.en has 5 words; the scale needs 7"),
        (ratings(clips=0), "greater than or equal to 1"),
        (ratings(clips=101), "less than or equal to 100"),
        (ratings(adjectives=[]), "at least 1 item"),
        (ratings(models=["other"]), "'base', 'finetuned' or 'given'"),
        (adjective(words={"en": "sweet"}), "adjective 'sweet' has no word in 'it'"),
        (adjective(opposite={"en": "bitter"}), "adjective 'sweet' has no word in 'it'"),
        (adjective(name="Sweet"), "should match pattern"),
        (adjective(name=""), "at least 1 character"),
        ({"preference": {"trials": 0}}, "greater than or equal to 1"),
        ({"preference": {"trials": 101}}, "less than or equal to 100"),
        ({"preference": {"order": "alphabetical"}}, "'latin' or 'random'"),
        ({"replays": -1}, "greater than or equal to 0"),
        ({"minimum_age": -1}, "greater than or equal to 0"),
        ({"resume_hours": 0}, "greater than 0"),
        ({"resume_hours": 24 * 366 + 1}, "less than or equal to 8784"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"disk_gb": -0.1}, "greater than or equal to 0"),
        ({"headphones": "yes"}, "'off', 'huggins', 'huggins_inverted', 'antiphase' or 'both'"),
        ({"affect": ["joy"]}, "'valence', 'arousal' or 'familiarity'"),
        ({"level": {"by": "station"}}, "needs dba"),
        ({"level": {"by": "ear"}}, "'free', 'station' or 'participant'"),
        ({"level": {"by": "station", "dba": 39.9}}, "greater than or equal to 40"),
        ({"level": {"by": "station", "dba": 85.1}}, "less than or equal to 85"),
        ({"level": {"days": 0}}, "greater than or equal to 1"),
        ({"level": {"days": 3661}}, "less than or equal to 3660"),
        ({"level": {"softest": -61}}, "greater than or equal to -60"),
        ({"level": {"softest": -2}}, "less than or equal to -3"),
        ({"psytoolkit": {"items": []}}, "at least 1 item"),
        (questionnaire(question={"en": "only"}), "questionnaire 'sounds' has no question or labels in 'it'"),
        (questionnaire(labels={"it": ["a", "b"]}), "questionnaire 'sounds' has no question or labels in 'en'"),
        (questionnaire(items=[{"name": "q1", "words": {"en": "w"}}]), "item 'q1' of 'sounds' has no words in 'it'"),
        (questionnaire(items=[]), "at least 1 item"),
        (questionnaire(name="x" * 21), "at most 20 characters"),
        (questionnaire(name="ratings"), "need names of their own"),
        (questionnaire(name="demographics"), "need names of their own"),
        (questionnaire(name="preference"), "need names of their own"),
        (questionnaire(name="affect"), "need names of their own"),
        ({"questionnaires": [ASKED, ASKED]}, "need names of their own"),
        (questionnaire(items=[{"name": "q" * 61, "words": WORDS}]), "at most 60 characters"),
    ],
)  # fmt: skip
def test_what_can_not_be_run_is_refused_with_its_reason(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        read(**table)


@pytest.mark.parametrize(
    "table",
    [
        ratings(labels=LABELS),
        ratings(labels={"en": list("1234567"), "it": list("1234567")}, high=7),
        ratings(labels={"en": list("01234"), "it": list("01234")}, low=0, high=4),
        ratings(clips=100),
        adjective(opposite={"en": "bitter", "it": "amaro"}),
        {"preference": {"trials": 100}},
        {"replays": 0, "minimum_age": 0, "resume_hours": 24 * 366, "disk_gb": 0},
        {"level": {"by": "station", "dba": 40, "days": 3660, "softest": -60}},
        {"level": {"by": "station", "dba": 85, "days": 1, "softest": -3}},
        {"level": {"by": "participant"}},
        {"questionnaires": [ASKED, ASKED | {"name": "tastes"}]},
        {"languages": ["it"]},
        {"ratings": None, "preference": {}},
    ],
)
def test_what_can_be_run_is_read(table: dict[str, Any]) -> None:
    assert ExperimentConfig.model_validate(read(**table).model_dump()) == read(**table)


def test_a_read_table_can_not_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read().seed = 3  # type: ignore[misc]
    assert LevelConfig(by="station", dba=65).days == 30


# One wrong value in a table that is right but for it: each is met where it stands.
TEXT = st.text(max_size=8)
WRONG: dict[tuple[str, ...], st.SearchStrategy[Any]] = {
    ("replays",): st.integers(max_value=-1) | TEXT.filter(lambda x: not re.sub(r"[+._-]", "", x.strip()).isdigit()) | st.just(None),
    ("minimum_age",): st.integers(max_value=-1) | st.floats(0.1, 0.9),
    ("resume_hours",): st.floats(max_value=0) | st.floats(min_value=8784.5) | st.just(math.nan),
    ("disk_gb",): st.floats(max_value=-0.01) | st.lists(st.floats()),
    ("seed",): st.integers(max_value=-1) | st.lists(st.integers()),
    ("sound_check",): st.integers(2) | TEXT.filter(lambda x: x.lower().strip() not in BOOLEAN),
    ("headphones",): TEXT.filter(lambda x: x not in ("off", "huggins", "huggins_inverted", "antiphase", "both")),
    ("level", "softest"): st.integers(max_value=-61) | st.integers(-2),
    ("level", "days"): st.integers(max_value=0) | st.integers(3661),
    ("level", "dba"): st.floats(max_value=39.9) | st.floats(min_value=85.1),
    ("preference", "trials"): st.integers(max_value=0) | st.integers(101),
    ("preference", "order"): TEXT.filter(lambda x: x not in ("latin", "random")),
    ("ratings", "clips"): st.integers(max_value=0) | st.integers(101),
    ("ratings", "models"): st.just("finetuned") | st.lists(TEXT.filter(lambda x: x not in ("base", "finetuned", "given")), min_size=1),
    ("ratings", "adjectives", "0", "name"): st.from_regex(r"\A[^a-z].*\Z") | st.just(""),
    ("questionnaires", "0", "items", "0", "name"): st.from_regex(r"\A[^a-z]") | st.from_regex(r"\A[a-z]{61,70}\Z"),
    ("questionnaires", "0", "low"): st.floats(0.1, 0.9) | st.just(None),
}  # fmt: skip


@pytest.mark.parametrize("place", list(WRONG))
def test_a_wrong_value_is_complained_about_where_it_stands(place: tuple[str, ...]) -> None:
    good = read(preference={}, level={"by": "station", "dba": 65}, **questionnaire()).model_dump()
    ExperimentConfig.model_validate(good)

    @given(WRONG[place])
    @settings(max_examples=25)
    def attempt(value: Any) -> None:
        table = copy.deepcopy(good)
        inside: Any = table
        for name in place[:-1]:
            inside = inside[int(name) if name.isdigit() else name]
        inside[place[-1]] = value
        with pytest.raises(ValidationError) as said:
            ExperimentConfig.model_validate(table)
        for error in said.value.errors():
            assert tuple(map(str, error["loc"]))[: len(place)] == place

    attempt()


PAIR = {"kind": "preference", "pairs": [["new", "old"]]}
RATED = {"kind": "ratings", **RATINGS}
PAGE = {"kind": "page", "name": "hello", "title": WORDS, "text": WORDS}


def tasks(*declared: dict[str, Any], **table: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate({"languages": ["en", "it"], "tasks": list(declared)} | table)


def test_the_tables_of_version_0_1_are_tasks() -> None:
    asked = read(preference={"trials": 4}, affect=["arousal"], **questionnaire())
    named, compared, rated = asked.sequence()
    assert (named.block, named.kind) == ("sounds", "questionnaire")
    assert isinstance(compared, PreferenceTask)
    assert (compared.block, compared.trials, compared.pairs) == ("preference", 4, [("finetuned", "base")])
    assert isinstance(rated, RatingsTask)
    assert (rated.block, rated.conditions, rated.after, rated.shuffled) == ("ratings", ["finetuned"], ["arousal"], True)
    assert asked.named("sounds") == named
    assert asked.task(PreferenceTask) == compared
    assert read().task(PreferenceTask) is None
    assert asked.design == "0.2"


def test_a_replication_has_all_adjectives_in_order_on_one_page_unless_it_began_before() -> None:
    def shown(**more: Any) -> tuple[bool, bool]:
        rated = read(preference={"replicate": True}, **more).task(RatingsTask)
        assert rated is not None
        return rated.shuffled, rated.one_page

    assert shown() == (False, True)
    assert shown(design="0.1") == (True, False)
    declared = tasks(PAIR | {"replicate": True}, RATED).task(RatingsTask)
    assert declared is not None
    assert (declared.shuffled, declared.one_page) == (False, True)
    plain = tasks(PAIR, RATED).task(RatingsTask)
    assert plain is not None
    assert (plain.shuffled, plain.one_page) == (True, False)


def test_what_a_database_of_version_0_1_holds_has_its_design() -> None:
    old = {"experiment": {"ratings": RATINGS}}
    assert stored_config(old).design == "0.1"
    assert stored_config({"experiment": {"ratings": RATINGS, "design": "0.2"}}).design == "0.2"
    now = read().model_dump(mode="json")
    assert stored_config({"experiment": now}).design == "0.2"
    assert stored_config({"experiment": now}) == read()
    with pytest.raises(ValidationError):
        stored_config({})


@pytest.mark.parametrize(
    ("declared", "table", "says"),
    [
        ([PAIR], {"ratings": RATINGS}, "declare them as tasks"),
        ([PAIR], {"affect": ["arousal"]}, "declare them as tasks"),
        ([PAGE], {}, "a session needs .* in which clips are heard"),
        ([PAIR, PAIR], {}, "tasks are named twice: preference"),
        ([PAIR | {"name": "fit"}, RATED | {"name": "fit"}], {}, "tasks are named twice: fit"),
        ([PAIR | {"name": "affect"}], {}, "a task can't be named 'affect'"),
        ([PAIR | {"name": "demographics"}], {}, "a task can't be named 'demographics'"),
        ([PAIR | {"name": "ratings"}], {}, "can't be named 'ratings', after another kind"),
        ([RATED | {"name": "preference"}], {}, "can't be named 'preference', after another kind"),
        ([{"kind": "preferences"}], {}, "does not match any of the expected tags"),
        ([RATED], {"languages": ["en", "fr"]}, "ratings.labels has no words in 'fr'"),
        ([PAIR, PAGE], {"languages": ["en", "fr"]}, "page 'hello' has no title or text in 'fr'"),
        ([PAIR | {"replicate": True}, {"kind": "identification"}], {}, "which has no identification"),
        ([PAIR | {"replicate": True}, RATED | {"clips": 4}], {}, "ratings.clips can be 3 at most"),
        ([PAIR], {"design": "0.1"}, "design = '0.1' deals the clips of"),
        ([PAIR], {"target": 0}, "greater than or equal to 1"),
        ([PAIR], {"groups": [{"name": "a"}, {"name": "a"}]}, "groups are named twice: a"),
        ([PAIR], {"groups": [{"name": "a", "tasks": ["fit"]}]}, "group 'a': there is no task 'fit'; there are: preference"),
        ([PAIR, PAGE], {"groups": [{"name": "a", "tasks": ["hello"]}]}, "group 'a' hears no clips"),
        ([PAIR], {"groups": [{"name": "a", "language": "fr"}]}, "language 'fr' is not among"),
        ([PAIR], {"groups": [{"name": "a", "quota": 0}]}, "greater than or equal to 1"),
        ([PAIR], {"groups": [{"name": "a", "tasks": []}]}, "at least 1 item"),
        ([PAIR], {"groups": [{"name": "a", "conditions": []}]}, "at least 1 item"),
        ([PAIR], {"groups": [{"name": "A group"}]}, "should match pattern"),
    ],
)  # fmt: skip
def test_tasks_and_groups_that_can_not_be_run_are_refused(
    declared: list[dict[str, Any]], table: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        tasks(*declared, **table)


def test_a_group_does_what_is_its_own() -> None:
    groups = [{"name": "all"}, {"name": "rate", "tasks": ["ratings", "hello"], "language": "it", "quota": 3}]
    asked = tasks(PAIR, PAGE, RATED, groups=groups, shuffle=True, target=9)
    assert [t.block for t in asked.sequence()] == ["preference", "hello", "ratings"]
    assert [t.block for t in asked.sequence("all")] == ["preference", "hello", "ratings"]
    assert [t.block for t in asked.sequence("rate")] == ["hello", "ratings"]
    assert asked.group(None) is None
    with pytest.raises(KeyError):
        asked.group("none")
    assert ExperimentConfig.model_validate(asked.model_dump()) == asked
    assert ExperimentConfig.model_validate(asked.model_dump(mode="json")) == asked
