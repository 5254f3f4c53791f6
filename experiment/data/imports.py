"""Read survey files of PsyToolkit (wide CSV) into participants.db: every row is imported as what it says, or listed with the reason.

Nothing is guessed: a model, a taste, a code or a clip number that is not known leaves its row out, and says so.

The seed study's file: per person the tastes drawn (`random_taste_label_k_1`), the model of the left clip
(`rng_model_label_k_1`), the slider (`task1_k_1`), clip numbers, twelve ratings for each of three clips
(`task_2_j_i`), and demographics. The follow-up's: one column per track and adjective (`<track>_<i>`), declared in the
study file's `[experiment.psytoolkit]`, which also says what else a survey calls the models (`labels`).
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from experiment.config import ExperimentConfig
from experiment.data.entering import Entering, PlannedRow, Row
from experiment.data.store import Store
from experiment.errors import ExperimentError
from experiment.first_design import REUSED_TRIALS
from experiment.tasks.preference import ITEM, PreferenceTask
from experiment.tasks.ratings import RatingsTask
from experiment.tasks.task import DEMOGRAPHICS
from experiment.texts import texts

CODES: dict[str, dict[str, str]] = {
    "sex": {"1": "male", "2": "female", "3": "other", "4": "not_said"},
    "hearing_experience": {"1": "professional", "2": "amateur", "3": "none"},
    "eating_experience": {"1": "professional", "2": "amateur", "3": "none"},
    "hearing_impairments": {"1": "yes", "2": "no"},
    "taste_impairments": {"1": "yes", "2": "no"},
    "device": {"1": "headphones", "2": "speakers", "3": "hifi", "4": "other"},
}
COLUMNS = {"sex": ("anagrafica", "gender"), "ethnicity": ("etnia", "ethnicity")}
REUSED_CLIPS = (4, 5, 1)  # random numbers that the clips of task 2 come from, in the order of REUSED_TRIALS
CLIPS = 25
PAIRS = 5
ASKED = frozenset(
    {"sex", "age", "hearing_experience", "eating_experience"}
)  # who reached the end said these; all else is optional
UNDETERMINED = "und"  # a language that nobody declared (ISO 639-2)


@dataclass
class ImportReport:
    """What became of each row: imported, there already, of somebody who withdrew since, or skipped with the reason.

    Rows are named by their line, never by content.
    """

    imported: int = 0
    answers: int = 0
    already: int = 0
    withdrawn: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)


def read_rows(path: Path) -> list[Row]:
    """Read a CSV with a header line; fields are separated by commas, or by semicolons or tabs where the header has no comma.

    A row that lacks fields has None there; one with more fields than the header has them under None.

    Raises
    ------
    ExperimentError
        If it is missing, empty or not text.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            apart = next((x for x in (",", ";", "\t") if x in head), ",")
            rows = list(csv.DictReader(file, delimiter=apart))
    except FileNotFoundError:
        raise ExperimentError(f"survey file {path} does not exist") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ExperimentError(f"survey file {path} is not a CSV in UTF-8: {error}") from None
    if not rows:
        raise ExperimentError(f"survey file {path} has no rows")
    return rows


