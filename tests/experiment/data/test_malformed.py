"""Whatever is typed, dropped in or pasted: one line of complaint or a right result; no traceback, no partial write.

`TASTELAB_EXAMPLES` sets how many inputs each test tries; `make evidence` tries 20,000 in all.
"""

from __future__ import annotations

import csv
import itertools
import os
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from experiment.bots.effects import load_effects
from experiment.data.backups import MARKER, apply_marker
from experiment.data.exports.write import export
from experiment.data.imports import import_psytoolkit
from experiment.data.keyfile import KeyFile
from experiment.data.store import Header, Store
from experiment.data.tables import Participant, Response, SessionRow, Trial
from experiment.design import plan
from experiment.errors import ExperimentError
from experiment.launch import Prepared, check_code
from tastelab.errors import UserError
from tastelab.study import load_study
from tests.conftest import ROOT
from tests.experiment.data.surveys import seen

EXAMPLES = int(os.environ.get("TASTELAB_EXAMPLES", "150"))
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
STUDY = (ROOT / "study.toml").read_text(encoding="utf-8")
SQL = st.sampled_from(
    ["'; DROP TABLE response; --", '" OR 1=1 --', "Robert'); DELETE FROM trial; --", "%s", "{0}", "../../etc/passwd",
     "..\\\\..\\\\boot.ini", "C:\\\\CON", "\x00", "\u202eexe.bat", "\ud7ff\ufeff", "𝕿𝖆𝖘𝖙𝖊", "a" * 5000, "-1", "1e400", "nan"]
)  # fmt: skip
nasty = st.one_of(st.text(max_size=60), SQL)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """One database with one session begun, and what lies around it."""
    folder = tmp_path_factory.mktemp("world")
    config = load_study(ROOT / "study.toml").experiment
    store = Store(f"sqlite:///{folder / 'participants.db'}")
    study_id = store.ensure_study("s", "S", {"experiment": config.model_dump(mode="json")})
    models = [(t, m, n) for t in ("bitter", "salty", "sour", "sweet") for m in ("base", "finetuned") for n in range(5)]
    rows = [
        {"clip": f"{t}-{m}-{n}", "taste": t, "model": m, "number": n, "path": None, "sha256": "0" * 64}
        for t, m, n in models
    ]
    prepared = Prepared(store, study_id, config, store.ensure_stimuli(study_id, rows))
    begin(prepared, "first")
    return prepared


def one_line(error: BaseException) -> None:
    assert len(str(error).splitlines()) == 1, str(error)


def begin(world: Prepared, code: str) -> int:
    return world.store.begin(
        world.study_id, code, Header("bot", "x", "en", 0, {}), lambda row: plan(world.config, world.clips, row),
    )  # fmt: skip


def counts(store: Store) -> tuple[int, ...]:
    with store.transaction() as s:
        return tuple(
            int(s.scalar(select(func.count()).select_from(t)) or 0) for t in (Participant, SessionRow, Trial, Response)
        )


@many
@given(data=st.data())
def test_study_files(data: st.DataObject) -> None:
    """Lines of a good file replaced, doubled, cut, or with another value."""
    lines = STUDY.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        i = data.draw(st.integers(0, len(lines) - 1))
        how = data.draw(st.sampled_from(["replace", "double", "drop", "value", "cut"]))
        if how == "replace":
            lines[i] = data.draw(nasty)
        elif how == "double":
            lines.insert(i, lines[i])
        elif how == "drop":
            lines[i] = ""
        elif how == "cut":
            lines[i] = lines[i][: data.draw(st.integers(0, 40))]
        elif "=" in lines[i]:
            value = data.draw(
                st.one_of(
                    nasty.map(repr),
                    st.integers().map(str),
                    st.floats().map(str),
                    st.sampled_from(["true", "[]", "{}", "[[1]]"]),
                )
            )
            lines[i] = f"{lines[i].split('=')[0]}= {value}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        try:
            study = load_study(path)
        except UserError as error:
            one_line(error)
            return
        names = [study.name, *(t.name for t in study.stimuli.tastes)]
        assert not any(set(name) & set('/\\\\\x00:*?"<>|') or ".." in name for name in names)


