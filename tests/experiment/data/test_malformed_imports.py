"""Survey files that nobody should make: each row is imported as what it says or listed with the reason; every check is met."""

from __future__ import annotations

import csv
import itertools
import re
import tempfile
from functools import partial
from pathlib import Path

from hypothesis import strategies as st

from experiment.data.imports import import_psytoolkit
from experiment.errors import ExperimentError
from experiment.launch import Prepared
from tests.experiment.data.malformed import counts, each, nasty, one_line
from tests.experiment.data.surveys import Seen, seen


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
    "random_number_5_1": (0, 10_000, "random_number_5_1"),
}
fresh = itertools.count()
REASONS = ("good", "empty", *(f"{column}: {how}" for column in LIMITED for how in ("words", "outside")))
Row = tuple[str, dict[str, str], str | None]  # what was done to it, the row, the complaint that must come of it


@st.composite
def bent(draw: st.DrawFn, how: str, number: int = 0) -> Row:
    """A row of the seed survey to which something was done."""
    row = draw(seen()).row(str(number)) | {"random_number_5_1": "4"}
    row |= {f"task_2_{j}_1": "3" for j in (1, 2, 3)}  # of every clip something is rated
    if how == "good":
        return how, row, None
    if how == "empty":
        return how, dict.fromkeys(row, "") | {"participant": row["participant"]}, "no answers"
    column, _, kind = how.partition(": ")
    low, high, name = LIMITED[column]
    if kind == "words":
        row[column] = draw(nasty.filter(lambda x: x.strip() and not is_number(x) and "\x00" not in x))
        return how, row, f"{name} is not a number"
    wild = st.floats().map(repr) | st.integers().map(str) | st.sampled_from(["inf", "-inf", "nan", "1e400", " -1 "])
    row[column] = draw(wild.filter(partial(beyond, low, high)))
    return how, row, f"{name} is outside {low}-{high}"


@st.composite
def surveys(draw: st.DrawFn, how: str) -> list[Row]:
    """Rows of which one is bent as told, and the others as it comes; the first may stand there twice."""
    others = draw(st.lists(st.sampled_from(REASONS), max_size=2))
    place = draw(st.integers(0, len(others)))
    hows = [*others[:place], how, *others[place:]]
    rows = [draw(bent(what, number)) for number, what in enumerate(hows)]
    return [*rows, *([rows[0]] if draw(st.booleans()) else [])]


def test_rows_of_imports(world: Prepared) -> None:
    """Whatever stands in one cell, its row is listed with the reason and the others are imported."""

    def check(rows: list[Row]) -> str:
        before = counts(world.store)
        session = next(fresh)
        named = [(row | {"participant": f"{session}-{row['participant']}"}, told) for _, row, told in rows]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "survey.csv"
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(named[0][0]))
                writer.writeheader()
                writer.writerows(row for row, _ in named)
            report = import_psytoolkit(world.store, world.study_id, world.config, path)
        # A cell may hold the end of a line; the row behind it then stands further down.
        ends = [1 + sum(len(re.findall("\r\n|\r|\n", cell)) for cell in row.values()) for row, _ in named]
        lines = [2, *(2 + sum(ends[:k]) for k in range(1, len(ends)))]
        assert report.skipped == [
            (line, told) for line, (_, told) in zip(lines, named, strict=True) if told is not None
        ]
        good = [row["participant"] for row, told in named if told is None]
        assert (report.imported, report.already) == (len(set(good)), len(good) - len(set(good)))
        people, sessions, _, answers = counts(world.store)
        assert people - before[0] == sessions - before[1] == report.imported
        assert answers - before[3] == report.answers
        return "told" if report.skipped else "again" if report.already else "imported"

    met = each(
        {
            **{how: surveys(how) for how in REASONS if how != "good"},
            "once": bent("good").map(lambda row: [row]),
            "twice": bent("good").map(lambda row: [row, row]),
        },
        check,
    )
    assert all(sum(ends.values()) >= 8 for ends in met.values())  # every check was reached, as often at least
    assert set(met.pop("once")) == {"imported"}
    assert set(met.pop("twice")) == {"again"}
    assert all(set(ends) == {"told"} for ends in met.values())


def test_files_of_imports(world: Prepared) -> None:
    """Files that are no surveys at all: one line says so, and nothing is written."""

    def check(raw: bytes) -> str:
        before = counts(world.store)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "survey.csv"
            path.write_bytes(raw)
            try:
                report = import_psytoolkit(world.store, world.study_id, world.config, path)
            except ExperimentError as error:
                one_line(error)
                assert counts(world.store) == before
                return next(
                    (x for x in ("has no rows", "is not a CSV", "no column", "is missing") if x in str(error)),
                    str(error),
                )
        people, sessions, _, answers = counts(world.store)
        assert people - before[0] == sessions - before[1] == report.imported
        assert answers - before[3] == report.answers
        return "read"

    def table(rows: list[list[str]]) -> bytes:
        return "\n".join(",".join(cell.replace(",", ";") for cell in row) for row in rows).encode(
            "utf-8", "surrogatepass"
        )

    known = ["participant", "rng_model_label_1_1", "task1_1_1", "task_2_1_1", "gender_1"]
    cells = st.one_of(nasty, st.sampled_from(known))
    body = st.lists(st.lists(cells, min_size=1, max_size=9), max_size=4)
    letters = st.text("abc,\n ", max_size=60).map(str.encode)
    met = each(
        {
            "any": st.binary(max_size=200),
            "other": st.tuples(st.lists(cells, max_size=8), body).map(lambda x: table([x[0], *x[1]])),
            "like": st.tuples(st.permutations(list(Seen().row(""))), body).map(
                lambda x: table([x[0], ["s", "1"], *x[1]])
            ),
            "lacking": st.lists(st.sampled_from(known[1:4]), min_size=1, max_size=3, unique=True).map(
                lambda x: table([[*x, "random_taste_label_1_1"], ["s", "1"]])
            ),
            "bytes": letters.map(lambda x: b"a,b\n" + x + b"\xff\xfe"),
            "wide": st.just(b"participant," + b"x" * 200_000 + b"\n1,2\n"),
            "head": st.lists(st.sampled_from(known), max_size=5, unique=True).map(lambda x: ",".join(x).encode()),
        },
        check,
    )
    assert "no column" in met["other"]
    assert "read" in met["like"]
    assert set(met["lacking"]) == {"is missing"}
    assert set(met["bytes"]) == set(met["wide"]) == {"is not a CSV"}
    assert set(met["head"]) == {"has no rows"}
