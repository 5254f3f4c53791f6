"""A survey file whose columns are not all there is refused by name; what nothing reads is named; nothing is lost without a word."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from experiment.config import ExperimentConfig, ImportConfig
from experiment.data.imports import import_psytoolkit
from experiment.data.store import Store
from experiment.errors import ExperimentError
from tests.conftest import ROOT
from tests.experiment.data.malformed import counts
from tests.experiment.data.surveys import ANSWERS, Seen
from tests.experiment.data.test_imports import db, stored, study, write

__all__ = ["db"]  # a fixture
OTHER = {"TIME_start": "2026-01-14", "TIME_total": "161", "consent_1": "1"}  # of any real export


def wide(**change: str | None) -> list[dict[str, str]]:
    """Three people who rated three tracks on two words, columns renamed or (None) left out."""
    rows = []
    for person in range(3):
        row = {"participant": f"vp{person}", "age": "30"}
        for track in ("lied_a", "lied_b", "lied_c"):
            row |= {f"{track}_1": str(1 + person), f"{track}_2": "5"}
        rows.append({change.get(k, k) or "": v for k, v in (row | OTHER).items() if change.get(k, k) is not None})
    return rows


def asked(config: ExperimentConfig, **more: list[str]) -> ExperimentConfig:
    said = ImportConfig.model_validate({"items": ["sweet", "sour"], **more})
    return config.model_copy(update={"psytoolkit": said})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"lied_c_2": "lied_c2"}, "'lied_c_2' of track 'lied_c' is missing; did you mean 'lied_c2'"),
        ({"lied_c_2": "leid_c_2"}, "'lied_c_2' of track 'lied_c' is missing; did you mean 'leid_c_2'"),
        ({"lied_c_2": "Lied_C_2 "}, "'lied_c_2' of track 'lied_c' is missing; did you mean 'Lied_C_2 '"),
        ({"lied_c_1": "lied_c1"}, "'lied_c_1' of track 'lied_c' is missing; did you mean 'lied_c1'"),
    ],
)
def test_a_misspelt_column_of_a_track_is_named(
    db: Store, config: ExperimentConfig, tmp_path: Path, change: dict[str, str | None], told: str
) -> None:
    mine = asked(config)
    _, study_id = study(db, mine)
    before = counts(db)
    with pytest.raises(ExperimentError) as error:
        import_psytoolkit(db, study_id, mine, write(tmp_path / "x.csv", wide(**change)))
    assert told in str(error.value)
    assert counts(db) == before


def test_a_track_that_lacks_a_column_is_refused_unless_it_is_another_question(
    db: Store, config: ExperimentConfig, tmp_path: Path
) -> None:
    """Of three words two: a track, or boxes that could be ticked; the study file says which."""
    rows = [r | {"lied_a_3": "1", "lied_b_3": "2", "lied_c_3": "3", "plays_1": "1", "plays_2": "0"} for r in wide()]
    file = write(tmp_path / "x.csv", rows)
    mine = asked(config, items=["sweet", "sour", "salty"])
    _, study_id = study(db, mine)
    with pytest.raises(ExperimentError, match=r"'plays_3' of track 'plays' is missing; nothing was imported.* other"):
        import_psytoolkit(db, study_id, mine, file)
    mine = asked(config, items=["sweet", "sour", "salty"], other=["plays"])
    report = import_psytoolkit(db, study_id, mine, file)
    assert (report.imported, report.answers, report.skipped) == (3, 3 * (9 + 1), [])
    assert report.unread == [*OTHER, "plays_1", "plays_2"]


def test_what_a_real_export_has_besides_is_named_and_stops_nothing(
    db: Store, config: ExperimentConfig, tmp_path: Path
) -> None:
    mine = asked(config)
    _, study_id = study(db, mine)
    rows = [r | {"anagrafcia_1": "1"} for r in wide()]
    report = import_psytoolkit(db, study_id, mine, write(tmp_path / "x.csv", rows))
    assert (report.imported, report.answers, report.unnamed) == (3, 3 * (6 + 1), 0)
    assert report.unread == ["anagrafcia_1 (did you mean anagrafica_1?)", *OTHER]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("task1_3_1", "taks1_3_1", "column 'task1_3_1' is missing; did you mean 'taks1_3_1'"),
        ("task_2_1_3", "task_2_13", "column 'task_2_1_3' is missing; did you mean 'task_2_13'"),
        ("rng_model_label_2_1", None, "column 'rng_model_label_2_1' is missing. Nothing was imported"),
        ("random_number_4_1", None, "column 'random_number_4_1' is missing. Nothing was imported"),
        ("random_taste_label_4_1", "random_taste_lable_4_1", "did you mean 'random_taste_lable_4_1'"),
        ("random_taste_label_1_1", "random_taste_lable_1_1", "did you mean 'random_taste_lable_1_1'"),
    ],
)
def test_a_missing_column_of_the_seed_layout_is_named_once(
    db: Store, config: ExperimentConfig, tmp_path: Path, old: str, new: str | None, told: str
) -> None:
    rows = [Seen().row(str(k)) for k in range(40)]
    rows = [{(new if k == old else k) or "": v for k, v in r.items() if new or k != old} for r in rows]
    _, study_id = study(db, config)
    before = counts(db)
    with pytest.raises(ExperimentError) as error:
        import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", rows))
    assert told in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert counts(db) == before


def test_what_the_seed_layout_did_not_ask_is_not_missed(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    """A survey of the comparisons alone, and one of four pairs; but not one whose second part is called otherwise."""
    rows = [{k: v for k, v in Seen().row("a").items() if not k.startswith(("task_2_", "random_number_4"))}]
    _, study_id = study(db, config)
    assert import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", rows)).answers == 5 + 4
    rows = [{k: v for k, v in Seen().row("b").items() if not k.endswith("_5_1") or k.startswith("random_number")}]
    assert import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", rows)).answers == 4 + 36 + 4
    rows = [{k.replace("task_2_", "tasc_2_"): v for k, v in Seen().row("c").items()}]
    with pytest.raises(ExperimentError, match=r"'task_2_1_1' is missing .and 35 more.; did you mean 'tasc_2_1_1'"):
        import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", rows))


def test_two_columns_of_one_name_are_refused(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    row = Seen().row("a")
    path = tmp_path / "x.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[*row, "task1_3_1"], [*row.values(), "9"]])
    with pytest.raises(ExperimentError, match="two columns are called task1_3_1"):
        import_psytoolkit(db, study(db, config)[1], config, path)


@pytest.mark.parametrize("name", ["Participant", "PARTICIPANT ", "participant"])
def test_who_somebody_is_stands_under_participant_however_it_is_written(
    db: Store, config: ExperimentConfig, tmp_path: Path, name: str
) -> None:
    """A mended answer of somebody known is told, and is nobody new."""
    mine = asked(config)
    _, study_id = study(db, mine)
    first = [{(name if k == "participant" else k): v for k, v in row.items()} for row in wide()]
    report = import_psytoolkit(db, study_id, mine, write(tmp_path / "x.csv", first))
    assert (report.imported, report.unnamed, report.unread) == (3, 0, list(OTHER))
    mended = [row | {"lied_a_1": "4"} for row in wide()]
    report = import_psytoolkit(db, study_id, mine, write(tmp_path / "y.csv", mended))
    assert (report.imported, len(report.skipped), report.unnamed) == (0, 3, 0)
    assert len(stored(db, study_id)) == 3


def test_rows_without_a_name_are_counted(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    mine = asked(config)
    rows = [{("vp" if k == "participant" else k): v for k, v in row.items()} for row in wide()]
    report = import_psytoolkit(db, study(db, mine)[1], mine, write(tmp_path / "x.csv", rows))
    assert (report.imported, report.unnamed, report.unread[0]) == (3, 3, "vp")


def coded() -> dict[str, dict[str, str]]:
    """The table of codes in the guide: column, code, word."""
    text = (ROOT / "docs" / "designs.md").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = {}
    for columns, codes in re.findall(r"^\| (`.*`) \| ((?:\d \w+(?:, )?)+) \|$", text, re.MULTILINE):
        for column in re.findall(r"`(\w+)`", columns):
            found[column] = dict(x.split(" ", 1) for x in codes.split(", "))
    return found


def test_the_guide_s_table_of_codes_is_what_an_import_understands(
    db: Store, config: ExperimentConfig, tmp_path: Path
) -> None:
    """Each code of each column, imported, is the word beside it; and none is left out of the table."""
    table = coded()
    assert {column: table[column] for column, _ in ANSWERS.values()} == {column: m for column, m in ANSWERS.values()}
    plain = {k: v for k, v in Seen(codes={}).row("").items() if k not in dict(ANSWERS.values()) | {"participant": ""}}
    for column, codes in table.items():
        _, study_id = study(db, config)
        rows = [plain | {"participant": code, column: code} for code in codes]
        assert import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", rows)).imported == len(codes)
        item = {"anagrafica": "sex", "gender": "sex"}.get(column.removesuffix("_1"), column.removesuffix("_1"))
        assert [r[6] for person in stored(db, study_id) for r in person if r[4] == item] == list(codes.values())


def test_an_unknown_code_is_told_with_those_that_there_are(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    """By the column's name; what the cell says is repeated nowhere."""
    rows = [Seen(codes={"device": "73"}).row("a"), Seen().row("b") | {"etnia_1": "173"}]
    rows = [{"etnia_1": ""} | row for row in rows]
    report = import_psytoolkit(db, study(db, config)[1], config, write(tmp_path / "x.csv", rows))
    told = [reason for _, reason in report.skipped]
    assert told[0] == "device is none of the survey's codes; device_1 has 1 headphones, 2 speakers, 3 hifi, 4 other"
    assert told[1].startswith("ethnicity is none of the survey's codes; etnia_1 has a number to 99, arab, asian, ")
    assert "73" not in str(told)