@many
@given(code=nasty)
def test_codes(world: Prepared, code: str) -> None:
    before = counts(world.store)
    try:
        check_code(code)
    except ExperimentError as error:
        one_line(error)
        return
    try:
        begin(world, code)
    except ExperimentError as error:
        one_line(error)
        assert counts(world.store) == before
        return
    with world.store.transaction() as s:
        person = s.scalar(select(Participant).where(Participant.code == code))
        assert person is not None
        s.execute(delete(SessionRow).where(SessionRow.participant_id == person.id))
        s.execute(delete(Participant).where(Participant.id == person.id))
    assert counts(world.store) == before


@many
@given(item=nasty, choice=st.none() | nasty, value=st.none() | st.floats(allow_nan=False))
def test_answers_are_stored_as_they_are(world: Prepared, item: str, choice: str | None, value: float | None) -> None:
    """SQL in an answer is an answer."""
    before = counts(world.store)
    with world.store.transaction() as s:
        trial = s.scalars(select(Trial.id)).first()
    assert trial is not None
    world.store.record(trial, item, value, choice, None)
    with world.store.transaction() as s:
        row = s.scalars(select(Response)).one()
        assert (row.item, row.value, row.choice) == (item, value, choice)
        s.delete(row)
    assert counts(world.store) == before


def beyond(low: float, high: float, text: str) -> bool:
    return not low <= float(text) <= high


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# Cells of a good row, what they may hold at most and at least, and how a complaint calls them.
LIMITED = {
    "task1_1_1": (0, 10, "task1_1_1"),
    "task1_5_1": (0, 10, "task1_5_1"),
    "task_2_1_1": (1, 5, "task_2_1_1"),
    "task_2_3_12": (1, 5, "task_2_3_12"),
    "age_1": (0, 120, "age"),
    "random_number_1_1": (0, 10_000, "random_number_1_1"),
    "random_number_5_1": (0, 10_000, "random_number"),
}
fresh = itertools.count()
REASONS = ("good", "again", "empty", *(f"{column}: {how}" for column in LIMITED for how in ("words", "outside")))


@st.composite
def rows_of_surveys(draw: st.DrawFn) -> list[tuple[str, dict[str, str], str | None]]:
    """Rows of the seed survey, each with what was done to it and the complaint that must come of it."""
    out: list[tuple[str, dict[str, str], str | None]] = []
    for number in range(draw(st.integers(1, 4))):
        row = draw(seen()).row(str(number)) | {"random_number_5_1": "4"}
        row |= {f"task_2_{j}_1": "3" for j in (1, 2, 3)}  # of every clip something is rated
        how = draw(st.sampled_from(REASONS))
        if how == "again" and number:
            row, told = dict(out[0][1]), out[0][2]
            out.append(("again", row, told))
            continue
        if how == "empty":
            out.append((how, dict.fromkeys(row, "") | {"participant": row["participant"]}, "no answers"))
            continue
        column, _, kind = how.partition(": ")
        if kind == "words":
            row[column] = draw(nasty.filter(lambda x: x.strip() and not is_number(x) and "\x00" not in x))
            out.append((how, row, f"{LIMITED[column][2]} is not a number"))
        elif kind == "outside":
            low, high, name = LIMITED[column]
            wild = (
                st.floats().map(repr)
                | st.integers().map(str)
                | st.sampled_from(["inf", "-inf", "nan", "1e400", " -1 "])
            )
            row[column] = draw(wild.filter(partial(beyond, low, high)))
            out.append((how, row, f"{name} is outside {low}-{high}"))
        else:
            out.append(("good", row, None))
    return out


