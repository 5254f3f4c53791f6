"""Survey files become the rows that they say: every answer at its clip, its side, its adjective, its person."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select

from analysis.data.frames import load
from experiment.config import ExperimentConfig, ImportConfig
from experiment.data.exports.tidy import tidy
from experiment.data.imports import import_psytoolkit, read_rows
from experiment.data.store import Store
from experiment.data.tables import Base, Participant, Response, SessionRow, Stimulus, Trial
from experiment.data.withdrawal import withdraw
from experiment.errors import ExperimentError
from tests.experiment.data.surveys import ANSWERS, Seen, Stored, seen

some = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
fresh = itertools.count()


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path_factory.mktemp('imports') / 'p.db'}")
    yield opened
    opened.close()


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def study(store: Store, config: ExperimentConfig) -> tuple[str, int]:
    """A study of its own."""
    name = f"s{next(fresh)}"
    return name, store.ensure_study(name, "S", {"experiment": config.model_dump(mode="json")})


def stored(store: Store, study_id: int) -> list[list[Stored]]:
    """Every answer of a study by session, in the order of the plan."""
    with store.transaction() as s:
        clips = {c.id: c.clip for c in s.scalars(select(Stimulus))}
        out = []
        for session in s.scalars(select(SessionRow).where(SessionRow.study_id == study_id).order_by(SessionRow.id)):
            query = select(Trial, Response).join(Response).where(Trial.session_id == session.id)
            out.append(
                [
                    (
                        t.block,
                        t.taste,
                        clips.get(t.first_id or 0),
                        clips.get(t.second_id or 0),
                        r.item,
                        r.value,
                        r.choice,
                    )
                    for t, r in s.execute(query.order_by(Trial.position, Response.id))
                ]
            )
        return out


@some
@given(people=st.lists(seen(), min_size=1, max_size=3))
def test_every_answer_is_stored_as_the_survey_gave_it(
    db: Store, config: ExperimentConfig, tmp_path: Path, people: list[Seen]
) -> None:
    name, study_id = study(db, config)
    file = write(tmp_path / "x.csv", [p.row(f"s.{i}.txt") for i, p in enumerate(people)])
    report = import_psytoolkit(db, study_id, config, file)
    assert (report.imported, report.already, report.skipped) == (len(people), 0, [])
    expected = [p.stored() for p in people]
    assert report.answers == sum(map(len, expected))
    assert stored(db, study_id) == expected
    # The same again, under any name of the file, changes nothing.
    again = import_psytoolkit(db, study_id, config, file.rename(tmp_path / "y.csv"))
    assert (again.imported, again.answers, again.already, again.skipped) == (0, 0, len(people), [])
    assert stored(db, study_id) == expected
    # Scores over the middle are the fine-tuned model's, whichever side it was on.
    data = load(db.engine, name)
    rows = data.preference.drop(columns=["participant", "response_time"]).to_dict("records")
    assert rows == [
        {
            "trial": k,
            "taste": taste,
            "over": "finetuned",
            "under": "base",
            "first_model": "finetuned" if left else "base",
            "clip_under": base,
            "clip_over": tuned,
            "answer": value,
            "score": 10 - value if left else value,
        }
        for p in people
        for k, (taste, base, tuned, left, value) in enumerate(p.pairs(), start=1)
    ]
    rows = data.ratings[["participant", "prompt", "model", "clip", "adjective", "value"]].to_dict("records")
    assert rows == [
        {"participant": i, "prompt": taste, "model": "finetuned", "clip": clip, "adjective": a, "value": v}
        for i, p in enumerate(people, start=1)
        for taste, clip, values in p.rated()
        for a, v in values.items()
    ]
    # And an export says the same, ages in bands and special categories apart.
    special = ("hearing_impairments", "taste_impairments")
    left = [[r for r in rows if r[4] not in special] for rows in expected]
    found = tidy(db, name).people()
    for rows, told in zip(left, found.values(), strict=True):
        got = [
            tuple(r[c] for c in ("block", "taste", "first_clip", "second_clip", "item", "value", "choice"))
            for r in told
        ]
        assert [r for r in got if r[4] != "age"] == [r for r in rows if r[4] != "age"]


@pytest.mark.parametrize("item", ANSWERS)
def test_codes_of_the_survey_say_what_people_chose(
    db: Store, config: ExperimentConfig, tmp_path: Path, item: str
) -> None:
    """One person a code; words as this study's own sessions store them."""
    from experiment.texts import texts

    _, meant = ANSWERS[item]
    _, study_id = study(db, config)
    rows = [Seen(codes={item: code}).row(f"s.{code}.txt") for code in meant]
    import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", rows))
    choices = [[r[6] for r in answers if r[4] == item] for answers in stored(db, study_id)]
    assert choices == [[word] for word in meant.values()]
    assert set(meant.values()) == set(texts("en", None)["demographics"][item]["options"])


