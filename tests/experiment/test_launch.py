"""Beginning, going on with, listing and simulating sessions."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from experiment import launch
from experiment.bots.effects import load_effects
from experiment.config import ExperimentConfig
from experiment.data.store import Store
from experiment.data.tables import Participant, Response, SessionRow, Stimulus, Trial, utc_now
from experiment.errors import ExperimentError
from experiment.launch import Prepared
from stimuli.manifest import ClipRow


@pytest.mark.parametrize("code", ["A", "7", "p-12", "x" * 40, "Ä1", "a.b_c-d", "日本"])
def test_codes_that_are_codes(code: str) -> None:
    launch.check_code(code)


@pytest.mark.parametrize(
    "code",
    ["", "-a", "_a", ".a", "x" * 41, "a b", "a/b", "Anna Rossi", "a@b.it", "a\n", "a'", 'a"', "%", "a;b", "\x00"],
)
def test_codes_that_are_none(code: str) -> None:
    with pytest.raises(ExperimentError, match="is not a code") as said:
        launch.check_code(code)
    assert len(str(said.value).splitlines()) == 1


ODD = st.text(
    st.characters(categories=["Zs", "Po", "Ps", "Pe", "Sm", "Sc", "Cc", "Cf"], exclude_characters=".-_"), min_size=1
)


@given(
    before=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,10}\Z"), odd=ODD, after=st.from_regex(r"\A[a-z0-9]{0,10}\Z")
)
@settings(max_examples=60)
def test_one_odd_character_within_a_good_code_is_refused(before: str, odd: str, after: str) -> None:
    """Codes that pass at both ends: what is wrong stands in the middle or at the end."""
    launch.check_code(before)
    with pytest.raises(ExperimentError, match="is not a code"):
        launch.check_code(before + odd + after)


def clip(n: int, **more: Any) -> ClipRow:
    values: dict[str, Any] = {
        "clip": f"c{n}", "file": f"c{n}.wav", "taste": "sour", "model": "base", "number": n, "sha256": f"{n:064d}",
        "seconds": 2.5, "rate": 32000, "loudness": -23.0, "peak": -1.0, "gain": 0.5, "prompt": "a prompt", "seed": 7,
        "checkpoint_sha256": "f" * 64,
    }  # fmt: skip
    return ClipRow(**(values | more))


def test_a_study_is_entered_with_its_clips_where_they_lie(config: ExperimentConfig, tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    definition = {"experiment": config.model_dump(mode="json")}
    folder = tmp_path / "clips" / ".." / "clips"
    ready = launch.prepare(store, "n", "T", definition, config, [clip(1), clip(2, model="finetuned", number=1)], folder)
    with store.transaction() as s:
        found = s.scalars(select(Stimulus).order_by(Stimulus.id)).all()
        kept = [(x.clip, x.taste, x.model, x.number, x.path, x.sha256, x.seconds) for x in found]
        assert [(x.prompt, x.seed, x.checkpoint_sha256) for x in found] == [("a prompt", 7, "f" * 64)] * 2
    where = str(tmp_path / "clips" / "c1.wav")
    assert kept[0] == ("c1", "sour", "base", 1, where, f"{1:064d}", 2.5)
    assert kept[1][:4] == ("c2", "sour", "finetuned", 1)
    assert [(c.taste, c.model, c.number) for c in ready.clips] == [("sour", "base", 1), ("sour", "finetuned", 1)]
    assert [c.id for c in ready.clips] == [x.id for x in found]
    assert store.study("n").title == "T"
    assert launch.prepare(store, "n", "T", definition, config, [clip(1)], folder).study_id == ready.study_id
    store.close()


def test_the_header_of_a_session(booth: Prepared) -> None:
    session = launch.begin(
        booth, "P1", "driven", "it", "booth 3", {"by": "station", "gain_db": -4.0}, ["calibration: none"]
    )
    with booth.store.transaction() as s:
        row = s.get_one(SessionRow, session)
        assert (row.language, row.station, row.kind, row.status) == ("it", "booth 3", "driven", "running")
        assert (row.seed, row.design_row) == (111, 0)
        assert row.calibration == {"by": "station", "gain_db": -4.0}
        assert row.overrides == ["calibration: none"]
        assert row.versions["python"] == platform.python_version()
        assert {"system", "numpy", "SQLAlchemy", "psychopy"} <= set(row.versions)
        assert s.get_one(Participant, row.participant_id).code == "P1"
        assert [t.position for t in row.trials] == list(range(9))
        assert [t.block for t in row.trials] == ["demographics", *["preference"] * 5, *["ratings"] * 3]
    with pytest.raises(ExperimentError, match="--language 'fr': this study declares en, it"):
        launch.begin(booth, "P2", "driven", "fr", "x")
    with pytest.raises(ExperimentError, match="is not a code"):
        launch.begin(booth, "P 2", "driven", "en", "x")
    # Who began and was planned is not begun again.
    with pytest.raises(ExperimentError, match="already has a session"):
        launch.begin(booth, "P1", "driven", "en", "x")


def test_rows_of_the_design_are_given_out_in_the_cells_of_its_period(booth: Prepared) -> None:
    """Row 16 is in the cell of row 0: with 0 to 15 and 16 taken, and 3 given back, 3 comes first, then 17."""
    sessions = [launch.begin(booth, f"P{i}", "bot", "en", "x") for i in range(17)]
    with booth.store.transaction() as s:
        s.execute(update(SessionRow).where(SessionRow.id == sessions[3]).values(status="stopped"))
    rows = []
    for code in ("a", "b"):
        session = launch.begin(booth, code, "bot", "en", "x")
        with booth.store.transaction() as s:
            rows.append(s.get_one(SessionRow, session).design_row)
    assert rows == [3, 17]
    # People and bots do not share rows.
    person = launch.begin(booth, "c", "driven", "en", "x")
    with booth.store.transaction() as s:
        assert s.get_one(SessionRow, person).design_row == 0


def test_going_on_says_what_there_is(booth: Prepared) -> None:
    with pytest.raises(ExperimentError, match="participant Z has no session in this study"):
        launch.resume(booth, "Z")
    session = launch.begin(booth, "A", "driven", "it", "x", overrides=["disk: full"])
    with booth.store.transaction() as s:
        s.execute(update(SessionRow).values(status="stopped", ended_at=utc_now()))
    assert launch.resume(booth, "A", ["sound: 44100 Hz", "disk: full"]) == (session, "it")
    with booth.store.transaction() as s:
        row = s.get_one(SessionRow, session)
        assert (row.status, row.ended_at) == ("running", None)
        assert row.overrides == ["disk: full", "sound: 44100 Hz"]
    for status in ("complete", "withdrawn"):
        with booth.store.transaction() as s:
            s.execute(update(SessionRow).values(status=status))
        with pytest.raises(ExperimentError, match=f"is {status}; there is nothing to go on with"):
            launch.resume(booth, "A")


def test_two_that_simulate_at_once_share_the_bots(booth: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at a bot and its session another command begins it, or ends it: that one's is not ours."""
    begin, resume = launch.begin, launch.resume

    def change(**values: Any) -> None:
        with booth.store.transaction() as s:
            s.execute(update(SessionRow).where(SessionRow.status == "running").values(**values))

    def begun_there(prepared: Prepared, code: str, *given: Any, **named: Any) -> int:
        if code.endswith("0"):
            begin(prepared, code, *given, **named)
            change(holder="elsewhere/1", alive_at=utc_now())
        return begin(prepared, code, *given, **named)

    monkeypatch.setattr(launch, "begin", begun_there)
    assert launch.simulate(booth, load_effects(), 3, 5) == 2
    with booth.store.transaction() as s:
        rows = s.execute(select(Participant.code, SessionRow.status).join(SessionRow)).all()
    assert {code: status for code, status in rows} == {
        "bot-5-0000": "running", "bot-5-0001": "complete", "bot-5-0002": "complete"
    }  # fmt: skip
    assert launch.simulate(booth, load_effects(), 3, 5) == 0  # it runs there still
    change(holder=None)

    def ended_there(*given: Any, **named: Any) -> tuple[int, str]:
        change(status="complete")
        return resume(*given, **named)

    monkeypatch.setattr(launch, "resume", ended_there)
    assert launch.simulate(booth, load_effects(), 3, 5) == 0


