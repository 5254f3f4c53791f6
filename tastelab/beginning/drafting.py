"""What is asked of a study that begins, and the text of its file: a draft with remarks, filled in."""

from __future__ import annotations

import json
import math
import os
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Any

from experiment.tasks.task import DEMOGRAPHICS
from experiment.texts import FOLDER as TEXTS
from models.conditions import EARLIER
from stimuli.recordings import sounds
from stimuli.tracks import sizes
from tastelab.errors import UserError
from tastelab.shipped import studies

DRAFTS = Path(__file__).parent / "drafts"
KINDS = {
    "generated": "music made by models for each taste, compared and rated",
    "tracks": "your own audio files, rated",
    "import": "a survey file that was made elsewhere, analysed",
    "copy": "one of the studies that come with tastelab, to change",
}
CLIPS = 8  # of each taste and condition where nothing else was said
HEARD = 10  # tracks a person
SECONDS = 15  # of each track, where they are as long
SHORTEST = 1  # s: as [stimuli] seconds takes it
SEED_PAPER = "random_taste_label_1_1"  # a column of the seed paper's survey
LABELS = re.compile(r"rng_model_label_\d+_1")  # where it says which model's clip stood left
KNOWN_LABELS = tuple(EARLIER)


@dataclass(frozen=True)
class Plan:
    """A study that is to begin.

    Attributes
    ----------
    source : str
        The folder of tracks, the survey file, or the name of the study that is copied.
    tastes : tuple of str
        What is compared and rated; of a survey file what its columns stand for, in order.
    scale : tuple of int or None
        Lowest and highest step of ratings.
    """

    kind: str
    name: str
    title: str
    languages: tuple[str, ...] = ("en",)
    tastes: tuple[str, ...] = ()
    source: str = ""
    scale: tuple[int, int] | None = None