def test_a_number_that_nobody_can_read_is_told_as_one_in_the_report() -> None:
    from analysis.data.frames import demographics

    people = pd.DataFrame({"ethnicity": ["6"] * 7 + ["white"] * 6})
    assert [r["answer"] for r in demographics(people)] == ["code 6 of the survey", "white"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"age": "44"}, "age_1 and age say different things"),
        ({"gender_1": "1"}, "anagrafica_1 and gender_1 say different things"),
        ({"sex": "other"}, "sex and anagrafica_1 say different things"),
        ({"age": "33.0", "gender_1": "2", "gender": "female"}, None),  # in other words the same
        ({"age": " ", "gender_1": ""}, None),
    ],
)
def test_two_columns_about_one_question_have_to_say_the_same(
    db: Store, config: ExperimentConfig, tmp_path: Path, change: dict[str, str], reason: str | None
) -> None:
    """Which of two counts is not guessed."""
    _, study_id = study(db, config)
    report = import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", [Seen().row("a") | change]))
    assert report.skipped == ([] if reason is None else [(2, reason)])
    if reason is None:
        assert stored(db, study_id) == [Seen().stored()]


def test_columns_without_a_name_are_told_where_something_stands_in_them(
    db: Store, config: ExperimentConfig, tmp_path: Path
) -> None:
    """Commas behind the last column are a spreadsheet's; an answer under no name is not."""
    path = tmp_path / "x.csv"
    for cell, told in (("", []), (" ", []), ("5", ["a column without a name"])):
        row = Seen().row("a")
        path.write_text(f"{','.join(row)},,,\n{','.join(row.values())},,,{cell}\n")
        _, study_id = study(db, config)
        report = import_psytoolkit(db, study_id, config, path)
        assert (report.imported, report.unread) == (1, told)


