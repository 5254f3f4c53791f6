"""From the database to frames, on rows that are written here by hand: who counts, which way a score points, what is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.data.frames import demographics, digest_of, load, rated_clips
from analysis.errors import AnalysisError
from experiment.data.store import Store
from experiment.data.tables import Participant, Response, SessionRow, Stimulus, StudyRow, Trial, utc_now

Answers = list[tuple[str, str | None, str | None, str | None, dict[str, float | str]]]


class Written:
    """One study named s with a 2 to 8 slider and four clips, in a database of its own."""

    def __init__(self, store: Store):
        self.store = store
        with store.transaction() as s:
            for name, low, high in (("s", 2, 8), ("other", 0, 10)):
                s.add(
                    StudyRow(
                        name=name, title=name, definition={"experiment": {"preference": {"low": low, "high": high}}}
                    )
                )
            s.flush()
            for clip, model in (("b0", "base"), ("f0", "finetuned"), ("b1", "base"), ("f1", "finetuned")):
                s.add(Stimulus(study_id=1, clip=clip, taste="sweet", model=model, number=int(clip[1])))

    def session(
        self, trials: Answers, kind: str = "person", status: str = "complete", study: int = 1, **more: str
    ) -> int:
        """Write a session: (block, taste, first clip, second clip, answers by item) a trial; returns the participant's id."""
        with self.store.transaction() as s:
            count = s.query(Participant).count()
            person = Participant(code=f"code-{count}", withdrawn_at=utc_now() if more.get("withdrawn") else None)
            s.add(person)
            s.flush()
            row = SessionRow(
                study_id=study, participant_id=person.id, kind=kind, status=status, station="here",
                language=more.get("language", "en"), seed=0, versions={},
            )  # fmt: skip
            s.add(row)
            s.flush()
            clips = {c.clip: c.id for c in s.query(Stimulus)}
            for position, (block, taste, first, second, answers) in enumerate(trials):
                trial = Trial(
                    session_id=row.id, position=position, block=block, taste=taste, first_id=clips.get(first or ""),
                    second_id=clips.get(second or ""), items=list(answers),
                )  # fmt: skip
                s.add(trial)
                s.flush()
                for item, given in answers.items():
                    value, choice = (None, given) if isinstance(given, str) else (given, None)
                    s.add(Response(trial_id=trial.id, item=item, value=value, choice=choice, response_time=1.5))
            return person.id

    def load(self, kind: str | None = None):
        return load(self.store.engine, "s", kind)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Written]:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    yield Written(store)
    store.close()


def choice(answer: float, first: str = "b0", second: str = "f0") -> Answers:
    return [("preference", "sweet", first, second, {"preference": answer})]


def test_a_score_over_the_middle_is_the_finetuned_clips_wherever_it_stood(db: Written) -> None:
    """The slider runs from the first clip (2) to the second (8)."""
    db.session([*choice(7), *choice(7, "f1", "b1"), *choice(2, "f0", "b0"), *choice(5, "f0", "b0")])
    data = db.load()
    assert data.middle == 5
    assert data.preference["answer"].tolist() == [7, 7, 2, 5]
    assert data.preference["score"].tolist() == [7, 3, 8, 5]
    assert data.preference["first_model"].tolist() == ["base", "finetuned", "finetuned", "finetuned"]
    assert data.preference["clip_under"].tolist() == ["b0", "b1", "b0", "b0"]
    assert data.preference["clip_over"].tolist() == ["f0", "f1", "f0", "f0"]
    assert data.preference["trial"].tolist() == [0, 1, 2, 3]
    assert data.preference["response_time"].tolist() == [1.5] * 4
    assert data.preference["taste"].tolist() == ["sweet"] * 4