def import_psytoolkit(
    store: Store,
    study_id: int,
    config: ExperimentConfig,
    path: Path,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Import a survey file; rows that an earlier call imported are recognised and left alone.

    Raises
    ------
    ExperimentError
        If the columns are neither the seed study's nor those that the study file declares.
    """
    rows = read_rows(path)
    header = {str(name) for name in rows[0] if name is not None}
    parse: Callable[[Row], list[PlannedRow]]
    whole: int | None  # answers about clips; None: people heard as many tracks as they heard
    ratings = config.task(RatingsTask)
    items = len(ratings.items) if ratings else 0
    if "random_taste_label_1_1" in header:
        parse, whole = partial(_seed_row, config=config), PAIRS + len(REUSED_TRIALS) * items
    elif config.psytoolkit is not None and config.psytoolkit.items:
        tracks = _tracks(header, config.psytoolkit.items)
        parse, whole = partial(_wide_row, tracks=tracks, config=config), None
    else:
        raise ExperimentError(
            f"{path}: no column random_taste_label_1_1 (the seed study's format), and the study file declares no "
            "[experiment.psytoolkit] items"
        )
    report = ImportReport()
    language = config.psytoolkit.language if config.psytoolkit is not None else None
    entering = Entering(store, study_id, language or UNDETERMINED)
    met: Counter[str] = Counter()
    for i, row in enumerate(rows):
        line = i + 2
        try:
            _whole(row)
            plan = parse(row)
        except ValueError as error:
            report.skipped.append((line, str(error)))
            continue
        answers = sum(len(p.answers) for p in plan)
        if not answers:
            report.skipped.append((line, "no answers"))
            continue
        said = hashlib.sha256(repr([(k, v) for k, v in row.items() if k != "participant"]).encode()).hexdigest()
        # A code that tells nothing, the same for the same row: under the survey's own name of a person, or, where it has none,
        # under what the row says, whatever its file is called; a second person who says the same is a second one.
        name = row.get("participant")
        if not name:
            met[said] += 1
            name = f"{said}:{met[said]}"
        code = "imp-" + hashlib.sha256(f"{study_id}/{name}".encode()).hexdigest()[:12]
        about = next((set(p.answers) for p in plan if p.block == "demographics"), set())
        heard = [len(p.answers) for p in plan if p.block != "demographics"]
        every = whole if whole is not None else len(heard) * max(heard, default=0)
        complete = sum(heard) == every and all(i in about for i in ASKED if _column(i, header))
        entering.add(line, code, said, plan, complete)
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


def _column(item: str, header: set[str]) -> bool:
    """Whether a survey asked a question about oneself."""
    return any(f"{base}{end}" in header for base in (item, *COLUMNS.get(item, ())) for end in ("_1", ""))


def _whole(row: Row) -> None:
    """Refuse a row whose fields can't be told apart by the header."""
    if None in row:
        raise ValueError("the row has more fields than the header")
    if any(value is None for value in row.values()):
        raise ValueError("the row ends before the header does")
    if any("\x00" in str(value) for value in row.values()):
        raise ValueError("the row holds characters that are no text")


def _tracks(header: set[str], items: list[str]) -> list[str]:
    names = sorted({c.rsplit("_", 1)[0] for c in header if c.rsplit("_", 1)[-1] == "1"})
    tracks = [n for n in names if all(f"{n}_{k + 1}" in header for k in range(len(items)))]
    strange = [n for n in tracks if len(n) > 40 or not n.isprintable()]
    if strange:
        raise ExperimentError(f"column {strange[0][:60]!r}: the name of a track is 40 printable characters at most")
    if not tracks:
        raise ExperimentError(f"no columns <track>_1 .. <track>_{len(items)} are in the file")
    return tracks


def _number(text: str | None, low: float, high: float, what: str) -> float | None:
    if text is None or text.strip() == "":
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{what} is not a number") from None
    if not low <= value <= high:
        raise ValueError(f"{what} is outside {low:g}-{high:g}")
    return value


def _whole_number(row: Row, column: str, high: int) -> int:
    """A number that a clip is known by; nothing stands for one that is not there."""
    value = _number(row.get(column), 0, high, "random_number")
    if value is None:
        raise ValueError(f"{column} is empty, so that nobody knows which clip was heard")
    if value != int(value):
        raise ValueError(f"{column} is not a whole number")
    return int(value)


def _demographics(row: Row) -> PlannedRow:
    answers: dict[str, tuple[float | None, str | None]] = {}
    for item in DEMOGRAPHICS:
        names = [n for base in (item, *COLUMNS.get(item, ())) for n in (f"{base}_1", base)]
        raw = next((found for n in names if (found := (row.get(n) or "").strip())), "")
        if not raw:
            continue
        if item == "age":
            answers[item] = (_number(raw, 0, 120, "age"), None)
        else:
            answers[item] = (None, _choice(item, raw))
    return PlannedRow("demographics", None, None, None, answers)


def _choice(item: str, raw: str) -> str:
    """What a code of the survey means; a word is taken where it is one of the options, a text that somebody typed is not."""
    meant = CODES.get(item, {}).get(raw)
    known = texts("en", None)["demographics"][item]["options"]
    if meant is None and raw not in known and not (item not in CODES and re.fullmatch(r"[0-9]{1,2}", raw)):
        raise ValueError(f"{item} is none of the survey's codes")
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
        number = (int(start) + k - 1) % CLIPS
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