def test_rows_of_imports(world: Prepared) -> None:
    """Whatever stands in one cell, its row is listed with the reason and the others are imported; every check is met."""
    met: Counter[str] = Counter()

    @many
    @given(rows=rows_of_surveys())
    def attempt(rows: list[tuple[str, dict[str, str], str | None]]) -> None:
        before = counts(world.store)
        session = next(fresh)
        for _, row, _ in rows:
            row["participant"] = f"{session}-{row['participant']}"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "survey.csv"
            with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
                writer = csv.DictWriter(file, list(rows[0][1]))
                writer.writeheader()
                writer.writerows(row for _, row, _ in rows)
            report = import_psytoolkit(world.store, world.study_id, world.config, path)
        assert report.skipped == [(i, told) for i, (_, _, told) in enumerate(rows, start=2) if told is not None]
        new = {row["participant"] for _, row, told in rows if told is None}
        assert (report.imported, report.already) == (len(new), sum(told is None for _, _, told in rows) - len(new))
        people, sessions, _, answers = counts(world.store)
        assert people - before[0] == sessions - before[1] == report.imported
        assert answers - before[3] == report.answers
        met.update(how for how, _, _ in rows)

    attempt()
    assert {how: met[how] for how in REASONS if met[how] < EXAMPLES / 50} == {}


def test_files_of_imports(world: Prepared) -> None:
    """Files that are no surveys at all: one line says so, and nothing is written."""
    told: Counter[str] = Counter()
    cells = st.one_of(
        nasty,
        st.sampled_from(
            ["participant", "random_taste_label_1_1", "rng_model_label_1_1", "task1_1_1", "task_2_1_1", "gender_1"]
        ),
    )
    heads = st.lists(cells, max_size=8) | st.lists(cells, max_size=7).map(lambda x: [*x, "random_taste_label_1_1"])
    table = st.tuples(heads, st.lists(st.lists(cells, max_size=9), max_size=4)).map(
        lambda t: "\n".join(",".join(c.replace(",", ";") for c in row) for row in [t[0], *t[1]]).encode(
            "utf-8", "surrogatepass"
        )
    )
    wide = b"participant," + b"x" * 200_000 + b"\n1,2\n"

    @many
    @given(raw=st.one_of(table, table, st.binary(max_size=200), st.sampled_from([b"", b"a,b\n", wide])))
    def attempt(raw: bytes) -> None:
        before = counts(world.store)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "survey.csv"
            path.write_bytes(raw)
            try:
                report = import_psytoolkit(world.store, world.study_id, world.config, path)
            except ExperimentError as error:
                one_line(error)
                assert counts(world.store) == before
                told[
                    next((w for w in ("has no rows", "is not a CSV", "no column") if w in str(error)), str(error))
                ] += 1
                return
        people, sessions, _, answers = counts(world.store)
        assert people - before[0] == sessions - before[1] == report.imported
        assert answers - before[3] == report.answers
        told["read"] += 1

    attempt()
    assert set(told) == {"has no rows", "is not a CSV", "no column", "read"}


@many
@given(url=nasty.filter(lambda x: not x.startswith("sqlite")))
def test_database_urls(url: str) -> None:
    with pytest.raises(ExperimentError) as told:
        Store(url, wait=0.1)
    one_line(told.value)


@many
@given(format=nasty)
def test_export_formats(world: Prepared, format: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with pytest.raises(ExperimentError):
            export(world.store, "s", format, Path(folder) / "export")
        assert list(Path(folder).iterdir()) == []


@many
@given(raw=st.one_of(st.binary(max_size=300), st.binary(max_size=60).map(lambda b: b"tastelab-key-1\n" + b)))
def test_key_files(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "participants.key"
        path.write_bytes(raw)
        path.chmod(0o600)
        for passphrase in (None, "x"):
            try:
                KeyFile(path, passphrase)
            except ExperimentError as error:
                one_line(error)
        assert path.read_bytes() == raw


@many
@given(raw=st.one_of(nasty, st.text(alphabet="[]=.\"'0123456789abc\n_", max_size=120)))
def test_effects_files(raw: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "effects.toml"
        path.write_bytes(raw.encode("utf-8", "surrogatepass"))
        with pytest.raises(ExperimentError) as told:
            load_effects(path)
        one_line(told.value)


@many
@given(lines=st.lists(nasty, max_size=5))
def test_withdrawal_markers(world: Prepared, lines: list[str]) -> None:
    before = counts(world.store)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / MARKER).write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        assert apply_marker(world.store, Path(folder)) == []
    assert counts(world.store) == before