def test_people_come_before_imported_before_bots_before_driven_and_are_never_mixed(db: Written) -> None:
    for kind, answer in (("driven", 2.0), ("bot", 3.0), ("imported", 4.0), ("person", 6.0)):
        db.session(choice(answer), kind=kind)
        data = db.load()
        assert data.kind == kind
        assert data.preference["answer"].tolist() == [answer]
        assert data.sessions == {"complete": 1}
    assert [db.load(k).label for k in ("driven", "bot", "imported", "person")] == [
        "DRIVEN TEST SESSION", "SIMULATED", "imported", "people",
    ]  # fmt: skip
    assert db.load("bot").preference["answer"].tolist() == [3.0]


def test_stopped_and_running_sessions_keep_their_status_and_withdrawn_ones_have_no_answers(db: Written) -> None:
    db.session(choice(3), status="stopped")
    db.session(choice(4), status="withdrawn")
    db.session(choice(5), status="running")
    db.session(choice(6), status="complete", withdrawn="yes")
    db.session(choice(7), status="complete")
    data = db.load()
    assert data.preference["answer"].tolist() == [3, 5, 7]
    assert data.people["status"].tolist() == ["stopped", "running", "complete"]
    assert data.sessions == {"stopped": 1, "withdrawn": 1, "running": 1, "complete": 2}
    assert data.people["participant"].tolist() == data.preference["participant"].tolist() == [1, 2, 3]


def test_another_studys_sessions_are_not_ones_own(db: Written) -> None:
    db.session(choice(7), study=2)
    db.session(choice(3))
    assert db.load().preference["answer"].tolist() == [3]
    assert db.load().sessions == {"complete": 1}


def test_what_is_not_there_is_said_in_one_line(db: Written) -> None:
    with pytest.raises(AnalysisError, match=r"no study 'absent' \(studies there: (s, other|other, s)\)"):
        load(db.store.engine, "absent")
    db.session([("preference", "sweet", "b0", "f0", {})])
    with pytest.raises(AnalysisError, match="study 's' has no answers of kind 'person' yet"):
        db.load()
    db.session(choice(3), kind="bot")
    with pytest.raises(AnalysisError, match="has no sessions of kind 'imported'; there are: bot, person"):
        db.load("imported")


def test_withdrawn_people_alone_are_no_sessions(db: Written) -> None:
    db.session(choice(3), status="withdrawn")
    with pytest.raises(AnalysisError, match=r"of study '.*' nobody's session is left"):
        db.load()


def test_ratings_and_affect_name_the_clip_its_prompt_and_its_model(db: Written) -> None:
    words = {"sour": 2.0, "sweet": 5.0}
    db.session([("ratings", "sweet", "f1", None, words), ("affect", "sweet", "f1", None, {"valence": 4.0})])
    data = db.load()
    assert data.ratings.drop(columns="response_time").to_dict("records") == [
        {
            "participant": 1,
            "trial": 0,
            "prompt": "sweet",
            "model": "finetuned",
            "clip": "f1",
            "adjective": a,
            "value": v,
        }
        for a, v in words.items()
    ]
    assert data.affect["item"].tolist() == ["valence"]
    assert data.affect["value"].tolist() == [4]
    assert data.affect["trial"].tolist() == [1]
    assert data.preference.empty


def test_people_have_what_they_said_of_themselves(db: Written) -> None:
    """Choices as words, numbers as numbers, ages by their band; who said nothing is there too."""
    db.session([("demographics", None, None, None, {"sex": "female", "age": 34.0}), *choice(3)])
    db.session(choice(4), language="it", status="stopped")
    people = db.load().people
    assert people["participant"].tolist() == [1, 2]
    assert people.loc[0, ["sex", "age", "status", "language"]].tolist() == ["female", 29.5, "complete", "en"]
    assert people.loc[1, ["status", "language"]].tolist() == ["stopped", "it"]
    assert people.loc[1, ["sex", "age"]].isna().all()