@pytest.mark.parametrize("layout", ["seed", "tracks"])
@pytest.mark.parametrize(
    ("spoil", "hint"),
    [
        (lambda text: text.replace(",", "|"), "has one column: columns have to be apart by commas, semicolons or tabs"),
        (lambda text: "# exported\n" + text, "has one column: columns have to be apart by commas, semicolons or tabs"),
        (lambda text: "\n" + text, "its first line names no columns"),
        (lambda text: "sep=;\n" + text.replace(",", ";"), "its first line is a spreadsheet's 'sep=', not the columns' names: delete it"),
        (lambda text: text.replace(",", ";").replace("\n", ';"Alter, Jahre"\n', 1), "take the commas out of the columns' names"),
        (lambda text: text.encode("utf-16-le").decode("latin-1"), "its first line is no text: save the file as 'CSV UTF-8'"),
    ],
)  # fmt: skip
def test_a_first_line_that_names_no_columns_is_told(
    db: Store, config: ExperimentConfig, tmp_path: Path, layout: str, spoil: Callable[[str], str], hint: str
) -> None:
    mine = config if layout == "seed" else asked(config)
    path = tmp_path / "x.csv"
    write(path, [Seen().row("a")] if layout == "seed" else wide())
    path.write_text(spoil(path.read_text()), encoding="latin-1")
    before = counts(db)
    with pytest.raises(ExperimentError) as error:
        import_psytoolkit(db, study(db, mine)[1], mine, path)
    assert hint in str(error.value)
    assert counts(db)[1:] == before[1:]
