"""Read survey files of PsyToolkit (wide CSV) into participants.db: every row is imported as what it says, or listed with the reason.

Nothing is guessed: a model, a taste, a code or a clip number that is not known leaves its row out, and says so.

The seed study's file: per person the tastes drawn (`random_taste_label_k_1`), the model of the left clip
(`rng_model_label_k_1`), the slider (`task1_k_1`), clip numbers, twelve ratings for each of three clips
(`task_2_j_i`), and demographics. The follow-up's: one column per track and adjective (`<track>_<i>`), declared in the
study file's `[experiment.psytoolkit]`, which also says what else a survey calls the models (`labels`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from experiment.config import ExperimentConfig
from experiment.data.entering import Entering, PlannedRow, Row
from experiment.data.known import Knowing
from experiment.data.layouts import (
    FIRST,
    PAIRS,
    REUSED_CLIPS,
    asked,
    check_seed,
    check_tracks,
    first_line,
    meant,
    names_of,
    person_column,
    unread,
)
from experiment.data.store import Store
from experiment.errors import ExperimentError
from experiment.first_design import REUSED_TRIALS
from experiment.tasks.preference import ITEM, PreferenceTask
from experiment.tasks.ratings import RatingsTask
from experiment.tasks.task import DEMOGRAPHICS, twice
from experiment.texts import texts
from stimuli.separated import Separated, read_separated

CODES: dict[str, dict[str, str]] = {
    "sex": {"1": "male", "2": "female", "3": "other", "4": "not_said"},
    "hearing_experience": {"1": "professional", "2": "amateur", "3": "none"},
    "eating_experience": {"1": "professional", "2": "amateur", "3": "none"},
    "hearing_impairments": {"1": "yes", "2": "no"},
    "taste_impairments": {"1": "yes", "2": "no"},
    "device": {"1": "headphones", "2": "speakers", "3": "hifi", "4": "other"},
}
CLIPS = 25
ASKED = frozenset(
    {"sex", "age", "hearing_experience", "eating_experience"}
)  # who reached the end said these; all else is optional
UNDETERMINED = "und"  # a language that nobody declared (ISO 639-2)


@dataclass
class ImportReport:
    """What became of each row: imported, there already, of somebody who withdrew since, or skipped with the reason.

    Rows are named by their line, never by content. `unread` are columns that nothing reads; `unnamed` rows were taken for one
    new person each, for want of a name.
    """

    imported: int = 0
    answers: int = 0
    already: int = 0
    withdrawn: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    unnamed: int = 0


@dataclass(frozen=True)
class Survey:
    """A survey file that was read, and how its rows are.

    Attributes
    ----------
    lines : list of tuple of int
        First and last line of each row.
    whole : int or None
        Answers about clips of who answered all; None: people heard as many tracks as they heard.
    person : str or None
        The column that says who somebody is.
    """

    rows: list[Row]
    lines: list[tuple[int, int]]
    header: list[str]
    parse: Callable[[Row], list[PlannedRow]]
    whole: int | None
    person: str | None
    unread: list[str]


def read_rows(path: Path) -> list[Row]:
    """Read a CSV with a header line (`stimuli.separated`).

    Raises
    ------
    ExperimentError
        If it is missing, empty or not text, a quote in it is not closed, or two columns have one name.
    """
    return _read(path).rows


def _read(path: Path) -> Separated:
    try:
        found = read_separated(path)
    except ValueError as error:
        raise ExperimentError(f"survey file {path} {error}") from None
    if not found.rows:
        raise ExperimentError(f"survey file {path} has no rows")
    double = twice(x for x in found.header if x)
    if double:
        raise ExperimentError(
            f"survey file {path}: two columns are called {double[:60]}; which one counts is not guessed"
        )
    return found


def read_survey(path: Path, config: ExperimentConfig) -> Survey:
    """Read a survey file and find its layout; nothing is written.

    Raises
    ------
    ExperimentError
        If the columns are neither the seed study's nor those that the study file declares, or one is missing.
    """
    table = _read(path)
    rows, header = table.rows, list(dict.fromkeys(table.header))
    parse: Callable[[Row], list[PlannedRow]]
    whole: int | None
    ratings = config.task(RatingsTask)
    items = len(ratings.items) if ratings else 0
    try:
        if FIRST in header:
            read = check_seed(header, items)
            parse, whole = partial(_seed_row, config=config), PAIRS + len(REUSED_TRIALS) * items
        elif config.psytoolkit is not None and config.psytoolkit.items:
            tracks, read = check_tracks(header, len(config.psytoolkit.items), config.psytoolkit.other)
            _check_names(tracks)
            parse, whole = partial(_wide_row, tracks=tracks, config=config), None
        else:
            near = meant(FIRST, header)
            perhaps = f"; did you mean {near!r}?" if near else ""
            raise ExperimentError(
                f"no column {FIRST} (the seed study's format){perhaps}, and the study file declares no "
                "[experiment.psytoolkit] items (one row a person, columns <track>_1, <track>_2 ...; docs/designs.md: a long file)"
            )
    except ExperimentError as error:
        raise ExperimentError(f"{path}: {error}{first_line(header)}") from None
    left = [name for name in unread(header, read) if name.strip() or any((row.get(name) or "").strip() for row in rows)]
    left = [name if name.strip() else "a column without a name" for name in left]
    return Survey(rows, table.lines, header, parse, whole, person_column(header), left)


def import_psytoolkit(
    store: Store,
    study_id: int,
    config: ExperimentConfig,
    survey: Path | Survey,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Import a survey file; rows that an earlier call imported are recognised and left alone.

    Raises
    ------
    ExperimentError
        If the columns are neither the seed study's nor those that the study file declares, or one is missing.
    """
    if isinstance(survey, Path):
        survey = read_survey(survey, config)
    rows, header, parse, whole, person = survey.rows, survey.header, survey.parse, survey.whole, survey.person
    report = ImportReport(unread=survey.unread)
    language = config.psytoolkit.language if config.psytoolkit is not None else None
    entering = Entering(store, study_id, language or UNDETERMINED)
    knowing = Knowing(study_id, person)
    for i, (row, (line, last)) in enumerate(zip(rows, survey.lines, strict=True)):
        try:
            _check_fields(row, line, last)
            plan = parse(row)
        except ValueError as error:
            report.skipped.append((line, str(error)))
            continue
        answers = sum(len(p.answers) for p in plan)
        if not answers:
            report.skipped.append((line, "no answers"))
            continue
        if not knowing.name(row):
            report.unnamed += 1
        about = next((set(p.answers) for p in plan if p.block == "demographics"), set())
        heard = [len(p.answers) for p in plan if p.block != "demographics"]
        every = whole if whole is not None else len(heard) * max(heard, default=0)
        complete = sum(heard) == every and all(i in about for i in ASKED if asked(i, header))
        said = [(p.block, p.taste, p.first, p.second, sorted(p.answers.items())) for p in plan]
        entering.add(line, knowing.of(row, said), plan, complete)
        if progress:
            progress(i + 1, len(rows))
    for line, answers, became in entering.done():
        if became == "imported":
            report.imported += 1
            report.answers += answers
        elif became == "already":
            report.already += 1
        elif became == "withdrawn":
            report.withdrawn += 1
        else:
            report.skipped.append((line, became))
    report.skipped.sort()
    return report


