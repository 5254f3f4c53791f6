"""What two declarations of a study say differently, by what it weighs; and which of it binds those who come."""

from __future__ import annotations

from typing import Any

import pytest

from experiment.config import ExperimentConfig
from experiment.data.declared import (
    Change,
    began,
    current,
    differences,
    enter,
    number_of,
    same_design,
    structure,
    text_changes,
    told_otherwise,
    used,
)
from experiment.data.store import Store
from experiment.data.tables import StudyRow
from experiment.errors import ExperimentError
from experiment.texts import texts
from tests.experiment.data.rows import sat


def definition(config: ExperimentConfig, **changes: Any) -> dict[str, Any]:
    return {"experiment": config.model_copy(update=changes).model_dump(mode="json")}


def config_of(table: dict[str, Any]) -> ExperimentConfig:
    return ExperimentConfig.model_validate(table)


STATEMENTS = {
    "name": "msi", "kind": "questionnaire", "question": {"en": "How far?", "it": "Quanto?"}, "labels": {"en": ["no", "yes"], "it": ["no", "sì"]},
    "items": [{"name": "one", "words": {"en": "I sing", "it": "Canto"}}, {"name": "two", "words": {"en": "I play", "it": "Suono"}}],
}  # fmt: skip
RATED = {
    "kind": "ratings", "clips": 2, "labels": {"en": ["low", "high"], "it": ["poco", "molto"]}, "after": ["valence"],
    "adjectives": [{"name": "cold", "words": {"en": "cold", "it": "freddo"}, "opposite": {"en": "warm", "it": "caldo"}}],
}  # fmt: skip
TABLE = {
    "design": "0.2", "languages": ["en", "it"], "tasks": [STATEMENTS, RATED], "replays": 2, "groups": [{"name": "a", "quota": 3}, {"name": "b"}],
    "taste_words": {"en": {"sweet": "sweet", "sour": "sour"}, "it": {"sweet": "dolce", "sour": "acido"}},
}  # fmt: skip


def changed(**more: Any) -> ExperimentConfig:
    return config_of(TABLE | more)


def test_limits_languages_and_words_differ_each_under_its_place() -> None:
    old = changed()
    assert differences(old, changed()) == []
    other = RATED | {
        "labels": {"en": ["low", "very high"], "it": ["poco", "molto"]},
        "adjectives": [
            {"name": "cold", "words": {"en": "cold", "it": "gelido"}, "opposite": {"en": "hot", "it": "caldo"}}
        ],
    }
    said = STATEMENTS | {"question": {"en": "How much?", "it": "Quanto?"}}
    new = changed(
        tasks=[said, other], replays=3, minimum_age=16, resume_hours=5, target=9, dead_time=0.5,
        level={"by": "free", "days": 3}, groups=[{"name": "a", "quota": 4}, {"name": "b", "quota": 1}],
        taste_words={"en": {"sweet": "sugary", "sour": "sour"}, "it": {"sweet": "dolce", "sour": "acido"}},
    )  # fmt: skip
    found = {(c.where, c.was, c.now, c.weight) for c in differences(old, new)}
    assert found == {
        ("replays", "2", "3", "limit"),
        ("minimum_age", "18", "16", "limit"),
        ("resume_hours", "24.0", "5.0", "limit"),
        ("target", "", "9", "limit"),
        ("dead_time", "0.3", "0.5", "limit"),
        ("level.days", "30", "3", "limit"),
        ("groups.a.quota", "3", "4", "limit"),
        ("groups.b.quota", "", "1", "limit"),
        ("tasks.ratings.labels.en.2", "high", "very high", "text"),
        ("tasks.ratings.adjectives.cold.words.it", "freddo", "gelido", "text"),
        ("tasks.ratings.adjectives.cold.opposite.en", "warm", "hot", "text"),
        ("tasks.msi.question.en", "How far?", "How much?", "text"),
        ("taste_words.en.sweet", "sweet", "sugary", "text"),
    }
    assert same_design({"experiment": TABLE}, {"experiment": new.model_dump(mode="json")})


def test_a_language_that_comes_or_goes_is_one_change() -> None:
    old, new = changed(), changed(languages=["it"])
    assert differences(old, new) == [Change("languages", "en, it", "it")]
    assert differences(new, old) == [Change("languages", "it", "en, it")]
    assert differences(old, changed(languages=["it", "en"])) == [Change("languages", "en, it", "it, en")]
    assert same_design({"experiment": TABLE}, {"experiment": TABLE | {"languages": ["it"]}})


@pytest.mark.parametrize(
    "more",
    [
        {"tasks": [RATED, STATEMENTS]},
        {"tasks": [STATEMENTS, RATED | {"clips": 3}]},
        {"tasks": [STATEMENTS, RATED | {"high": 7}]},
        {"tasks": [STATEMENTS, RATED | {"after": []}]},
        {"tasks": [STATEMENTS, RATED | {"adjectives": [{"name": "cold", "words": {"en": "cold", "it": "freddo"}}]}]},
        {"tasks": [STATEMENTS | {"items": STATEMENTS["items"][:1]}, RATED]},  # type: ignore[index]  # a list, in a table of anything
        {"tasks": [STATEMENTS | {"items": STATEMENTS["items"][::-1]}, RATED]},  # type: ignore[index]  # a list, in a table of anything
        {"groups": [{"name": "a", "quota": 3}]},
        {"groups": [{"name": "a", "quota": 3, "tasks": ["ratings"]}, {"name": "b"}]},
        {"groups": [{"name": "a", "quota": 3}, {"name": "b", "language": "it"}]},
        {"taste_words": {"en": {"sour": "sour", "sweet": "sweet"}, "it": {"sweet": "dolce", "sour": "acido"}}},
        {"level": {"by": "participant"}},
        {"pause": False},
        {"sound_check": False},
        {"seed": 1},
    ],
)
def test_what_people_are_asked_is_another_design(more: dict[str, Any]) -> None:
    old, new = changed(), changed(**more)
    assert structure(old, {"en", "it"}) != structure(new, {"en", "it"})
    assert not same_design({"experiment": TABLE}, {"experiment": new.model_dump(mode="json")})
    assert structure(old, {"en", "it"}) == structure(changed(), {"en", "it"})


