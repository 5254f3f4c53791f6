"""The way of a number: from a number of the report to its test, answers, clips, prompts, seeds and checkpoints, and back.

One index of the report lies beside it (``trace/index.json``). With the frozen answers it gives the same to the pages beside the report
and to the command line, and its numbers are the report's own.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.data.careless import without
from analysis.errors import AnalysisError
from analysis.page.standing import Line, numbers_of
from analysis.report.origins import SETTING, numbers_in, source_of
from analysis.report.reach import Clip, Pools, Reach
from analysis.report.write import columns_of, printed
from experiment.data.private import own_folder

if TYPE_CHECKING:
    from analysis.data.frames import StudyData
    from analysis.page.inputs import Inputs
    from analysis.page.page import Section

FOLDER = "trace"
INDEX = "index.json"
WORDS = 3  # columns that name a row
LEFT_OUT = "left out by the study file's rules: counted among sessions and special categories alone"


@dataclass(frozen=True)
class Number:
    """A number of the report: its identity, what the report prints, and its table, row and column; of a sentence the sentence."""

    id: str
    printed: str
    table: str
    row: int
    column: str
    value: float | None


@dataclass(frozen=True)
class Sentence:
    """A sentence of the report: where it stands, what it says, and what its numbers stand on."""

    id: str
    said: str
    on: tuple[str, ...]


class Trace:
    """A report's numbers and what stands behind each of them.

    Parameters
    ----------
    index : dict
        As `index_of` makes it.
    data : StudyData
        What was frozen for the report, before rules left anybody out.
    """

    def __init__(self, index: dict[str, Any], data: StudyData):
        self.index = index
        left_out = set(index["left_out"])
        self.clips = [Clip(**c) for c in index["clips"]]
        self.tables: dict[str, dict[str, Any]] = {t["name"]: t for t in index["tables"]}
        compared = [str(row["clip"]) for row in self.tables.get("agreement_vectors", {"rows": []})["rows"]]
        self.pools = Pools(without(data, left_out) if left_out else data, left_out, self.clips, compared)
        self.sentences = {s["id"]: Sentence(s["id"], s["said"], tuple(s["on"])) for s in index["sentences"]}

    @cached_property
    def numbers(self) -> dict[str, Number]:
        """All numbers of the report by their identity, in its order."""
        found = []
        for line in self.sentences.values():
            for k, (start, end) in enumerate(numbers_of(line.said) if line.on else []):
                found.append(Number(f"{line.id}.{k}", line.said[start:end], "", k, line.id, None))
        for name, table in self.tables.items():
            for k, row in enumerate(table["rows"]):
                there = set(numbers_in(row))
                found += [
                    Number(f"{name}.{k}.{c}", printed(row[c], c), name, k, c, row[c])
                    for c in table["columns"]
                    if c in there
                ]
        return {n.id: n for n in found}

    def behind(self, number: Number) -> Reach:
        """The answers, people and clips that a number was made of."""
        if not number.table:
            return self._under(self.sentences[number.column])
        source, rows = source_of(number.table), self.tables[number.table]["rows"]
        row = rows[number.row]
        if number.column != "p_adjusted":
            return self.pools.reach(source, row, number.column)
        family = [other for other in rows if all(other.get(c) == row.get(c) for c in source.family)]
        return self.pools.joined(self.pools.reach(source, other, "p_adjusted") for other in family)

    def _under(self, line: Sentence) -> Reach:
        parts = []
        for place in line.on:
            if place.startswith("@"):
                parts.append(self.pools.pool(place[1:]))
                continue
            name, _, row = place.partition(".")
            parts += [self._behind[n.id] for n in self._in_table.get(name, []) if row in ("", str(n.row))]
        return self.pools.joined(parts)

    @cached_property
    def _in_table(self) -> dict[str, list[Number]]:
        found: dict[str, list[Number]] = {}
        for number in self.numbers.values():
            found.setdefault(number.table, []).append(number)
        return found

    @cached_property
    def _behind(self) -> dict[str, Reach]:
        return {n.id: self.behind(n) for n in self.numbers.values() if n.table}

    @cached_property
    def all_behind(self) -> dict[str, Reach]:
        """What stands behind every number."""
        return {n.id: self._behind[n.id] if n.table else self.behind(n) for n in self.numbers.values()}

    @cached_property
    def _alike(self) -> list[tuple[Reach, list[int]]]:
        """What numbers stand on, each once, and which numbers those are, by their places in the report."""
        found: dict[Reach, list[int]] = {}
        for k, name in enumerate(self.numbers):
            found.setdefault(self.all_behind[name], []).append(k)
        return [*found.items()]

    @cached_property
    def _in_order(self) -> list[Number]:
        return [*self.numbers.values()]

    def went(self, clips: Iterable[str] = (), person: int | None = None) -> tuple[int, ...]:
        """What clips, or a person, went into, without its numbers: alike for two who went into the same ones."""
        wanted = frozenset(clips)
        return tuple(
            k for k, (reach, _) in enumerate(self._alike)
            if reach.clips & wanted or (person is not None and person in reach.people)
        )  # fmt: skip

    def into(self, went: tuple[int, ...]) -> list[Number]:
        """The numbers of what `went` found, in the report's order."""
        return [self._in_order[k] for k in sorted(k for place in went for k in self._alike[place][1])]

    def forward(self, clips: Iterable[str] = (), person: int | None = None) -> list[Number]:
        """Every number that one of these clips, or a person, went into."""
        return self.into(self.went(clips, person))

    def of_person(self, person: int) -> Reach:
        """All answers of a person."""
        return Reach(answers=self.pools.of_people.get(person, frozenset()))

    def of_checkpoint(self, name: str) -> list[Clip]:
        """The clips that a checkpoint made: by its name, or by its hash or a beginning of that."""
        return [
            c for c in self.clips
            if name == c.checkpoint or (len(name) >= 6 and (c.checkpoint_sha256 or "").startswith(name))
        ]  # fmt: skip

    def row_words(self, table: str, row: int) -> str:
        """What a row is about, in its own words."""
        told = [
            f"{c.replace('_', ' ')} {printed(v, c)}" for c, v in self.tables[table]["rows"][row].items() if _word(c, v)
        ]
        return ", ".join(told[:WORDS])

    def note(self, number: Number) -> str:
        """What a reader has to know of where a number comes from."""
        if not number.table:
            return f"stands in: {self.sentences[number.column].said}"
        source = source_of(number.table)
        return SETTING if number.column in source.settings else source.note

    def made_by(self, number: Number) -> list[dict[str, Any]]:
        """Functions that made a number, with place and version."""
        line = self.sentences.get(number.column)
        names = [number.table] if line is None else [p.partition(".")[0] for p in line.on if not p.startswith("@")]
        codes = dict.fromkeys(source_of(name).code for name in names if name in self.tables)
        return [{"function": code, **self.index["code"][code]} for code in codes]

    def people(self, reach: Reach) -> dict[int, list[Any]]:
        """The trials, by their positions, of every person behind a number."""
        persons, tasks, trials = (self.pools.columns[c] for c in ("participant", "task", "trial"))
        found: dict[int, list[Any]] = {p: [] for p in sorted(reach.people)}
        for k in sorted(reach.answers):
            place = "heard again" if tasks[k] == "repeats" else int(trials[k])
            if place not in found[int(persons[k])]:
                found[int(persons[k])].append(place)
        return found

    def answers(self, reach: Reach) -> list[dict[str, Any]]:
        """The answers behind a number, one row each."""
        columns = self.pools.columns
        return [{"person" if c == "participant" else c: columns[c][k] for c in columns} for k in sorted(reach.answers)]


