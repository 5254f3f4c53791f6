"""The level of a session and its headphone tests: what is asked, kept, and asked again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from experiment.data.tables import Screening, SessionRow
from experiment.headphones import HeadphoneTrial
from experiment.launch import Prepared
from tests.experiment import readers
from tests.experiment.test_session import Person, events, go_on, run, under


def test_a_stations_gain_is_what_clips_are_played_with(booth: Prepared) -> None:
    who = Person()
    run(booth, who, calibration={"by": "station", "gain_db": -6.3})
    assert {gain for *_, gain in who.heard} == {-6.3}
    assert "level" not in who.happened


@pytest.mark.parametrize(
    ("chosen", "softest", "kept"),
    [(-9.5, -24, -9.5), (-50, -12, -12.0), (4.0, -24, 0.0), (0.0, -24, 0.0), (-24, -24, -24.0)],
)
def test_a_chosen_level_is_within_softest_and_0(booth: Prepared, chosen: float, softest: int, kept: float) -> None:
    who = Person()
    who.level = chosen
    session, _ = run(under(booth, level={"by": "participant", "softest": softest}), who)
    assert who.limits == [softest]
    assert {gain for *_, gain in who.heard} == {kept}
    with booth.store.transaction() as s:
        assert s.get_one(SessionRow, session).calibration == {"by": "participant", "gain_db": kept}
    assert events(booth.store, session, "level")[0].detail == {"gain_db": kept}


def test_where_nobody_hears_no_level_and_no_screening_is_kept(booth: Prepared) -> None:
    class Deaf(Person):
        def screen_headphones(self, test: str, trials: list[HeadphoneTrial]) -> list[int] | None:
            return None

        def sound_check(self) -> dict[str, Any] | None:
            return None

    who = Deaf()
    who.level = None
    asked = under(booth, level={"by": "participant"}, headphones="both", headphones_required=True)
    session, status = run(asked, who)
    assert status == "complete"
    with booth.store.transaction() as s:
        assert s.scalars(select(Screening)).all() == []
        assert s.get_one(SessionRow, session).calibration is None
    assert events(booth.store, session, "sound_check") == []


def screened(booth: Prepared) -> list[tuple[str, bool]]:
    with booth.store.transaction() as s:
        return [(x.test, x.passed) for x in s.scalars(select(Screening).order_by(Screening.id))]


def test_a_failed_headphone_test_ends_the_session_until_it_is_passed(booth: Prepared) -> None:
    """Gone on with it is asked again; failing again ends it again; once passed it is not asked any more."""
    strict = under(booth, headphones="huggins", headphones_required=True)
    who = Person(right=5)
    assert run(strict, who)[1] == "stopped"
    assert who.happened[-2:] == ["huggins", ": ".join(readers.PAGES["en"]["failed"])]
    assert who.heard == []
    again = Person(right=5)
    assert go_on(strict, again) == "stopped"
    assert again.heard == []
    assert again.happened[-1] == ": ".join(readers.PAGES["en"]["failed"])
    assert again.screened != who.screened  # the places are drawn anew
    better = Person(right=6, leaves_after=3)
    assert go_on(strict, better) == "stopped"
    assert len(better.heard) == 4
    assert screened(booth) == [("huggins", False), ("huggins", False), ("huggins", True)]
    last = Person()
    assert go_on(strict, last) == "complete"
    assert "huggins" not in last.happened
    assert len(screened(booth)) == 3


def test_of_two_tests_only_the_failed_one_is_asked_again(booth: Prepared) -> None:
    """Five of six are enough for antiphase tones and too few for Huggins pitch, four are too few for both."""
    both = under(booth, headphones="both")
    who = Person(right=5, leaves_after=9)
    run(both, who)
    assert who.happened.index("huggins") < who.happened.index("antiphase")
    assert screened(booth) == [("huggins", False), ("antiphase", True)]
    second = Person(right=4)
    assert go_on(both, second) == "complete"
    assert "antiphase" not in second.happened
    assert screened(booth)[2:] == [("huggins", False)]
    with booth.store.transaction() as s:
        detail = s.scalars(select(Screening).order_by(Screening.id)).first().detail  # type: ignore[union-attr]
    right = who.screened[0]
    assert detail == {"given": [*right[:5], right[5] % 3 + 1], "right": right}
    strict = under(booth, headphones="antiphase", headphones_required=True)
    who = Person(right=4)
    assert run(strict, who, "B")[1] == "stopped"
    assert "huggins" not in who.happened
    assert run(strict, Person(right=5), "C")[1] == "complete"
    off = Person()
    run(booth, off, "D")
    assert off.screened == []


def test_sides_are_asked_first_and_are_a_gate_where_that_is_declared(booth: Prepared) -> None:
    """What was missed is a covariate; where passing is required it ends the session, whichever test it was."""
    asked = under(booth, sides=True, headphones="huggins_inverted")
    who = Person(right=5, leaves_after=9)
    assert run(asked, who)[1] == "stopped"
    assert [x for x in who.happened if x in ("sides", "huggins_inverted")] == ["sides", "huggins_inverted"]
    assert len(who.heard) > 0
    assert screened(booth) == [("sides", False), ("huggins_inverted", False)]
    strict = under(booth, sides=True, headphones_required=True)
    assert run(strict, Person(right=5), "B")[1] == "stopped"
    assert run(strict, Person(), "C")[1] == "complete"
    assert screened(booth)[2:] == [("sides", False), ("sides", True)]