@pytest.mark.parametrize(
    ("column", "item", "raw", "expected"),
    [
        ("gender_1", "sex", "1", (None, "male")),
        ("gender", "sex", "2", (None, "female")),
        ("sex", "sex", "3", (None, "other")),
        ("age", "age", " 47 ", (47.0, None)),
        ("etnia_1", "ethnicity", "white", (None, "white")),
        ("ethnicity", "ethnicity", "latino", (None, "latino")),
        ("device", "device", "2", (None, "speakers")),
    ],
)
def test_columns_have_more_than_one_name(
    db: Store, config: ExperimentConfig, tmp_path: Path, column: str, item: str, raw: str, expected: tuple
) -> None:
    row = Seen(codes={}).row("s.1.txt")
    del row["age_1"], row["anagrafica_1"], row["device_1"]
    row[column] = raw
    _, study_id = study(db, config)
    import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", [row]))
    assert [r[5:] for r in stored(db, study_id)[0] if r[4] == item] == [expected]


def test_an_empty_cell_is_no_answer(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    """Ratings not given are missing, not 0; a clip of which nothing was rated is not there."""
    person = Seen(ratings=[[None] * 12, [1] + [None] * 11, [None] * 11 + [5]], codes={})
    row = person.row("s.1.txt") | {"age_1": "  ", "task_2_1_3": "   "}
    _, study_id = study(db, config)
    report = import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", [row]))
    assert report.answers == 5 + 2
    assert [r[4:6] for r in stored(db, study_id)[0] if r[0] != "preference"] == [("salty", 1.0), ("cold", 5.0)]


def test_what_an_import_leaves_of_its_origin(store: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    """Kind, status, language and a code that tells nothing; clips with what they are; no name of the survey's."""
    _, study_id = study(store, config)
    file = write(tmp_path / "secret-clinic.csv", [Seen().row("Rossi-Maria.txt")])
    calls: list[tuple[int, int]] = []
    import_psytoolkit(store, study_id, config, file, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 1)]
    with store.transaction() as s:
        session = s.scalars(select(SessionRow)).one()
        told = (session.kind, session.status, session.station, session.language, session.design_row)
        assert told == ("imported", "complete", "import", "und", None)
        assert list(session.versions) == ["row_sha256"]
        assert session.ended_at is not None
        assert re.fullmatch("imp-[0-9a-f]{12}", s.scalars(select(Participant.code)).one())
        clips = {c.clip: (c.taste, c.model, c.number) for c in s.scalars(select(Stimulus))}
        assert clips["bitter-base-024"] == ("bitter", "base", 24)
        assert clips["salty-finetuned-000"] == ("salty", "finetuned", 0)
        assert len(clips) == 5 * 2 + 2  # pairs and rated clips, of which the first was in a pair
        trials = s.scalars(select(Trial).order_by(Trial.position)).all()
        assert [t.position for t in trials] == list(range(9))
        assert [t.items for t in trials[:2]] == [
            ["sex", "age", "hearing_experience", "eating_experience"],
            ["preference"],
        ]
        text = str([[tuple(r) for r in s.execute(select(*t.c))] for t in Base.metadata.sorted_tables])
    assert "Rossi" not in text
    assert "clinic" not in text


def test_the_same_name_in_two_studies_is_two_people(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", [Seen().row("s.1.txt")])
    studies = [study(db, config)[1] for _ in range(2)]
    assert [import_psytoolkit(db, x, config, file).imported for x in studies] == [1, 1]
    with db.transaction() as s:
        query = select(SessionRow.participant_id).where(SessionRow.study_id.in_(studies))
        assert len(set(s.scalars(query))) == 2


def test_a_row_that_stands_twice_is_one_person(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    row = Seen().row("s.1.txt")
    _, study_id = study(db, config)
    report = import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", [row, row]))
    assert (report.imported, report.already, report.answers) == (1, 1, 4 + 5 + 36)
    assert stored(db, study_id) == [Seen().stored()]


def test_clips_of_two_people_are_one_clip(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    _, study_id = study(db, config)
    import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", [Seen().row("a"), Seen().row("b")]))
    with db.transaction() as s:
        names = s.scalars(select(Stimulus.clip).where(Stimulus.study_id == study_id)).all()
    assert len(names) == len(set(names)) == 12


def test_a_row_that_cannot_be_read_is_listed_and_the_others_stand(
    db: Store, config: ExperimentConfig, tmp_path: Path
) -> None:
    good = Seen()
    changes = [
        ({"task1_2_1": "11"}, "task1_2_1 is outside 0-10"),
        ({"task1_1_1": "-1"}, "task1_1_1 is outside 0-10"),
        ({"task1_5_1": "seven"}, "task1_5_1 is not a number"),
        ({"task_2_3_12": "6"}, "task_2_3_12 is outside 1-5"),
        ({"task_2_1_1": "0"}, "task_2_1_1 is outside 1-5"),
        ({"task_2_2_6": "nan"}, "task_2_2_6 is outside 1-5"),
        ({"age_1": "121"}, "age is outside 0-120"),
        ({"age_1": "old"}, "age is not a number"),
        ({"random_number_1_1": "-1"}, "random_number_1_1 is outside 0-10000"),
        ({"random_number_4_1": "10001"}, "random_number_4_1 is outside 0-10000"),
    ]
    rows = [good.row("first"), *(good.row(f"bad.{i}") | change for i, (change, _) in enumerate(changes))]
    empty = dict.fromkeys(rows[0], "") | {"participant": "nobody"}
    rows += [empty, good.row("last") | {"task1_1_1": "0", "task1_2_1": "10", "task_2_1_1": "5", "age_1": "120"}]
    _, study_id = study(db, config)
    report = import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", rows))
    assert report.skipped == [*((i + 3, reason) for i, (_, reason) in enumerate(changes)), (13, "no answers")]
    assert (report.imported, report.already) == (2, 0)
    first, last = stored(db, study_id)
    assert first == good.stored()
    assert [r[5] for r in last if r[0] == "preference"] == [0, 10, 4, 6, 8]
    assert last[1][5] == 120


def test_a_study_without_the_survey_s_tasks_takes_no_row(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", [Seen().row("a")])
    for lacking in ("preference", "ratings"):
        less = config.model_copy(update={lacking: None})
        _, study_id = study(db, less)
        report = import_psytoolkit(db, study_id, less, file)
        assert report.imported == 0
        assert [line for line, _ in report.skipped] == [2]
        assert "declares no preference or no ratings" in report.skipped[0][1]


def test_a_file_that_is_no_survey(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with pytest.raises(ExperimentError, match="does not exist"):
        read_rows(path)
    path.write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(ExperimentError, match="not a CSV in UTF-8"):
        read_rows(path)
    for nothing in ("", "a,b\n"):
        path.write_text(nothing)
        with pytest.raises(ExperimentError, match="has no rows"):
            read_rows(path)
    write(path, [{"a": "1"}])
    with pytest.raises(ExperimentError, match="random_taste_label_1_1"):
        import_psytoolkit(db, 1, config, path)
    wide = config.model_copy(update={"psytoolkit": ImportConfig(items=["salty", "sweet"])})
    write(path, [{"track_1": "1", "track_3": "1"}])
    with pytest.raises(ExperimentError, match=r"<track>_1 \.\. <track>_2"):
        import_psytoolkit(db, 1, wide, path)
    less = wide.model_copy(update={"ratings": None})
    write(path, [{"track_1": "1", "track_2": "1"}])
    assert import_psytoolkit(db, 1, less, path).skipped == [(2, "the study file declares no ratings")]


def test_a_spreadsheet_s_mark_at_the_start_and_a_short_line(
    db: Store, config: ExperimentConfig, tmp_path: Path
) -> None:
    """A byte order mark is no part of the first column's name; what a line that ends early lacks is not an empty cell."""
    path = tmp_path / "x.csv"
    path.write_text("\ufeffparticipant,age_1,gender_1\ns.1,30\n", encoding="utf-8")
    assert read_rows(path) == [{"participant": "s.1", "age_1": "30", "gender_1": None}]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rng_model_label_1_1": ""}, "rng_model_label_1_1 is none of the study's models"),
        ({"rng_model_label_2_1": "B"}, "rng_model_label_2_1 is none of the study's models"),
        ({"rng_model_label_3_1": "Tasty MusicGen"}, "rng_model_label_3_1 is none of the study's models"),
        ({"random_taste_label_1_1": "umami"}, "random_taste_label_1_1 is none of the study's tastes"),
        ({"random_taste_label_2_1": "dolce"}, "random_taste_label_2_1 is none of the study's tastes"),
        ({"random_taste_label_2_1": ""}, "task1_2_1 is answered, and random_taste_label_2_1 is empty"),
        ({"random_taste_label_3_1": "", "task1_3_1": ""}, "task_2_2 is answered, and random_taste_label_3_1 is empty"),
        (
            {"random_taste_label_3_1": "", "task1_3_1": "", **{f"task_2_2_{i}": "" for i in range(1, 12)}},
            "task_2_2 is answered, and random_taste_label_3_1 is empty",  # the last of its twelve words is
        ),
        ({"anagrafica_1": "7"}, "sex is none of the survey's codes"),
        ({"anagrafica_1": "Female, but my name is N. N."}, "sex is none of the survey's codes"),
        ({"device_1": "=cmd|' /C calc'!A0"}, "device is none of the survey's codes"),
        ({"etnia_1": "from over there"}, "ethnicity is none of the survey's codes"),
        ({"hearing_experience_1": "0"}, "hearing_experience is none of the survey's codes"),
        ({"random_number_1_1": ""}, "random_number_1_1 is empty, so that nobody knows which clips were heard"),
        ({"random_number_4_1": ""}, "random_number_4_1 is empty, so that nobody knows which clip was heard"),
        ({"random_number_5_1": "3.5"}, "random_number_5_1 is not a whole number"),
        (
            {"random_number_1_1": "3.7"} | dict.fromkeys([f"task_2_3_{i}" for i in range(1, 13)], ""),
            "random_number_1_1 is not a whole number",
        ),
        ({"task1_5_1": "1_0"}, "task1_5_1 is not a number"),
        ({"task1_1_1": "\x00"}, "the row holds characters that are no text"),
    ],
)
def test_what_is_not_known_is_listed_and_not_guessed(
    store: Store, config: ExperimentConfig, tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    """The row beside it stands; of the one listed not a word is in the database."""
    _, study_id = study(store, config)
    rows = [Seen().row("good") | {"etnia_1": ""}, Seen().row("odd") | {"etnia_1": ""} | change]
    report = import_psytoolkit(store, study_id, config, write(tmp_path / "x.csv", rows))
    assert report.imported == 1
    ((line, told),) = report.skipped
    assert (line, told.split(";")[0]) == (3, reason)
    assert stored(store, study_id) == [Seen().stored()]


def test_labels_of_a_survey_are_said_in_the_study_file(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    said = ImportConfig(labels={"B": "base", " Tasty MusicGen ": "finetuned"}, language="it")
    asked = config.model_copy(update={"psytoolkit": said})
    _, study_id = study(db, asked)
    row = Seen().row("a") | {"rng_model_label_2_1": "b", "rng_model_label_3_1": "TASTY MUSICGEN"}
    assert import_psytoolkit(db, study_id, asked, write(tmp_path / "x.csv", [row])).imported == 1
    assert stored(db, study_id) == [Seen().stored()]
    with db.transaction() as s:
        assert s.scalars(select(SessionRow.language).where(SessionRow.study_id == study_id)).all() == ["it"]
    for nothing in ({"labels": {"b": "umami"}}, {}, {"label": {}}):
        with pytest.raises(ValidationError):
            ImportConfig.model_validate(nothing)


def test_a_person_who_stands_twice_with_other_answers_is_listed(
    store: Store, config: ExperimentConfig, tmp_path: Path
) -> None:
    """In one file, or in a later one; the first stands as it was, and the same again is the same."""
    _, study_id = study(store, config)
    first, other = Seen().row("s.1"), Seen(slider=[9, 2, 4, 6, 8], age=77).row("s.1")
    reason = "the same participant is there with other answers"
    report = import_psytoolkit(store, study_id, config, write(tmp_path / "x.csv", [first, other, first]))
    assert (report.imported, report.already, report.skipped) == (1, 1, [(3, reason)])
    report = import_psytoolkit(store, study_id, config, write(tmp_path / "y.csv", [other]))
    assert (report.imported, report.already, report.skipped) == (0, 0, [(2, reason)])
    assert stored(store, study_id) == [Seen().stored()]


def test_people_without_a_name_are_known_by_what_the_file_says_of_them(
    db: Store, config: ExperimentConfig, tmp_path: Path
) -> None:
    """The same file under another name, its rows in another order, adds nobody; two who answered alike are two."""
    _, study_id = study(db, config)
    rows = [{k: v for k, v in Seen(age=age).row("").items() if k != "participant"} for age in (33, 40, 33)]
    assert import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", rows)).imported == 3
    for name, again in (("y.csv", rows), ("z.csv", rows[::-1]), ("w.csv", rows[:2])):
        report = import_psytoolkit(db, study_id, config, write(tmp_path / name, again))
        assert (report.imported, report.already, report.skipped) == (0, len(again), [])
    more = [*rows, rows[0]]
    assert import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", more)).imported == 1


@pytest.mark.parametrize("apart", [",", ";", "\t"])
def test_fields_apart_and_rows_that_do_not_fit_the_header(
    db: Store, config: ExperimentConfig, tmp_path: Path, apart: str
) -> None:
    """One field more in each row, or a file that broke off in its last: which cell is which is not guessed."""
    rows = [Seen().row("s.1"), Seen(age=40).row("s.2")]
    lines = [apart.join(rows[0]), *(apart.join(r.values()) for r in rows)]
    _, study_id = study(db, config)
    path = tmp_path / "x.csv"
    path.write_text("\n".join(lines) + "\n")
    assert import_psytoolkit(db, study_id, config, path).imported == 2
    assert stored(db, study_id) == [Seen().stored(), Seen(age=40).stored()]
    _, study_id = study(db, config)
    path.write_text("\n".join([lines[0], lines[1] + apart, lines[2]]) + "\n")
    report = import_psytoolkit(db, study_id, config, path)
    assert (report.imported, report.skipped) == (1, [(2, "the row has more fields than the header")])
    _, study_id = study(db, config)
    path.write_text("\n".join([*lines[:2], lines[2][:60]]))
    report = import_psytoolkit(db, study_id, config, path)
    assert (report.imported, report.skipped) == (1, [(3, "the row ends before the header does")])


def test_how_far_somebody_came_is_what_the_row_says(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    """Complete is who made every choice, rated every clip and said who they are, as far as the survey asks."""
    row = Seen().row("all")
    changes: list[tuple[dict[str, str], str]] = [
        ({}, "complete"),
        ({"device_1": "1", "etnia_1": "9"}, "complete"),
        ({"task_2_3_12": ""}, "stopped"),
        ({"task1_5_1": ""}, "stopped"),
        ({"age_1": ""}, "stopped"),
    ]
    _, study_id = study(db, config)
    rows = [row | {"etnia_1": ""} | change | {"participant": str(k)} for k, (change, _) in enumerate(changes)]
    assert import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", rows)).imported == len(changes)
    with db.transaction() as s:
        found = s.scalars(
            select(SessionRow.status).where(SessionRow.study_id == study_id).order_by(SessionRow.id)
        ).all()
    assert found == [status for _, status in changes]


def test_who_withdrew_is_not_imported_again(store: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    _, study_id = study(store, config)
    file = write(tmp_path / "x.csv", [Seen().row("a"), Seen(age=40).row("b")])
    import_psytoolkit(store, study_id, config, file)
    with store.transaction() as s:
        first = s.scalars(select(Participant.code).order_by(Participant.id)).first()
    withdraw(store, str(first))
    report = import_psytoolkit(store, study_id, config, file)
    assert (report.imported, report.already, report.withdrawn, report.skipped) == (0, 1, 1, [])
    assert stored(store, study_id)[1:] == [Seen(age=40).stored()]
    assert stored(store, study_id)[0] == []