def _check_fields(row: Row, line: int, last: int) -> None:
    """Refuse a row, which stands from one line to another, whose fields can't be told apart by the header."""
    on = f'; it goes on to line {last}, as if a quote (") were not closed' if last > line else ""
    if None in row:
        raise ValueError(f"the row has more fields than the header{on}")
    if any(value is None for value in row.values()):
        raise ValueError(f"the row ends before the header does{on}")
    if any("\x00" in str(value) for value in row.values()):
        raise ValueError("the row holds characters that are no text")


def _check_names(tracks: list[str]) -> None:
    strange = [n for n in tracks if len(n) > 40 or not n.isprintable()]
    if strange:
        raise ExperimentError(f"column {strange[0][:60]!r}: the name of a track is 40 printable characters at most")


def _number(text: str | None, low: float, high: float, what: str) -> float | None:
    if text is None or text.strip() == "":
        return None
    try:
        value = float(text)
        if "_" in text:  # which Python reads over, in the middle of a number
            raise ValueError
    except ValueError:
        raise ValueError(f"{what} is not a number") from None
    if not low <= value <= high:
        raise ValueError(f"{what} is outside {low:g}-{high:g}")
    return value


def _whole_number(row: Row, column: str, high: int) -> int:
    """A number that a clip is known by; nothing stands for one that is not there."""
    value = _number(row.get(column), 0, high, column)
    if value is None:
        raise ValueError(f"{column} is empty, so that nobody knows which clip was heard")
    return _whole(value, column)


def _whole(value: float, column: str) -> int:
    if value != int(value):
        raise ValueError(f"{column} is not a whole number")
    return int(value)


def _demographics(row: Row) -> PlannedRow:
    answers: dict[str, tuple[float | None, str | None]] = {}
    for item in DEMOGRAPHICS:
        for column in names_of(item):
            raw = (row.get(column) or "").strip()
            if not raw:
                continue
            said = (_number(raw, 0, 120, "age"), None) if item == "age" else (None, _choice(item, raw, column))
            if answers.setdefault(item, said) != said:
                first = next(n for n in names_of(item) if (row.get(n) or "").strip())
                raise ValueError(f"{first} and {column} say different things")
    return PlannedRow("demographics", None, None, None, answers)


