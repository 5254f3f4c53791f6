"""Survey files by the thousand, good and bent, and what each row has to come to: stored as it says, or listed.

What is expected is made with the row, from the survey's description alone (`surveys`), never asked of the code.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.experiment.data.surveys import ANSWERS, TASTES, Seen, Stored

LABELS = {"b": "base", "Tasty MusicGen": "finetuned"}  # what the study file says besides
FORMULAS = ("=1+1", "+39 333", "@SUM(A1)", "-2+3", "\t=cmd")
Cells = list[str]


@dataclass
class Made:
    """One line of a file: its cells, and the answers that it has to come to; None where it has to be listed."""

    how: str
    cells: Cells
    stored: list[Stored] | None


def person(rng: random.Random) -> Seen:
    """Somebody who answered all, but some ratings and some questions about themselves."""
    return Seen(
        rng.randrange(10_001), rng.randrange(10_001), rng.randrange(10_001),
        rng.choices(TASTES, k=5), [rng.random() < 0.5 for _ in range(5)], [rng.randrange(11) for _ in range(5)],
        [[3, *(rng.choice([1, 2, 3, 4, 5, None]) for _ in range(11))] for _ in range(3)],
        rng.randrange(18, 100), {k: rng.choice(sorted(v)) for k, (_, v) in ANSWERS.items() if rng.random() < 0.7},
    )  # fmt: skip


def _spelt(rng: random.Random, row: dict[str, str], who: Seen) -> list[Stored]:
    """The same in other letters: capitals and spaces around labels, numbers with a point."""
    for k in range(1, 6):
        label = f"rng_model_label_{k}_1"
        others = {"base": ["Base", " base ", "b", "B"], "finetuned": ["FineTuned", "finetuned ", "tasty musicgen"]}
        row[label] = rng.choice(others[row[label]])
        row[f"random_taste_label_{k}_1"] = rng.choice([" {} ", "{}"]).format(who.tastes[k - 1].upper())
        row[f"task1_{k}_1"] = rng.choice(["{}.0", " {}", "{}e0", "{}"]).format(who.slider[k - 1])
    return who.stored()


def _no_slider(rng: random.Random, row: dict[str, str], who: Seen) -> list[Stored]:
    """One comparison was not answered; which model was left does not matter then."""
    k = rng.randrange(5)
    row[f"task1_{k + 1}_1"] = rng.choice(["", "  "])
    row[f"rng_model_label_{k + 1}_1"] = rng.choice(["", "nobody knows"])
    before = [i for i, x in enumerate(who.stored()) if x[0] == "preference"]
    return [x for i, x in enumerate(who.stored()) if i != before[k]]


def _word_for_a_code(rng: random.Random, row: dict[str, str], who: Seen) -> list[Stored]:
    """The option itself instead of its number."""
    for item, (column, meant) in ANSWERS.items():
        if item in who.codes:
            row[column] = meant[who.codes[item]]
    return who.stored()


def _as_it_is(rng: random.Random, row: dict[str, str], who: Seen) -> list[Stored]:
    return who.stored()


def _set(column: str, *values: str) -> Callable[[random.Random, dict[str, str], Seen], None]:
    """A cell that makes the row unreadable; `#` in a column's name is one of the five comparisons or three clips."""

    def bend(rng: random.Random, row: dict[str, str], who: Seen) -> None:
        name = column.replace("#", str(rng.randint(1, 3 if column.startswith("task_2") else 5)))
        name = name.replace("?", str(rng.randint(1, 12)))
        assert name in row, name
        row[name] = rng.choice(values)

    return bend


GOOD: dict[str, Callable[[random.Random, dict[str, str], Seen], list[Stored]]] = {
    "as it is": _as_it_is,
    "other letters": _spelt,
    "no slider": _no_slider,
    "words for codes": _word_for_a_code,
}
BAD: dict[str, Callable[[random.Random, dict[str, str], Seen], None]] = {
    "unknown model": _set("rng_model_label_#_1", "", "MusicGen", "baseline", "finetuned2", "left", *FORMULAS),
    "unknown taste": _set("random_taste_label_#_1", "umami", "sweet!", "dolce", "1", *FORMULAS),
    "taste left out": _set("random_taste_label_#_1", "", " "),
    "slider outside": _set("task1_#_1", "-1", "10.5", "11", "1e9", "inf", "nan"),
    "slider in words": _set("task1_#_1", "five", "5;", "5,0", "—", *FORMULAS[1:]),
    "rating outside": _set("task_2_#_?", "0", "6", "-3", "inf", "nan"),
    "rating in words": _set("task_2_#_?", "much", "3/5", "''"),
    "sex in words": _set("anagrafica_1", "5", "00", "F", "woman", "I am 33", *FORMULAS),
    "device in words": _set("device_1", "9", "car radio", "=HYPERLINK(1)"),
    "age in words": _set("age_1", "thirty", "33 years"),
    "age outside": _set("age_1", "-1", "121", "1e3", "nan"),
    "clip's number left out": _set("random_number_1_1", "", " "),
    "clip's number outside": _set("random_number_4_1", "-1", "10001", "inf"),
    "clip's number no whole one": _set("random_number_5_1", "3.5", "0.1"),
    "what is no text": _set("device_1", "1\x00", "\x00"),
}
SHAPE = ("a field too many", "a field too few", "nothing answered", "the same person otherwise")
ODD = (*BAD, *SHAPE)