def slug(folder: str) -> str:
    """A folder's name as a study may be called."""
    plain = unicodedata.normalize("NFKD", folder.casefold()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-_")
    if not name:
        raise UserError(f"--name: nothing in {folder!r} can name a study; letters, digits, '-' and '_' can")
    return name


@lru_cache(maxsize=1)
def words() -> dict[str, Any]:
    """Words by taste and language, and the ends of a scale by language."""
    return tomllib.loads((DRAFTS / "words.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def known_tastes() -> dict[str, dict[str, Any]]:
    """What the default study's prompts ask for, by taste."""
    shipped = next(iter(studies().values()))
    found = tomllib.loads(shipped.read_text(encoding="utf-8"))["stimuli"]["tastes"]
    return {taste["name"]: taste for taste in found}


def shipped_languages() -> list[str]:
    """Languages whose texts come with tastelab."""
    return sorted(path.stem for path in TEXTS.glob("*.toml"))


def untranslated(plan: Plan) -> list[str]:
    """Words of the study file that stand there in English, or as their name, because nobody knows them in a language."""
    said = words()
    missing = [
        f"{taste} ({of})" for taste in plan.tastes for of in plan.languages if of not in said["tastes"].get(taste, {})
    ]
    return missing + [f"the ends of the scale ({of})" for of in plan.languages if of not in said["ends"]]


def draft(plan: Plan, folder: Path) -> str:
    """The study file of a plan, as it will stand in `folder`."""
    if plan.kind == "copy":
        return _copied(plan)
    if plan.kind == "import" and of_seed_paper(Path(plan.source)):
        return _seed_paper(plan)
    low, high = plan.scale or (1, 7)
    clips, heard = CLIPS, HEARD
    if plan.kind == "tracks":
        clips = len(audio_in(Path(plan.source)))
    elif plan.kind == "import":
        clips = len(columns_of(Path(plan.source), len(plan.tastes)))
    filled = {
        "name": _quoted(plan.name),
        "title": _quoted(plan.title),
        "languages": _list(plan.languages),
        "language": _quoted(plan.languages[0]),
        "clips": clips,
        "heard": min(heard, clips),
        "low": low,
        "high": high,
        "trials": len(plan.tastes) if len(plan.tastes) > 3 else 2 * len(plan.tastes),
        "items": _list(plan.tastes),
        "seconds": f"{_seconds(Path(plan.source)):<10g}" if plan.kind == "tracks" else "",
        "tracks": _quoted(_from(folder, Path(plan.source))) if plan.kind == "tracks" else "",
        "texts": _own_texts(plan),
        "tastes": "\n".join(_tastes(plan)),
        "words": "\n".join(_taste_words(plan)),
        "labels": "\n".join(_labels(plan)),
        "adjectives": "\n".join(_adjectives(plan)),
        "hypotheses": "\n".join(f'[[analysis.hypotheses]]\ntaste = {_quoted(t)}\nalternative = "greater"' for t in plan.tastes),
    }  # fmt: skip
    named = "survey" if plan.kind == "import" else plan.kind
    text = (DRAFTS / f"{named}.toml").read_text(encoding="utf-8")
    return Template(text).substitute(filled).rstrip() + "\n"


def audio_in(folder: Path) -> list[Path]:
    """The audio files of a folder of tracks; refuses one that has none."""
    if folder.is_file():
        raise UserError(f"{folder} is a file; name the folder that it lies in, {folder.parent}")
    if not folder.is_dir():
        raise UserError(f"folder of tracks {folder} does not exist")
    found, _ = sounds(folder)
    if not found:
        raise UserError(f"there are no audio files in {folder}")
    return list(found)


def _seconds(folder: Path) -> float:
    """How much of each track of a folder may be played: what is usual, or as much as the shortest has.

    Raises
    ------
    UserError
        If a track is shorter than the shortest clip that there may be.
    """
    lasting = {path: frames / rate for path in audio_in(folder) for frames, rate in (sizes(path),)}
    shortest = min(lasting, key=lambda path: lasting[path])
    if lasting[shortest] < SHORTEST:
        raise UserError(
            f"{shortest} lasts {lasting[shortest]:.2g} s, and a clip has {SHORTEST} s at least; take it out"
        )
    return min(SECONDS, math.floor(10 * lasting[shortest]) / 10)


def of_seed_paper(file: Path) -> bool:
    """Whether a survey file has the seed paper's columns."""
    return SEED_PAPER in _rows(file)[0]


def columns_of(file: Path, items: int | None = None) -> dict[str, int]:
    """Tracks of a wide survey file, each with how many columns it has (at least `items`); what is asked of people is none.

    Raises
    ------
    UserError
        If there are none.
    """
    from experiment.data.imports import CODES
    from experiment.data.layouts import COLUMNS

    header = [str(name) for name in _rows(file)[0] if name is not None]
    personal = {*DEMOGRAPHICS, *CODES, *(n for names in COLUMNS.values() for n in names)}
    counts: dict[str, int] = {}
    for column in header:
        track, _, end = column.rpartition("_")
        if track and end.isdigit() and track not in personal:
            counts[track] = max(counts.get(track, 0), int(end))
    whole = {
        t: n for t, n in counts.items() if all(f"{t}_{k}" in header for k in range(1, n + 1)) and n >= (items or 2)
    }
    if not whole:
        of = f" .. <track>_{items}" if items else ", <track>_2 ..."
        raise UserError(
            f"{file} has neither the seed paper's columns nor any <track>_1{of}: one row a person, one column a track and word (docs/designs.md: a long file)"
        )
    most = max(whole.values())
    if items is not None and most > items:
        raise UserError(
            f"{file} has columns _1 to _{most} of a track, and --tastes names {items}; say what each of them stands for"
        )
    return whole


def ends_of(file: Path, tracks: Iterable[str]) -> tuple[int, int]:
    """The smallest and the largest answer about tracks of a survey file."""
    found = []
    for row in _rows(file):
        for column, value in row.items():
            if column is not None and str(column).rpartition("_")[0] in tracks:
                try:
                    found.append(float(value))
                except (TypeError, ValueError):
                    continue
    if not found or min(found) == max(found):
        raise UserError(f"{file}: the answers do not tell the scale; give --scale, e.g. --scale 1-7")
    return int(min(found)), int(max(found) + 0.999)


def _rows(file: Path) -> list[dict[Any, Any]]:
    from experiment.data.imports import read_rows

    return read_rows(file)


def labels_to_say(file: Path) -> list[str]:
    """What a survey of the seed paper's columns calls the models, where the study file has to say which it means."""
    found = {
        str(v).strip()
        for row in _rows(file)
        for k, v in row.items()
        if k is not None and LABELS.fullmatch(str(k)) and v
    }
    return sorted((x for x in found if x.lower() not in KNOWN_LABELS), key=str.lower)


def _copied(plan: Plan) -> str:
    text = studies()[plan.source].read_text(encoding="utf-8")
    text = re.sub(r"^name = .*$", f"name = {_quoted(plan.name)}", text, count=1, flags=re.MULTILINE)
    # A shipped study stands in a folder of studies; this one has a folder of its own, and all that it names lies in it.
    return text.replace('"../', '"').replace("beside this folder", "in this folder")


def _seed_paper(plan: Plan) -> str:
    """The seed paper's study, with what its survey calls the models where that is not known."""
    text = _copied(Plan("copy", plan.name, plan.title, source=next(iter(studies()))))
    text = re.sub(r"^title = .*$", lambda _: f"title = {_quoted(plan.title)}", text, count=1, flags=re.MULTILINE)
    lines = [
        '# How the survey\'s file is read: what it calls the models (each label of the file is either "finetuned" or "base"), and the',
        "# language in which people were asked.",
        "[experiment.psytoolkit]",
        f"language = {_quoted(plan.languages[0])}",
    ]
    strange = labels_to_say(Path(plan.source))
    if strange:
        lines.append("# labels = { " + ", ".join(f'{_quoted(label)} = ""' for label in strange) + " }")
    return text.replace("\n[analysis]\n", "\n" + "\n".join(lines) + "\n\n[analysis]\n", 1)


def _from(folder: Path, source: Path) -> str:
    """A folder as a study file names it: from where that lies if both are near, else by its whole path."""
    whole = source.resolve()
    try:
        near = os.path.relpath(whole, folder.resolve())
    except ValueError:  # on another drive
        return whole.as_posix()
    return Path(near).as_posix() if near.count("..") <= 2 else whole.as_posix()


def _own_texts(plan: Plan) -> str:
    own = [x for x in plan.languages if x not in shipped_languages()]
    if not own:
        return ""
    return f'texts = "texts"            # what people read, to be translated: {", ".join(f"texts/{x}.toml" for x in own)}\n'


def _tastes(plan: Plan) -> Iterator[str]:
    for taste in plan.tastes:
        yield "[[stimuli.tastes]]"
        yield f"name = {_quoted(taste)}"
        if plan.kind == "generated":
            fields = known_tastes().get(taste)
            for key, value in (fields or {}).items():
                if key != "name":
                    yield f"{key} = {_list(value) if isinstance(value, list) else _quoted(value)}"
            if fields is None:
                yield 'character = ""             # e.g. "flowing, warm"'
                yield "# bpm = 90                 # and pitch, articulation, harmony, instruments"
    yield ""


def _taste_words(plan: Plan) -> Iterator[str]:
    for language in plan.languages:
        yield f"[experiment.taste_words.{language}]"
        for taste in plan.tastes:
            yield f"{taste} = {_quoted(_word(taste, language))}{_to_translate(taste, language)}"
        yield ""


def _labels(plan: Plan) -> Iterator[str]:
    yield "[experiment.tasks.labels]         # a word for each step, or two for the ends"
    for language in plan.languages:
        ends = words()["ends"]
        known = language in ends
        yield f"{language} = {_list(ends[language if known else 'en'])}{'' if known else '    # translate'}"
    yield ""


def _adjectives(plan: Plan) -> Iterator[str]:
    for taste in plan.tastes:
        worded = ", ".join(f"{language} = {_quoted(_word(taste, language))}" for language in plan.languages)
        told = next((t for language in plan.languages if (t := _to_translate(taste, language))), "")
        yield "[[experiment.tasks.adjectives]]"
        yield f"name = {_quoted(taste)}"
        yield f"words = {{ {worded} }}{told}"
    yield ""


def _word(taste: str, language: str) -> str:
    return str(words()["tastes"].get(taste, {}).get(language, taste.replace("_", " ")))


def _to_translate(taste: str, language: str) -> str:
    known = language in words()["tastes"].get(taste, {}) or language == "en"
    return "" if known else "    # translate"


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _list(values: Iterable[Any]) -> str:
    return "[" + ", ".join(_quoted(v) for v in values) + "]"
