"""In which order the screens of a session come, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiment.config import ExperimentConfig
from experiment.data.tables import Stimulus, Trial
from experiment.session import run_session
from experiment.stations import LevelConfig
from experiment.steps import (
    Ask,
    Consent,
    End,
    Form,
    Headphones,
    Level,
    Listen,
    Page,
    Practice,
    SoundCheck,
    Stored,
    next_step,
    part_title,
)
from experiment.texts import texts
from tests.experiment.test_steps import SCALES, Listener, begun, entered


def test_parts_are_called_by_their_place_unless_a_studys_own_texts_name_them() -> None:
    words = texts("en")
    names = ["First part", "Second part", "Third part", "Fourth part", "Another part", "Another part"]
    assert [part_title(words, "ratings", part) for part in range(6)] == names
    own = {"ratings": {"intro_title": "Words"}, "preference": {}, "parts": words["parts"]}
    assert part_title(own, "ratings", 1) == "Words"
    assert part_title(own, "preference", 1) == "Second part"


def test_the_break_comes_when_half_of_equal_parts_are_done(tmp_path: Path, config: ExperimentConfig) -> None:
    """Before the second of two, the third of three, the third of four; none where there is one alone."""
    scales = {"labels": {"en": ["no", "yes"]}, "adjectives": [{"name": "hot", "words": {"en": "hot"}}]}
    for parts, before in ((1, None), (2, 1), (3, 2), (4, 2)):
        tasks = [{"kind": "ratings", "name": f"part{k}", "clips": 1, **scales} for k in range(parts)]
        asked = ExperimentConfig.model_validate({"tasks": tasks, "sound_check": False})
        (tmp_path / str(parts)).mkdir()
        prepared, who = entered(tmp_path / str(parts), asked), Listener()
        assert run_session(prepared.store, begun(prepared), asked, who) == "complete"
        pages = [c.removeprefix("page ") for c in who.calls if c.startswith("page ")]
        titles = ["First part", "Second part", "Third part", "Fourth part"][:parts]
        if before is not None:
            titles.insert(before, "About half of the music is over")
        assert pages == [*titles, "Thank you"]


def begun_at(plan: list[Trial], **more: Any) -> Stored:
    """What is stored of somebody who agreed, in the first sitting; nothing is read from a database."""
    return Stored(1, "P1", "en", 5, **{"status": "running", "plan": plan, "special": True, **more})


def test_a_page_of_the_studys_own_comes_where_it_stands_once_a_sitting() -> None:
    """Until what is behind it was answered: who comes back after that is not shown it again."""
    page = {"kind": "page", "name": "hello", "title": {"en": "Welcome"}, "text": {"en": "Read this."}}
    asked = ExperimentConfig.model_validate({"tasks": [page, {"kind": "ratings", "clips": 1, **SCALES}]})
    plan = [
        Trial(id=7, position=0, block="demographics", items=["sex"]),
        Trial(id=8, position=1, block="hello", items=[]),
        Trial(id=9, position=2, block="ratings", items=["hot", "cold"]),
    ]
    first = next_step(begun_at(plan), asked)
    assert isinstance(first, Ask)
    assert (first.id, first.progress) == ("ask:0:sex", (0, 3))
    told = frozenset({(7, "sex")})
    assert next_step(begun_at(plan, answered=told), asked) == Page("page:hello", "Welcome", "Read this.")
    after = next_step(begun_at(plan, answered=told, seen=frozenset({"page:hello"})), asked)
    assert isinstance(after, Page)
    assert after.id == "intro:ratings"
    again = next_step(begun_at(plan, answered=told | {(9, "hot")}), asked)
    assert isinstance(again, Page)
    assert again.id == "intro:ratings"
    # An answer to what lies before it does not take it away, nor does another page behind it.
    assert isinstance(next_step(begun_at(plan[:2], answered=told), asked), Page)


@pytest.mark.parametrize("language", ["en", "it"])
def test_the_last_pages_say_what_became_of_the_session(language: str, config: ExperimentConfig) -> None:
    words = texts(language)

    def page(**more: Any) -> Page | End:
        step = next_step(
            Stored(1, "P1", language, 5, **{"status": "running", "plan": (), "special": True, **more}), config
        )
        assert isinstance(step, Page | End)
        return step

    young = Page("page:too_young", words["too_young"]["title"], words["too_young"]["text"])
    assert page(status="too_young") == young
    assert page(status="too_young", seen=frozenset({"page:too_young"})) == End("too_young")
    failed = frozenset({"headphones_failed"})
    assert page(status="stopped", seen=failed) == Page(
        "page:headphones_failed", words["headphones"]["failed_title"], words["headphones"]["failed"]
    )
    assert page(status="stopped", seen=failed | {"page:headphones_failed"}) == End("stopped")
    assert page() == Page("end", words["end"]["title"], words["end"]["text"].format(code="P1"))
    assert "P1" in words["end"]["text"].format(code="P1")
    for status in ("complete", "stopped", "withdrawn"):
        assert page(status=status) == End(status)


def test_ears_are_tried_in_order_before_the_first_clip_of_a_sitting(config: ExperimentConfig) -> None:
    """Tones, level, each headphone test that was not passed, practice where two clips are compared; what was done is not repeated."""
    asked = config.model_copy(
        update={"headphones": "both", "level": LevelConfig(by="participant", softest=-30), "pause": False}
    )
    clips = [Stimulus(id=k, clip=f"c{k}", taste="sweet", model=m, number=0) for k, m in ((1, "base"), (2, "finetuned"))]
    trial = Trial(id=9, position=0, block="preference", taste="sweet", items=["preference"])
    trial.first, trial.second = clips
    steps: list[tuple[str, type]] = []
    seen: frozenset[str] = frozenset()
    for _ in range(9):
        step = next_step(begun_at([trial], seen=seen, screenings=3), asked)
        steps.append((step.id, type(step)))
        if isinstance(step, Headphones):
            assert step.draw == (5, 1, 3)  # seed, session, how many were made
        if isinstance(step, Level):
            assert step.softest == -30
        seen |= {step.id}
    assert steps == [
        ("sound", SoundCheck), ("level", Level), ("headphones:huggins", Headphones), ("headphones:antiphase", Headphones),
        ("page:practice", Page), ("practice", Practice), ("intro:preference", Page), ("heard:0", Listen),
        ("ask:0:preference", Ask),
    ]  # fmt: skip
    # A test that was passed in an earlier sitting is not made again; one that was failed is.
    step = next_step(
        begun_at([trial], seen=frozenset({"sound", "level"}), passed={"huggins": True, "antiphase": False}), asked
    )
    assert step.id == "headphones:antiphase"
    # Who answered for a pair before needs no practice.
    both = [trial, Trial(id=10, position=1, block="preference", taste="sweet", items=["preference"])]
    both[1].first, both[1].second = clips
    ready = frozenset({"sound", "level", "headphones:huggins", "headphones:antiphase"})
    assert (
        next_step(begun_at(both, seen=ready, answered=frozenset({(9, "preference")})), asked).id == "intro:preference"
    )
    bare = asked.model_copy(
        update={"headphones": "off", "level": LevelConfig(), "sound_check": False, "practice": False}
    )
    assert next_step(begun_at([trial]), bare).id == "intro:preference"


def test_one_goes_back_to_the_answer_before_and_not_out_of_a_trial(config: ExperimentConfig) -> None:
    """And not at all where the study does without it; only of an age it is said that it may be too low."""
    plan = [Trial(id=7, position=0, block="demographics", items=["sex", "age", "device"])]

    def asked(*answered: str, back: bool = True) -> tuple[str, bool, int | None]:
        study = config.model_copy(update={"back": back})
        step = next_step(begun_at(plan, answered=frozenset((7, x) for x in answered)), study)
        assert isinstance(step, Ask)
        return step.question.item, step.question.back, step.question.doubt

    assert asked() == ("sex", False, None)
    assert asked("sex") == ("age", True, 18)
    assert asked("sex", "age") == ("device", True, None)
    assert asked("sex", back=False) == ("age", False, 18)
    assert asked(back=False) == ("sex", False, None)


def test_consent_says_how_long_it_takes_and_whether_something_special_is_asked() -> None:
    """Two clips of 15 s and three answers of 5, 3 and 3 s are less than a minute; what is read on the way makes it more."""
    tasks = [{"kind": "ratings", "clips": 2, **SCALES}]
    asked = ExperimentConfig.model_validate(
        {"tasks": tasks, "sound_check": False, "consent": {"controller": "the lab, Rome"}}
    )
    clips = [Stimulus(id=k, clip=f"c{k}", taste="sweet", model="a", number=k, seconds=15.0) for k in (1, 2)]
    plan = [Trial(id=7, position=0, block="demographics", items=["sex"])]
    plan += [Trial(id=k, position=k, block="ratings", items=["hot"], first=clips[k - 1]) for k in (1, 2)]

    def consent(trials: list[Trial]) -> Consent:
        step = next_step(begun_at(trials, special=None), asked)
        assert isinstance(step, Consent)
        return step

    plain = consent(plan)
    assert (plain.id, plain.special) == ("consent", False)
    assert 2 <= plain.minutes <= 4
    assert any("the lab, Rome" in paragraph for paragraph in plain.more)
    plan[0].items = ["sex", "ethnicity"]
    assert consent(plan).special is True
    assert consent(plan * 9).minutes > plain.minutes


def test_what_was_answered_on_one_page_is_not_asked_again_with_the_rest() -> None:
    """All that is open on the screen; what one went back to stands before it, alone."""
    asked = ExperimentConfig.model_validate({"tasks": [{"kind": "ratings", "clips": 1, "one_page": True, **SCALES}]})
    plan = [Trial(id=9, position=4, block="ratings", items=["hot", "cold"])]
    ready = frozenset({"intro:ratings", "sound"})
    step = next_step(begun_at(plan, seen=ready), asked)
    assert isinstance(step, Form)
    assert (step.id, [q.item for q in step.questions], step.progress) == ("form:4:hot", ["hot", "cold"], (0, 2))
    rest = next_step(begun_at(plan, seen=ready, answered=frozenset({(9, "hot")})), asked)
    assert isinstance(rest, Form)
    assert (rest.id, [q.item for q in rest.questions], rest.progress) == ("form:4:cold", ["cold"], (1, 2))
    one = asked.model_copy(update={"tasks": (asked.tasks[0].model_copy(update={"one_page": False}),)})
    alone = next_step(begun_at(plan, seen=ready), one)
    assert isinstance(alone, Ask)
    assert (alone.id, alone.question.item, alone.progress) == ("ask:4:hot", "hot", (0, 2))


def test_going_back_asks_the_item_anew_until_it_is_answered_and_then_goes_on() -> None:
    asked = ExperimentConfig.model_validate({"tasks": [{"kind": "ratings", "clips": 1, **SCALES}]})
    plan = [Trial(id=9, position=4, block="ratings", items=["hot", "cold"])]
    done, ready = frozenset({(9, "hot")}), frozenset({"intro:ratings", "sound"})
    stored = begun_at(plan, seen=ready, answered=done)
    assert stored.before(plan[0], "cold") == "hot"
    assert stored.before(plan[0], "hot") is None
    went = stored.having(stored.back(plan[0], "hot"))
    assert "back:4:hot:0" in went.seen
    assert next_step(went, asked).id == "ask:4:hot"
    anew = replace(went, superseded={(9, "hot"): 1})
    assert next_step(anew, asked).id == "ask:4:cold"
    assert anew.back(plan[0], "hot") == "back:4:hot:1"
    # What falls away without the consent to it is neither asked nor gone back to.
    private = replace(
        stored,
        special=False,
        plan=[Trial(id=9, position=4, block="demographics", items=["sex", "ethnicity", "device"])],
    )
    assert private.items(private.plan[0]) == private.open(private.plan[0]) == ["sex", "device"]


def test_debrief_and_last_page_are_the_studys_own_where_it_has_them() -> None:
    notice = {"title": {"en": "What it was"}, "text": {"en": "Music for {code}."}}
    own = {"debrief": notice, "completion": {"title": {"en": "Done"}, "text": {"en": "Show {code}."}}}
    asked = ExperimentConfig.model_validate({"tasks": [{"kind": "ratings", "clips": 1, **SCALES}]} | own)
    assert next_step(begun_at([]), asked) == Page("debrief", "What it was", "Music for P1.")
    told = begun_at([], seen=frozenset({"debrief"}))
    assert next_step(told, asked) == Page("end", "Done", "Show P1.")
    assert next_step(told, asked.model_copy(update={"completion": None})) == Page(
        "end", texts("en")["end"]["title"], texts("en")["end"]["text"].format(code="P1")
    )


def test_a_break_and_an_introduction_come_between_parts_and_not_in_them() -> None:
    """The break once a sitting, at the trial by which half is over, and only for whoever heard something in this sitting."""
    tasks = [{"kind": "ratings", "name": name, "clips": 1, **SCALES} for name in ("one", "two")]
    asked = ExperimentConfig.model_validate({"tasks": tasks, "sound_check": False})
    clip = Stimulus(id=1, clip="c1", taste="sweet", model="a", number=0, seconds=10.0)
    plan = [Trial(id=k, position=k, block=b, items=["hot"], first=clip) for k, b in ((1, "one"), (2, "two"))]
    done = frozenset({(1, "hot")})

    def comes(*seen: str, pause: bool = True, answered: frozenset[tuple[int, str]] = done) -> str:
        study = asked.model_copy(update={"pause": pause})
        return next_step(begun_at(plan, answered=answered, seen=frozenset(seen)), study).id

    assert comes("intro:one", "heard:1") == "pause"
    assert comes("intro:one", "heard:1", "pause") == "intro:two"
    assert comes("intro:one", "heard:1", pause=False) == "intro:two"
    assert comes() == "intro:two"  # who comes back after the half has rested
    assert comes("intro:two") == "heard:2"
    assert comes("intro:two", "heard:2") == "ask:2:hot"
    assert comes("intro:one", answered=frozenset()) == "heard:1"
    first, second = (next_step(begun_at(plan, answered=a), asked) for a in (frozenset[tuple[int, str]](), done))
    assert isinstance(first, Page)
    assert isinstance(second, Page)
    assert (first.title, second.title) == ("First part", "Second part")
    assert first.text == second.text == texts("en")["ratings"]["intro"]
    assert comes("intro:one", "heard:1", pause=True) == "pause"
    page = next_step(begun_at(plan, answered=done, seen=frozenset({"heard:1"})), asked)
    assert page == Page("pause", texts("en")["pause"]["title"], texts("en")["pause"]["text"])
    listen = next_step(begun_at(plan, answered=done, seen=frozenset({"intro:two"})), asked)
    assert isinstance(listen, Listen)
    assert (listen.clips, listen.titles, listen.trial) == ((clip,), ("Listen",), plan[1])