def lines(rng: random.Random, n: int, first: int) -> Iterator[Made]:
    """`n` lines of a file, half of them bent; names of people begin at number `first`."""
    names = list(Seen().row("x"))
    known: list[str] = []
    for k in range(n):
        who, name = person(rng), f"s.{first + k}.txt"
        row = who.row(name)
        stored: list[Stored] | None
        if rng.random() < 0.5:
            how = rng.choice(sorted(GOOD))
            stored = GOOD[how](rng, row, who)
        else:
            how, stored = rng.choice(ODD), None
            if how in BAD:
                BAD[how](rng, row, who)
            elif how == "nothing answered":
                row = dict.fromkeys(names, "") | {"participant": name}
            elif how == "the same person otherwise":
                if not known:
                    continue
                row["participant"] = rng.choice(known)
        cells = [row[c] for c in names]
        if how == "a field too many":
            cells.append(rng.choice(["", "x", *FORMULAS]))
        elif how == "a field too few":
            cells.pop()
        if stored is not None:
            known.append(name)
        yield Made(how, cells, stored)


def file_of(rng: random.Random, made: list[Made]) -> str:
    """A CSV as people send it: with commas, semicolons or tabs, with or without a mark at its start."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=rng.choice(",;\t"), lineterminator=rng.choice(["\n", "\r\n"]))
    writer.writerow(Seen().row("x"))
    writer.writerows(m.cells for m in made)
    return rng.choice(["\ufeff", ""]) + out.getvalue()


# Read an export back ----------------------------------------------------------------------------------------------

COLUMNS = ("block", "taste", "first_clip", "second_clip", "item", "value", "choice")
SPECIAL = ("ethnicity", "hearing_impairments", "taste_impairments")
BANDS = ((18, 24), (25, 34), (35, 44), (45, 54), (55, 64), (65, 120))
Said = tuple[str, ...]


def leaves(stored: list[Stored]) -> list[Said]:
    """What of a person's answers leaves, cell by cell: no special categories, ages in bands."""
    out = []
    for block, taste, first, second, item, value, choice in stored:
        if item in SPECIAL:
            continue
        if item == "age" and value is not None:
            low, high = next(b for b in BANDS if b[0] <= value <= b[1])
            value, choice = None, f"{low}-{high}"
        out.append(tuple("" if x is None else str(x) for x in (block, taste, first, second, item, value, choice)))
    return out


def read_back(folder: Path, kind: str, study: str) -> dict[int, list[Said]]:
    """An export's answers by the number of the participant."""
    found: dict[int, list[Said]] = {}

    def rows(path: Path, apart: str = ",") -> Iterator[dict[str, Any]]:
        with path.open(newline="", encoding="utf-8-sig" if kind == "psychopy" else "utf-8") as file:
            yield from csv.DictReader(file, delimiter=apart)

    if kind == "csv":
        for row in rows(folder / f"{study}.csv"):
            found.setdefault(int(row["participant"]), []).append(tuple(row[c] for c in COLUMNS))
    elif kind == "psychds":
        for path in sorted((folder / "data").iterdir()):
            for row in rows(path):
                found.setdefault(int(row["participant"]), []).append(tuple(row[c] for c in COLUMNS))
    elif kind == "bids":
        for path in sorted(folder.glob("sub-*/beh/*.tsv")):
            number, task = int(path.name[4:].split("_")[0]), path.name.split("_task-")[1].removesuffix("_beh.tsv")
            for row in rows(path, "\t"):
                cells = {"block": task} | {k: "" if v == "n/a" else v for k, v in row.items()}
                found.setdefault(number, []).append(tuple(cells[c] for c in COLUMNS))
    else:
        named = {"value": "slider.response", "choice": "key_resp.keys"}
        for path in sorted(folder.iterdir()):
            for row in rows(path):
                cells = tuple(row[named.get(c, c)] for c in COLUMNS)
                found.setdefault(int(row["participant"]), []).append(cells)
    return found