def test_what_differs_from_booth_to_booth_is_no_difference() -> None:
    old, new = changed(), changed(font="Noto Serif", disk_gb=9, texts="x", effects="y")
    assert differences(old, new) == []
    assert structure(old, {"en"}) == structure(new, {"en"})


def test_texts_that_a_study_does_not_show_do_not_count() -> None:
    told = changed(practice=False, pause=False)
    shown = used(texts("en"), told)
    assert {"consent", "demographics", "end", "sound", "ratings", "affect"} <= set(shown)
    assert not {"preference", "identification", "practice", "pause", "level", "headphones"} & set(shown)
    assert set(shown["affect"]) == {"valence"}
    everything = changed(level={"by": "participant"}, headphones="both", sound_check=False)
    assert {"level", "headphones", "practice", "pause", "preference"} <= set(used(texts("en"), everything))
    assert "sound" not in used(texts("en"), everything)
    old = {"en": texts("en"), "it": texts("it")}
    other = {"en": texts("en") | {"next": "On", "headphones": {}}, "fr": texts("it")}
    assert text_changes(old, other, told) == [Change("texts.en.next", "Continue", "On", "text")]
    gone = {"en": {k: v for k, v in texts("en").items() if k != "next"}}
    assert text_changes(old, gone, told) == [Change("texts.en.next", "Continue", "", "text")]


def test_a_change_is_told_in_one_short_line() -> None:
    assert Change("replays", "2", "3").line() == "replays: 2 -> 3"
    assert Change("target", "", "60").line() == "target: (nothing) -> 60"
    said = Change("x", "one\ntwo", "a" * 61, "text").line()
    assert said == f"x: 'one two' -> '{'a' * 57}...'"
    assert Change("x", "a" * 60, "", "text").line() == f"x: '{'a' * 60}' -> (nothing)"


def test_versions_are_numbered_and_only_what_is_bound_is_held_against_them(store: Store) -> None:
    one, two = definition(changed()), definition(changed(replays=1))
    read = {"en": texts("en")}
    number = store.ensure_study("s", "S", one)
    with store.transaction() as s:
        row = current(s, number)
        assert row is not None
        assert (row.number, row.definition, row.texts, row.changes) == (1, one, None, [])
        assert not began(s, number)
    assert store.ensure_study("s", "S", one, read) == number  # now it is known what is read
    store.ensure_study("s", "S", one, read)
    store.ensure_study("s", "S", two, read)
    store.ensure_study("s", "S", two)
    with store.transaction() as s:
        assert number_of(s, number) == 3
        last = current(s, number)
        assert last is not None
        assert (last.number, last.definition, last.texts) == (3, two, read)
    store.ensure_study("t", "T", one)
    with store.transaction() as s:
        assert number_of(s, store.study("t").id) == 1
    for kind, binds in (("pilot", False), ("imported", False), ("bot", True)):
        sat(store, f"of-{kind}", [], kind=kind)
        with store.transaction() as s:
            assert began(s, number) is binds
            assert not began(s, store.study("t").id)
    with pytest.raises(ExperimentError, match=r"replays: 1 -> 2; say why with 'tastelab study amend --note WHY'"):
        store.ensure_study("s", "S", one, read)
    with pytest.raises(ExperimentError, match=r"texts\.en\.next: 'Continue' -> 'On'; say why"):
        store.ensure_study("s", "S", two, {"en": texts("en") | {"next": "On"}})
    assert store.ensure_study("s", "S", one, read, going_on=True) == number
    with pytest.raises(ExperimentError, match="under another"):
        store.ensure_study("s", "S", definition(changed(pause=False)), read, going_on=True)
    with store.transaction() as s:
        assert number_of(s, number) == 3
        assert s.get_one(StudyRow, number).definition == two
        last = current(s, number)
        assert last is not None
        assert [c.where for c in told_otherwise(last, one, read)] == ["replays"]
        assert told_otherwise(last, {"experiment": {"unheard": 1}}, read) == []


def test_a_version_that_is_entered_is_told_by_its_number(store: Store) -> None:
    study = store.ensure_study("s", "S", definition(changed()))
    with store.transaction() as s:
        assert enter(s, study, definition(changed(replays=1)), None, "why") == 2
    with store.transaction() as s:
        assert enter(s, study, definition(changed(replays=2)), None) == 3


def test_a_study_of_a_version_that_told_less_in_its_consent_goes_on(store: Store) -> None:
    """Texts that came with a later version, and that this study shows nobody, are no change of it."""
    config = changed()
    now = {x: texts(x, None) for x in ("en", "it")}
    then = {
        x: {**words, "told": {k: v for k, v in words["told"].items() if k != "retention"}} for x, words in now.items()
    }
    assert text_changes(then, now, config) == []
    study = store.ensure_study("s", "S", definition(config), then)
    sat(store, "A")
    assert store.ensure_study("s", "S", definition(config), now) == study
    kept = config_of(TABLE | {"consent": {"retention": "2030-01-01", "controller": "The lab"}})
    assert set(used(now["en"], kept)["told"]) == {"retention", "controller"}
    assert {c.where for c in text_changes(then, now, kept)} == {f"texts.{x}.told.retention" for x in ("en", "it")}