def _word(column: str, value: Any) -> bool:
    """Whether a cell says which row it is."""
    return isinstance(value, str) and value != "" and column not in ("note", "apa", "state", "rule", "why", "reference")


def index_of(inputs: Inputs, sections: list[Section], sentences: list[Sentence]) -> dict[str, Any]:
    """What has to lie beside a report, with the frozen answers, to follow its numbers."""
    tables = [
        {"name": t.name, "title": t.title, "section": s.name, "columns": columns_of(t), "rows": t.rows}
        for s in sections
        for t in s.tables
        if t.rows
    ]
    codes = dict.fromkeys(source_of(str(t["name"])).code for t in tables)
    return {
        "study": inputs.data.study,
        "kind": inputs.data.kind,
        "data_sha256": inputs.data.digest,
        "tastelab": inputs.version,
        "left_out": sorted({p for who in inputs.excluded.values() for p in who}),
        "code": {code: place_of(code) for code in codes},
        "clips": [asdict(Clip.of(row)) for row in inputs.clips],
        "sentences": [asdict(s) for s in sentences],
        "tables": tables,
    }


def place_of(code: str) -> dict[str, Any]:
    """Where a function stands: file, line, and the hash of the file."""
    module, _, name = code.partition(":")
    found = importlib.import_module(module)
    file = Path(str(found.__file__))
    line = inspect.getsourcelines(getattr(found, name))[1]
    return {
        "file": f"{module.replace('.', '/')}.py",
        "line": line,
        "sha256": sha256(file.read_bytes()).hexdigest()[:12],
    }


def placed(name: str, lines: Iterable[str], tables: list[str]) -> list[Sentence]:
    """Sentences of one place of the report; those that do not say what they stand on stand on these tables."""
    return [
        Sentence(f"{name}.{k}", str(line), line.on if isinstance(line, Line) else tuple(tables))
        for k, line in enumerate(lines)
    ]


def write_index(index: dict[str, Any], folder: Path) -> None:
    """Lay the index beside the report, in a folder for its owner alone: single answers stand there, as in snapshots."""
    path = folder / FOLDER / INDEX
    own_folder(path.parent)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(index, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)


def read_trace(folder: Path) -> Trace | None:
    """The trace of the report in a folder, by the answers that were frozen for it; None where there is no report.

    Raises
    ------
    AnalysisError
        If the index can't be read, or what was frozen is no longer there.
    """
    from analysis.data.freeze import thaw

    path = folder / FOLDER / INDEX
    if not path.exists():
        return None
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        snapshot = folder / "snapshots" / f"{index['kind']}-{index['data_sha256'][:12]}"
    except (ValueError, KeyError, TypeError):
        raise AnalysisError(f"{path} is no trace of a report; run 'tastelab analysis report'") from None
    if not snapshot.is_dir():
        raise AnalysisError(
            f"the answers that the report was made of, {snapshot}, are gone; run 'tastelab analysis report'"
        )
    return Trace(index, thaw(snapshot))