def _choice(item: str, raw: str, column: str) -> str:
    """What a code of the survey means; a word is taken where it is one of the options, a text that somebody typed is not.

    What the numbers of ethnicity mean was published of neither survey: they are kept as they are.
    """
    raw = re.sub(r"(?<=[0-9])\.0+$", "", raw)  # how a column of numbers with gaps is saved by many programs
    meant = CODES.get(item, {}).get(raw)
    known = texts("en", None)["demographics"][item]["options"]
    if meant is None and raw not in known and not (item not in CODES and re.fullmatch(r"[0-9]{1,2}", raw)):
        codes = [f"{code} {word}" for code, word in CODES.get(item, {}).items()] or ["a number to 99", *known]
        raise ValueError(f"{item} is none of the survey's codes; {column} has {', '.join(codes)}")
    return meant or raw


def _seed_row(row: Row, config: ExperimentConfig) -> list[PlannedRow]:
    preference, ratings = config.task(PreferenceTask), config.task(RatingsTask)
    if preference is None or ratings is None:
        raise ValueError("the study file declares no preference or no ratings, which this file has")
    plan = [_demographics(row)]
    tastes: dict[int, str] = {}
    start = _number(row.get("random_number_1_1"), 0, 10_000, "random_number_1_1")
    known = {taste for words in config.taste_words.values() for taste in words}
    said = config.psytoolkit.labels if config.psytoolkit else {}
    labels = {"finetuned": "finetuned", "base": "base"} | {k.strip().lower(): v for k, v in said.items()}
    for k in range(1, PAIRS + 1):
        taste = (row.get(f"random_taste_label_{k}_1") or "").strip().lower()
        value = _number(row.get(f"task1_{k}_1"), preference.low, preference.high, f"task1_{k}_1")
        left = labels.get((row.get(f"rng_model_label_{k}_1") or "").strip().lower())
        if not taste and value is not None:
            raise ValueError(f"task1_{k}_1 is answered, and random_taste_label_{k}_1 is empty")
        if not taste:
            continue
        if known and taste not in known:
            raise ValueError(f"random_taste_label_{k}_1 is none of the study's tastes")
        tastes[k] = taste  # task 2 is told by it, whether the slider was moved or not
        if value is None:
            continue
        if left is None:
            raise ValueError(
                f"rng_model_label_{k}_1 is none of the study's models; say in [experiment.psytoolkit] labels which it means"
            )
        if start is None:
            raise ValueError("random_number_1_1 is empty, so that nobody knows which clips were heard")
        tuned_first = left == "finetuned"
        number = (_whole(start, "random_number_1_1") + k - 1) % CLIPS
        order = ("finetuned", "base") if tuned_first else ("base", "finetuned")
        first, second = (f"{taste}-{m}-{number:03d}" for m in order)
        plan.append(PlannedRow(preference.block, taste, first, second, {ITEM: (value, None)}))
    for j, (trial, clip) in enumerate(zip(REUSED_TRIALS, REUSED_CLIPS, strict=True), start=1):
        if trial not in tastes:
            if any((row.get(f"task_2_{j}_{i}") or "").strip() for i in range(1, len(ratings.items) + 1)):
                raise ValueError(f"task_2_{j} is answered, and random_taste_label_{trial}_1 is empty")
            continue
        answers: dict[str, tuple[float | None, str | None]] = {}
        for i, item in enumerate(ratings.items, start=1):
            column = f"task_2_{j}_{i}"
            value = _number(row.get(column), ratings.low, ratings.high, column)
            if value is not None:
                answers[item] = (value, None)
        if answers:
            number = _whole_number(row, f"random_number_{clip}_1", 10_000) % CLIPS
            plan.append(
                PlannedRow(ratings.block, tastes[trial], f"{tastes[trial]}-finetuned-{number:03d}", None, answers)
            )
    return plan


def _wide_row(row: Row, tracks: list[str], config: ExperimentConfig) -> list[PlannedRow]:
    assert config.psytoolkit is not None
    ratings = config.task(RatingsTask)
    if ratings is None:
        raise ValueError("the study file declares no ratings")
    plan = [_demographics(row)]
    for track in tracks:
        answers: dict[str, tuple[float | None, str | None]] = {}
        for k, item in enumerate(config.psytoolkit.items, start=1):
            column = f"{track}_{k}"
            value = _number(row.get(column), ratings.low, ratings.high, column)
            if value is not None:
                answers[item] = (value, None)
        if answers:
            plan.append(PlannedRow(ratings.block, track, track, None, answers))
    return plan
