"""A survey file that a spreadsheet or a script saved anew adds nobody: people are known however a program writes the same answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, update

from experiment.config import ExperimentConfig
from experiment.data.imports import ImportReport, import_psytoolkit
from experiment.data.store import Store
from experiment.data.tables import Participant, SessionRow
from experiment.data.whose import code_of
from experiment.data.withdrawal import withdraw
from tests.experiment.data.surveys import Seen
from tests.experiment.data.test_imports import db, stored, study, write

__all__ = ["db"]  # a fixture
Row = dict[str, str]
# What programs do to a table that they save: its answers are the same.
SAVED: dict[str, Callable[[Row], Row]] = {
    "columns in another order": lambda row: dict(reversed(row.items())),
    "a column without a name": lambda row: row | {"": ""},
    "a new column that is empty": lambda row: row | {"note": ""},
    "decimals": lambda row: {k: f"{v}.0" if v.isdigit() and "participant" not in k else v for k, v in row.items()},
    "spaces": lambda row: {k: f" {v} " if k.startswith("task") else v for k, v in row.items()},
    "capitals": lambda row: {k: v.upper() if "label" in k else v for k, v in row.items()},
}


def people(named: bool = True) -> list[Row]:
    """Three people; two of them, where nobody has a name, say the same."""
    rows = [Seen(age=age).row(f"s.{k}.txt") for k, age in enumerate((33, 40, 33))]
    return rows if named else [{k: v for k, v in row.items() if k != "participant"} for row in rows]


# Without a name a row is known by what its cells say, in capitals too.
@pytest.mark.parametrize(("how", "named"), [(how, x) for how in SAVED for x in (True, False) if x or how != "capitals"])
def test_a_file_that_was_saved_anew_adds_nobody(
    db: Store, config: ExperimentConfig, tmp_path: Path, how: str, named: bool
) -> None:
    _, study_id = study(db, config)
    rows = people(named)
    assert import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", rows)).imported == 3
    before = stored(db, study_id)
    report = import_psytoolkit(db, study_id, config, write(tmp_path / "y.csv", [SAVED[how](row) for row in rows]))
    assert (report.imported, report.already, report.skipped) == (0, 3, [])
    assert stored(db, study_id) == before


def test_whoever_has_a_name_is_known_by_the_answers_and_not_by_other_columns(
    db: Store, config: ExperimentConfig, tmp_path: Path
) -> None:
    _, study_id = study(db, config)
    import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", people()))
    noted = [row | {"note": f"seen by {k}"} for k, row in enumerate(people())]
    report = import_psytoolkit(db, study_id, config, write(tmp_path / "y.csv", noted))
    assert (report.imported, report.already, report.skipped) == (0, 3, [])
    changed = [row | {"task1_1_1": "9"} for row in people()]
    report = import_psytoolkit(db, study_id, config, write(tmp_path / "z.csv", changed))
    assert [reason for _, reason in report.skipped] == ["the same participant is there with other answers"] * 3


@pytest.mark.parametrize(
    ("name", "again"), [("007", "7"), ("VP01", "vp1"), ("s.1", " s.1 "), ("s.1", "s.1\u00a0"), ("Ｐ００１", "p1")]
)
def test_one_name_written_in_two_ways_is_one_person(
    store: Store, config: ExperimentConfig, tmp_path: Path, name: str, again: str
) -> None:
    """As codes in the laboratory are: a spreadsheet drops zeros, and a second file would double everybody."""
    _, study_id = study(store, config)
    first, other = Seen().row(name), Seen(age=77).row(again)
    report = import_psytoolkit(store, study_id, config, write(tmp_path / "x.csv", [first, Seen().row(again), other]))
    assert (report.imported, report.already) == (1, 1)
    assert report.skipped == [(4, "the same participant is there with other answers")]
    with store.transaction() as s:
        (code,) = s.scalars(select(Participant.code))
        assert code_of(s, name) == code_of(s, again.strip()) == code


def test_a_name_of_spaces_is_none(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    _, study_id = study(db, config)
    rows = [Seen(age=30 + k).row(blank) for k, blank in enumerate((" ", " ", "\u00a0", ""))]
    report = import_psytoolkit(db, study_id, config, write(tmp_path / "x.csv", rows))
    assert (report.imported, report.unnamed, report.skipped) == (4, 4, [])


def as_before(store: Store, study_id: int, row: Row, name: str | None) -> None:
    """Give the one imported person the code and the note that version 0.1.0 gave at first: of the row as it stood in the file."""
    said = hashlib.sha256(repr([(k, v) for k, v in row.items() if k != "participant"]).encode()).hexdigest()
    code = "imp-" + hashlib.sha256(f"{study_id}/{name or f'{said}:1'}".encode()).hexdigest()[:12]
    with store.transaction() as s:
        s.execute(update(Participant).values(code=code, norm=code))
        s.execute(update(SessionRow).values(versions={"row_sha256": said}))


@pytest.mark.parametrize("name", ["VP01", None])
def test_an_import_of_before_is_known(store: Store, config: ExperimentConfig, tmp_path: Path, name: str | None) -> None:
    """The same file adds nobody to a database in which it lies, and who withdrew from that stays out."""
    _, study_id = study(store, config)
    row = Seen().row(name or "")
    file = write(tmp_path / "x.csv", [row])

    def again() -> ImportReport:
        return import_psytoolkit(store, study_id, config, file)

    assert again().imported == 1
    as_before(store, study_id, row, name)
    report = again()
    assert (report.imported, report.already, report.skipped) == (0, 1, [])
    with store.transaction() as s:
        (code,) = s.scalars(select(Participant.code))
        assert name is None or code_of(s, name) == code
    withdraw(store, code)
    report = again()
    assert (report.imported, report.already, report.withdrawn) == (0, 0, 1)
