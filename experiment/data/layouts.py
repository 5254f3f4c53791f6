"""Which columns a survey's layout has: what of them a file lacks, what of the file nothing reads, and what was perhaps meant.

Columns belong together: the three of a comparison, the ratings of a clip, a track's. Where none of them is there, it was not
asked; where some are and others are not, answers would be lost without a word, and the file is refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence

from experiment.errors import ExperimentError
from experiment.first_design import REUSED_TRIALS
from experiment.tasks.task import DEMOGRAPHICS
from stimuli.separated import APART, SAVE

FIRST = "random_taste_label_1_1"  # a column by which the seed study's layout is known
PERSON = "participant"
COLUMNS = {"sex": ("anagrafica", "gender"), "ethnicity": ("etnia", "ethnicity")}
REUSED_CLIPS = (4, 5, 1)  # random numbers that the clips of task 2 come from, in the order of REUSED_TRIALS
PAIRS = 5
ALIKE = 0.75  # how much of a name is the same where it was perhaps meant
TOLD = 8  # columns that are named in a line


def names_of(item: str) -> list[str]:
    """The columns in which a survey may say something about oneself; the first that says it counts."""
    return [f"{base}{end}" for base in dict.fromkeys((item, *COLUMNS.get(item, ()))) for end in ("_1", "")]


def asked(item: str, header: Collection[str]) -> bool:
    """Whether a survey asked a question about oneself."""
    return any(name in header for name in names_of(item))


def person_column(header: Iterable[str]) -> str | None:
    """The column that says who somebody is, however its name is written."""
    found = [name for name in header if name.strip().casefold() == PERSON]
    return PERSON if PERSON in found else found[0] if found else None


def meant(name: str, others: Iterable[str]) -> str | None:
    """Of other columns the one that is most like a missing one: spelled nearly so, and with the same digits."""
    digits = _digits(name)
    like = {x.strip().casefold(): x for x in others if _digits(x) == digits}
    near = difflib.get_close_matches(name.casefold(), list(like), 1, ALIKE)
    return like[near[0]] if near else None


def _digits(name: str) -> str:
    return "".join(re.findall(r"[0-9]+", name))


def unread(header: Sequence[str], read: Collection[str]) -> list[str]:
    """Columns that nothing reads; first those that seem to be a question about oneself, with what that would be called."""
    left = [name for name in header if name not in read]
    strange: dict[str, str] = {}
    for item in DEMOGRAPHICS:
        if not asked(item, header):
            for name in names_of(item):
                found = meant(name, [x for x in left if x not in strange])
                if found is not None:
                    strange[found] = f"{found} (did you mean {name}?)"
                    break
    return [*strange.values(), *(x for x in left if x not in strange)]


def told(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - TOLD
    return ", ".join(names[:TOLD]) + (f" and {more} more" if more > 0 else "")


def personal(header: Sequence[str]) -> set[str]:
    """The columns of a file that say who somebody is, and what of oneself."""
    about = {name for item in DEMOGRAPHICS for name in names_of(item)}
    return {x for x in header if x in about or x == person_column(header)}


def check_seed(header: Sequence[str], ratings: int) -> set[str]:
    """The columns of a file in the seed study's layout that are read; `ratings`: words that a clip of task 2 is rated on.

    Raises
    ------
    ExperimentError
        If one is missing that others need.
    """
    there = set(header)
    together: list[tuple[list[str], list[str]]] = [
        (
            [f"rng_model_label_{k}_1", f"task1_{k}_1"],
            [f"random_taste_label_{k}_1", "random_number_1_1"],
        )
        for k in range(1, PAIRS + 1)
    ]
    for j, (trial, clip) in enumerate(zip(REUSED_TRIALS, REUSED_CLIPS, strict=True), start=1):
        needs = [f"random_taste_label_{trial}_1", f"random_number_{clip}_1"]
        together.append(([f"task_2_{j}_{i}" for i in range(1, ratings + 1)], needs))
    known = {name for own, needs in together for name in (*own, *needs)}
    read = (known & there) | personal(header)
    left = [name for name in header if name not in read]
    missing: dict[str, None] = {}
    for own, needs in together:
        if there.intersection(own):
            missing |= dict.fromkeys(name for name in (*needs, *own) if name not in there)
        else:  # not asked, or misspelt altogether
            missing |= dict.fromkeys(name for name in own if meant(name, left))
    if missing:
        first = next(iter(missing))
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise ExperimentError(f"column {first!r} is missing{more}{_perhaps(first, left)}. Nothing was imported")
    return read


def first_line(header: Sequence[str]) -> str:
    """What is perhaps wrong with a file's first line, which should name the columns; empty where nothing is."""
    if not any(name.strip() for name in header):
        return "; its first line names no columns"
    if any("\x00" in name for name in header):
        return f"; its first line is no text: {SAVE.replace('it', 'the file', 1)}"
    if header[0].strip().casefold().startswith("sep="):
        return "; its first line is a spreadsheet's 'sep=', not the columns' names: delete it"
    if len(header) == 1:
        return "; its first line has one column: columns have to be apart by commas, semicolons or tabs"
    if any(apart in name for name in header for apart in APART[1:]):
        return "; semicolons or tabs stand in its first line beside commas: take the commas out of the columns' names"
    return ""


def _perhaps(name: str, left: Iterable[str]) -> str:
    near = meant(name, left)
    return "" if near is None else f"; did you mean {near!r}, which nothing reads?"


def check_tracks(header: Sequence[str], items: int, other: Collection[str] = ()) -> tuple[list[str], set[str]]:
    """The tracks of a wide file, in the order of their names, and the columns that are read; `other` questions are no tracks.

    A question of the survey may have one column that ends in ``_1``; what has more than one of a track's, or a misspelt other
    one beside it, is a track of which a column is missing.

    Raises
    ------
    ExperimentError
        If there are none, or a track lacks a column.
    """
    own, ends = personal(header), {str(k + 1) for k in range(items)}
    found: dict[str, list[str]] = {}
    for name in header:
        track, _, end = name.rpartition("_")
        if track and track not in other and end in ends and (items > 1 or name not in own):
            found.setdefault(track, []).append(name)
    whole = {track: names for track, names in found.items() if len(set(names)) == items}
    read = own | {name for names in whole.values() for name in names}
    left = [name for name in header if name not in read and name.rpartition("_")[0] not in other]
    for track, names in sorted(found.items(), key=lambda x: -len(x[1])):
        lacking = [name for k in range(items) if (name := f"{track}_{k + 1}") not in names]
        others = [name for name in left if name not in names]
        near = next((name for name in lacking if meant(name, others)), None)
        if lacking and not own.issuperset(names) and (len(names) > 1 or near):
            first = near or lacking[0]
            raise ExperimentError(
                f"column {first!r} of track {track!r} is missing{_perhaps(first, others) or ';'} nothing was imported. If {track} is "
                "another question, name it in [experiment.psytoolkit] other"
            )
    if not whole:
        raise ExperimentError(
            f"no columns <track>_1 .. <track>_{items} are in the file; it has to have one row a person and one column a track "
            "and word (docs/designs.md: a long file)"
        )
    return sorted(whole), read