def test_what_else_keeps_a_bot_from_its_session_is_told(booth: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> int:
        raise ExperimentError("the study is full")

    monkeypatch.setattr(launch, "begin", full)
    with pytest.raises(ExperimentError, match="is full"):
        launch.simulate(booth, load_effects(), 1, 5)


def test_bots_are_numbered_by_seed_and_not_run_twice(booth: Prepared) -> None:
    seen: list[tuple[int, int]] = []
    assert launch.simulate(booth, load_effects(), 3, 5, lambda done, of: seen.append((done, of))) == 3
    assert seen == [(1, 3), (2, 3), (3, 3)]
    with booth.store.transaction() as s:
        codes = s.scalars(select(Participant.code).order_by(Participant.id)).all()
        sessions = s.scalars(select(SessionRow).order_by(SessionRow.id)).all()
        assert {(x.kind, x.status, x.language, x.station) for x in sessions} == {
            ("bot", "complete", "en", "simulation")
        }
        # One that was cut off goes on; a complete one is left alone.
        s.execute(update(SessionRow).where(SessionRow.id == sessions[1].id).values(status="stopped"))
    assert codes == ["bot-5-0000", "bot-5-0001", "bot-5-0002"]
    assert launch.simulate(booth, load_effects(), 3, 5) == 1
    assert launch.simulate(booth, load_effects(), 2, 6) == 2
    with booth.store.transaction() as s:
        assert s.scalars(select(Participant.code).order_by(Participant.id)).all()[3:] == ["bot-6-0000", "bot-6-0001"]
        query = select(Participant.code, Response.choice, Response.value).join(Trial, Trial.id == Response.trial_id)
        query = query.join(SessionRow, SessionRow.id == Trial.session_id).join(Participant)
        found = s.execute(query.where(Trial.block == "demographics").order_by(Response.id)).all()
    # Five people, not one, nor the same ones under another seed: nobody says of himself what another does.
    people: dict[str, list[tuple[str | None, float | None]]] = {}
    for code, choice, value in found:
        people.setdefault(code, []).append((choice, value))
    assert len(people) == 5
    assert len({tuple(x) for x in people.values()}) == 5