def test_numbers_are_not_the_databases_ids(db: Written) -> None:
    """A frozen snapshot must not say who somebody was in the database: numbers count those who are there."""
    first = db.session(choice(3), status="withdrawn")
    db.session(choice(6), kind="bot")
    last = db.session(choice(4))
    assert (first, last) == (1, 3)
    assert db.load().people["participant"].tolist() == [1]


def test_the_digest_is_of_the_answers_not_of_where_they_stand(db: Written, tmp_path: Path) -> None:
    db.session(choice(3))
    other = Store(f"sqlite:///{tmp_path / 'q.db'}")
    elsewhere = Written(other)
    elsewhere.session(choice(8), kind="bot")
    elsewhere.session(choice(3))
    assert elsewhere.load().digest == db.load().digest
    elsewhere.session(choice(4))
    assert elsewhere.load().digest != db.load().digest
    other.close()
    a, b = pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": [2.0]})
    assert digest_of([a, b]) != digest_of([b, a])
    # printf 'x\n1.0\n' | sha256sum
    assert digest_of([a]) == "a62c60df16f94def019165630835da6ca8705819062e74ca32a4cd9b629bc26e"


def test_rated_clips_drop_what_is_incomplete() -> None:
    rows = [(1, 0, "sweet", "c", "hot", 4.0), (1, 0, "sweet", "c", "cold", 2.0), (1, 1, "sour", "d", "hot", 1.0)]
    ratings = pd.DataFrame(rows, columns=["participant", "trial", "prompt", "clip", "adjective", "value"])
    wide = rated_clips(ratings)
    assert wide.columns.tolist() == ["cold", "hot"]
    assert wide.to_numpy().tolist() == [[2, 4]]
    assert wide.index.tolist() == [(1, "sweet", "c", 0)]
    assert rated_clips(ratings, ["hot", "cold"]).columns.tolist() == ["hot", "cold"]
    assert len(rated_clips(ratings, ["hot"])) == 2


def test_cells_under_five_have_no_count_nor_what_they_follow_from_and_ages_come_in_bands() -> None:
    """Five men, four women, one who said nothing: the women's count would follow from the men's."""
    people = pd.DataFrame(
        {
            "participant": range(1, 11), "status": "complete", "language": "en", "sex": ["male"] * 5 + ["female"] * 4 + [np.nan],
            "age": [17, 18, 24, 25, 34, 64, 65, 90, 30, 31],
        }
    )  # fmt: skip
    rows = {(r["item"], r["answer"]): (r["n"], r["small"]) for r in demographics(people)}
    assert rows == {
        (item, answer): (None, True)
        for item, answer in (
            ("sex", "male"), ("sex", "female"), ("age", "0-17"), ("age", "18-24"), ("age", "25-34"), ("age", "55-64"), ("age", "65-120"),
        )
    }  # fmt: skip
    clear = {
        (r["item"], r["answer"]): r["n"]
        for r in demographics(pd.DataFrame({"sex": ["male"] * 9 + ["female"] * 6 + ["other"] * 2}))
    }
    assert clear == {("sex", "male"): 9, ("sex", "female"): None, ("sex", "other"): None}
    two = {
        r["answer"]: r["n"] for r in demographics(pd.DataFrame({"device": ["a"] * 9 + ["b"] * 5 + ["c"] * 2 + ["d"]}))
    }
    assert two == {"a": 9, "b": 5, "c": None, "d": None}
    languages = [r for r in demographics(people.assign(language=["en"] * 6 + ["it"] * 4)) if r["item"] == "language"]
    assert [(r["answer"], r["n"], r["small"]) for r in languages] == [("en", None, True), ("it", None, True)]


def test_a_track_that_stands_for_no_taste_is_a_prompt_of_its_own(db: Written) -> None:
    for first, taste in (("f1", ""), ("b0", "sweet"), ("b1", "")):
        db.session([("ratings", taste, first, None, {"sour": 2.0})])
    assert db.load().ratings["prompt"].tolist() == ["f1", "sweet", "b1"]
