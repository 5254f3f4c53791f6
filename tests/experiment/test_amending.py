"""A study in its course: what may be amended, with a note; what may not, by whatever way it is said; who goes on meanwhile."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from experiment import launch
from experiment.amending import amend, letters
from experiment.answering import started
from experiment.config import ExperimentConfig
from experiment.data.queries import amendments
from experiment.data.store import Store
from experiment.data.tables import Declaration, Response, SessionRow, Sitting
from experiment.errors import ExperimentError
from experiment.items import every_question
from experiment.texts import FOLDER, kept, texts
from stimuli.manifest import ClipRow
from tests.conftest import TASTES


def clips() -> list[ClipRow]:
    return [
        ClipRow(f"{t}-{m}-{n}", t, m, n, f"{t}-{m}-{n}.wav", "0" * 64, 2.0, 48000, -23.0, -1.0, 0.0)
        for t in TASTES
        for m in ("base", "finetuned")
        for n in range(5)
    ]


def definition(config: ExperimentConfig) -> dict[str, Any]:
    return {"experiment": config.model_dump(mode="json")}


def prepare(store: Store, config: ExperimentConfig, going_on: bool = False) -> launch.Prepared:
    return launch.prepare(store, "s", "S", definition(config), config, clips(), Path("/nowhere"), going_on)


def begin(store: Store, config: ExperimentConfig, code: str, kind: str = "bot") -> int:
    return launch.begin(prepare(store, config), code, kind, None, "x")


def reworded(folder: Path, *changes: tuple[str, str], language: str = "en") -> Path:
    """The shipped texts with some of them changed, in a folder of the study's own."""
    folder.mkdir(exist_ok=True)
    text = (FOLDER / f"{language}.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    (folder / f"{language}.toml").write_text(text, encoding="utf-8")
    return folder


def test_what_is_limited_is_amended_with_a_note_and_then_counts(store: Store, config: ExperimentConfig) -> None:
    begin(store, config, "bot-1")
    more = config.model_copy(update={"resume_hours": 48.0, "target": 60})
    with pytest.raises(
        ExperimentError, match=r"resume_hours: 24.0 -> 48.0 \(and 1 more\); say why with 'tastelab study am"
    ):
        begin(store, more, "bot-2")
    with pytest.raises(ExperimentError, match="an amendment needs --note WHY"):
        amend(store, "s", definition(more), more, None)
    changes = amend(store, "s", definition(more), more, "people come from far away")
    assert {(c.where, c.was, c.now, c.weight) for c in changes} == {
        ("resume_hours", "24.0", "48.0", "limit"),
        ("target", "", "60", "limit"),
    }
    assert store.study("s").definition == definition(more)  # what analyses read
    begin(store, more, "bot-2")
    with pytest.raises(ExperimentError, match="is declared as its file says; there is nothing to amend"):
        amend(store, "s", definition(more), more, "again")
    with store.transaction() as s:
        assert [x.declared for x in s.scalars(select(SessionRow).order_by(SessionRow.id))] == [1, 2]
        first, second = s.scalars(select(Declaration).order_by(Declaration.number))
        assert (first.note, first.definition["experiment"]["resume_hours"]) == (None, 24.0)
        assert (second.note, second.definition["experiment"]["resume_hours"]) == ("people come from far away", 48.0)
        assert abs(datetime.now(UTC) - second.at.replace(tzinfo=second.at.tzinfo or UTC)) < timedelta(minutes=5)
        assert first.texts is not None
        assert first.texts["it"]["next"] == "Continua"
    (told,) = amendments(store, "s", "bot")
    assert (told["number"], told["before"], told["since"], told["wording"]) == (2, 1, 1, None)
    assert amendments(store, "s", "person")[0]["before"] == 0


def test_a_server_that_ran_while_it_was_amended_does_not_say_otherwise(store: Store, config: ExperimentConfig) -> None:
    """What it shows is what it began with; a session's version is the one that its person met."""
    server = prepare(store, config)
    launch.begin(server, "bot-1", "bot", None, "x")
    more = config.model_copy(update={"minimum_age": 16})
    amend(store, "s", definition(more), more, "the committee allows it")
    assert server.config.minimum_age == 18
    launch.begin(server, "bot-2", "bot", None, "x")
    later = prepare(store, more)
    launch.begin(later, "bot-3", "bot", None, "x")
    launch.resume(server, "bot-3")
    launch.resume(later, "bot-1")
    with store.transaction() as s:
        assert [row.declared for row in s.scalars(select(SessionRow).order_by(SessionRow.id))] == [2, 1, 1]
    assert [(a["before"], a["since"]) for a in amendments(store, "s")] == [(2, 1)]


def test_a_reason_names_nobody(store: Store, config: ExperimentConfig) -> None:
    """It is printed in the report, and would stay when the person withdraws."""
    begin(store, config, "bot-7")
    more = config.model_copy(update={"replays": 3})
    for note, wording in (("for bot-7.", None), ("x", "BOT-07, who asked"), (None, "(bot-7)")):
        with pytest.raises(ExperimentError, match="the reason names participant bot-7; it is kept and printed"):
            amend(store, "s", definition(more), more, note, wording)
    assert amend(store, "s", definition(more), more, "for 7 people; bot-70 asked")


def test_whoever_was_away_goes_on_as_declared_and_under_what_was_amended(
    store: Store, config: ExperimentConfig
) -> None:
    """Left 30 hours ago: the file alone lets nobody go on, the amendment does; nothing in the file blocks whoever may."""
    number = begin(store, config, "bot-1")
    started(store, number)
    more = config.model_copy(update={"resume_hours": 48.0, "languages": ["it", "en"]})
    assert launch.resume(prepare(store, more, going_on=True), "bot-1") == (number, "en")
    ready = prepare(store, more, going_on=True)
    assert [c.where for c in ready.otherwise] == ["languages", "resume_hours"]
    assert (ready.config.resume_hours, ready.config.languages) == (24.0, ["en", "it"])
    long_ago = datetime.now(UTC) - timedelta(hours=30)
    with store.transaction() as s:
        s.execute(update(SessionRow).values(started_at=long_ago, alive_at=None))
        s.execute(update(Response).values(answered_at=long_ago))
    with pytest.raises(ExperimentError, match="within 24 h"):
        launch.resume(prepare(store, more, going_on=True), "bot-1")
    amend(store, "s", definition(more), more, "a storm")
    ready = prepare(store, more, going_on=True)
    assert ready.otherwise == []
    assert launch.resume(ready, "bot-1") == (number, "en")
    started(store, number)
    with store.transaction() as s:
        assert s.get_one(SessionRow, number).declared == 2
        assert [x.declared for x in s.scalars(select(Sitting).order_by(Sitting.number))] == [1, 2]


def test_a_spelling_needs_a_note_a_question_a_reason_and_a_reversal_is_told(
    store: Store, config: ExperimentConfig, tmp_path: Path
) -> None:
    begin(store, config, "bot-1")
    shown = texts("en")["preference"]["question"]
    spelt = config.model_copy(
        update={"texts": reworded(tmp_path / "a", (shown, "Which piece fits the  taste {taste} better ?"))}
    )
    turned = config.model_copy(
        update={"texts": reworded(tmp_path / "b", ("taste {taste} better", "taste {taste} worse"))}
    )
    for changed in (spelt, turned):  # as the file says it is shown to nobody who goes on
        ready = prepare(store, changed, going_on=True)
        assert texts("en", ready.config.texts)["preference"]["question"] == shown
        with pytest.raises(ExperimentError, match=r"texts\.en\.preference\.question"):
            begin(store, changed, "bot-2")
    (change,) = amend(store, "s", definition(spelt), spelt, "a space too many")
    assert (change.where, change.weight) == ("texts.en.preference.question", "spelling")
    with pytest.raises(
        ExperimentError, match=r"what people are asked would read otherwise: texts.en.preference.question: 'W"
    ):
        amend(store, "s", definition(turned), turned, "nicer")
    (change,) = amend(store, "s", definition(turned), turned, "nicer", "the supervisor wanted it")
    assert (change.weight, change.now) == ("wording", "Which piece fits the taste {taste} worse?")
    begin(store, turned, "bot-2")
    told = amendments(store, "s")
    assert [(x["note"], x["wording"], x["before"], x["since"]) for x in told] == [
        ("a space too many", None, 1, 1),
        ("nicer", "the supervisor wanted it", 1, 1),
    ]


def test_words_in_the_study_file_weigh_as_what_they_are_of(store: Store, config: ExperimentConfig) -> None:
    begin(store, config, "bot-1")
    assert config.ratings is not None
    some = config.ratings.adjectives[0]
    other = some.model_copy(update={"words": some.words | {"en": "otherwise"}})
    ratings = config.ratings.model_copy(update={"adjectives": [other, *config.ratings.adjectives[1:]]})
    changed = config.model_copy(update={"ratings": ratings})
    with pytest.raises(ExperimentError, match="--wording"):
        amend(store, "s", definition(changed), changed, "why")
    (change,) = amend(store, "s", definition(changed), changed, None, "nobody knew the word")
    assert (change.where, change.was, change.now, change.weight) == (
        f"tasks.ratings.adjectives.{some.name}.words.en", some.words["en"], "otherwise", "wording",
    )  # fmt: skip
    assert amendments(store, "s")[0]["note"] == "nobody knew the word"


def test_around_the_questions_a_note_is_enough(store: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    begin(store, config, "bot-1")
    folder = reworded(tmp_path / "a", ('title = "Welcome"', 'title = "Good morning"'), ('[identification]\nintro = "You', '[identification]\nintro = "And you'))  # fmt: skip
    changed = config.model_copy(update={"texts": folder})
    (change,) = amend(store, "s", definition(changed), changed, "friendlier")  # nobody identifies anything here
    assert (change.where, change.weight) == ("texts.en.consent.title", "text")


TURNED = (
    (("low = \"the first piece\"", 'low = "X"'), ('high = "the second piece"', 'high = "the first piece"'), ('"X"', '"the second piece"')),
    (('listen_first = "First piece"', 'listen_first = "Second piece"'), ('listen_second = "Second piece"', 'listen_second = "First piece"')),
    (('options = { male = "male", female = "female"', 'options = { male = "female", female = "male"'),),
)  # fmt: skip


@pytest.mark.parametrize("changes", TURNED)
def test_words_that_change_places_are_refused_whatever_the_reason(
    store: Store, config: ExperimentConfig, tmp_path: Path, changes: tuple[tuple[str, str], ...]
) -> None:
    begin(store, config, "bot-1")
    changed = config.model_copy(update={"texts": reworded(tmp_path / "a", *changes)})
    with pytest.raises(ExperimentError, match="so that the same answer would mean something else"):
        amend(store, "s", definition(changed), changed, "why", "because")
    assert amendments(store, "s") == []


def test_words_of_two_items_do_not_change_places(store: Store, config: ExperimentConfig) -> None:
    begin(store, config, "bot-1")
    assert config.ratings is not None
    first, second, *others = config.ratings.adjectives
    turned = [
        first.model_copy(update={"words": second.words}),
        second.model_copy(update={"words": first.words}),
        *others,
    ]
    changed = config.model_copy(update={"ratings": config.ratings.model_copy(update={"adjectives": turned})})
    with pytest.raises(ExperimentError, match=f"{second.words['en']!r} stands where {first.words['en']!r} stood"):
        amend(store, "s", definition(changed), changed, "why", "because")
    ends = {k: [*reversed(v)] for k, v in config.ratings.labels.items()}
    changed = config.model_copy(update={"ratings": config.ratings.model_copy(update={"labels": ends})})
    with pytest.raises(ExperimentError, match="stands where"):
        amend(store, "s", definition(changed), changed, "why", "because")


def test_what_people_are_asked_and_hear_is_refused(store: Store, config: ExperimentConfig) -> None:
    begin(store, config, "bot-1")
    assert config.preference is not None
    assert config.ratings is not None
    for change in (
        {"preference": config.preference.model_copy(update={"trials": 4})},
        {"preference": config.preference.model_copy(update={"high": 100})},
        {"ratings": config.ratings.model_copy(update={"adjectives": config.ratings.adjectives[:-1]})},
        {"ratings": None},
        {"headphones": "both"},
        {"shuffle": True},
        {"taste_words": {k: dict(reversed(v.items())) for k, v in config.taste_words.items()}},
    ):
        changed = config.model_copy(update=change)
        with pytest.raises(ExperimentError, match=r"began under another design .* give the new design another name"):
            amend(store, "s", definition(changed), changed, "why", "because")
    with store.transaction() as s:
        row = s.scalars(select(Declaration)).one()
        row.definition = row.definition | {"stimuli": {"seconds": 15}, "models": {"conditions": [{"name": "base"}]}}
    store.engine.dispose()
    from experiment.data.tables import StudyRow

    with store.transaction() as s:
        s.execute(update(StudyRow).values(definition=definition(config) | {"stimuli": {"seconds": 15}, "models": {"conditions": [{"name": "base", "tracks": "/a/x"}]}}))  # fmt: skip
    for table, other in (
        ("stimuli", {"seconds": 14}),
        ("models", {"conditions": [{"name": "base", "tracks": "/a/y"}]}),
    ):
        with pytest.raises(ExperimentError, match=rf"\[{table}\] differs"):
            amend(store, "s", definition(config) | {table: other}, config, "why", "because")
    same = definition(config) | {"models": {"conditions": [{"name": "base", "tracks": "/elsewhere/x"}]}}
    with pytest.raises(ExperimentError, match="nothing to amend"):
        amend(store, "s", same, config, "why")


def test_languages_come_and_go_when_nobody_sits_in_them(store: Store, config: ExperimentConfig) -> None:
    only = config.model_copy(update={"languages": ["it"]})
    number = begin(store, only, "bot-1")
    (change,) = amend(store, "s", definition(config), config, "guests")
    assert (change.where, change.was, change.now) == ("languages", "it", "en, it")
    english = config.model_copy(update={"languages": ["en"]})
    with pytest.raises(ExperimentError, match="somebody has not finished in 'it'"):
        amend(store, "s", definition(english), english, "no more")
    with store.transaction() as s:
        s.get_one(SessionRow, number).status = "complete"
    amend(store, "s", definition(english), english, "no more")
    begin(store, english, "bot-2")


def test_pilots_bind_nothing_and_who_is_not_there_is_said(store: Store, config: ExperimentConfig) -> None:
    with pytest.raises(ExperimentError, match="'s' is not in the database: nobody took part"):
        amend(store, "s", definition(config), config, "why")
    begin(store, config, "P1", "bot")
    with store.transaction() as s:
        s.execute(update(SessionRow).values(kind="pilot"))
    other = config.model_copy(update={"shuffle": True})
    assert amend(store, "s", definition(other), other, "why") == []
    begin(store, other, "bot-1")
    assert store.study("s").definition == definition(other)


def test_a_database_from_before_is_amended(store: Store, config: ExperimentConfig) -> None:
    begin(store, config, "bot-1")
    with store.transaction() as s:
        for row in s.scalars(select(Declaration)):
            s.delete(row)
        s.execute(update(SessionRow).values(declared=None))
    more = config.model_copy(update={"replays": 3})
    (change,) = amend(store, "s", definition(more), more, "why")
    assert (change.where, change.was, change.now) == ("replays", "2", "3")
    assert amendments(store, "s")[0]["before"] == 1


WORD = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.dictionaries(WORD, TEXT | st.dictionaries(WORD, TEXT, max_size=4), max_size=5))
def test_texts_that_are_kept_are_read_as_they_were(words: dict[str, Any]) -> None:
    found = tomllib.loads((kept({"xx": words}) / "xx.toml").read_text(encoding="utf-8"))
    assert found == words
    assert [list(v) for v in found.values() if isinstance(v, dict)] == [
        list(v) for v in words.values() if isinstance(v, dict)
    ]


def test_kept_texts_have_what_came_later() -> None:
    older = {k: v for k, v in texts("it").items() if k != "broken"} | {"next": "Vai"}
    found = texts("it", kept({"it": older}))
    assert (found["next"], found["broken"]) == ("Vai", texts("it")["broken"])
    assert list(found["demographics"]["ethnicity"]["options"]) == list(
        texts("it")["demographics"]["ethnicity"]["options"]
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("How old are you ?", "how old are you?", True),
        ("ﬁts", "fits", True),
        ("like", "dislike", False),
        ("piu", "più", False),
        ("Which fits better?", "Which fits worse?", False),
    ],
)
def test_a_spelling_keeps_its_letters(one: str, other: str, same: bool) -> None:
    assert (letters(one) == letters(other)) == same


def _leaves(node: Any, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(node, dict):
        return [x for k, v in node.items() for x in _leaves(v, (*above, k))]
    return [above]


def test_every_text_that_a_question_shows_counts_as_what_is_asked(config: ExperimentConfig) -> None:
    """Each text in turn is made another: the questions that come out of it say whether it is one of what is asked."""
    from experiment.amending import ASKED

    shipped = texts("en")
    before = every_question(config, "en")
    for path in _leaves(shipped):
        node: Any = {}
        words = node = {k: v for k, v in shipped.items()}
        for key in path[:-1]:
            node[key] = dict(node[key])
            node = node[key]
        node[path[-1]] = f"{node[path[-1]]} X"
        folder = kept({"en": words})
        changed = every_question(config.model_copy(update={"texts": folder}), "en")
        if changed != before:
            assert ASKED.fullmatch("texts.en." + ".".join(path)), path
