"""One study: the four tables of a TOML file, composed."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analysis.config import AnalysisConfig
from experiment.config import ExperimentConfig
from experiment.finite import endless
from models.conditions import EARLIER, GIVEN, given
from models.config import ModelsConfig
from stimuli.config import StimuliConfig
from tastelab.check import nearest, problems
from tastelab.directions import astray, directed
from tastelab.errors import UserError

QUOTES = "'"  # in which pydantic names what it names


class Study(BaseModel):
    """A study file: a name, a title and the tables of the four packages.

    Attributes
    ----------
    name : str
        Names the study in databases and folders: small letters, digits, ``-`` and ``_``.
    title : str
        What people read, in the window and over the report.
    models : ModelsConfig
        Networks and conditions.
    stimuli : StimuliConfig
        The clips.
    experiment : ExperimentConfig
        The sessions.
    analysis : AnalysisConfig
        Tests and what is declared before the data.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)
    title: str = Field(max_length=200)
    models: ModelsConfig = ModelsConfig()
    stimuli: StimuliConfig
    experiment: ExperimentConfig
    analysis: AnalysisConfig = AnalysisConfig()


def load_study(path: Path) -> Study:
    """Read and check a study file; of a folder its ``study.toml``.

    Raises
    ------
    UserError
        One line: which key or value is wrong, and the nearest right name.
    """
    if path.is_dir():
        path = _in_folder(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows begins files by a mark
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.toml")], 1, 0.5)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise UserError(f"study file {path} does not exist{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"study file {path} cannot be read: {error}") from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"study file {path} is not valid TOML: {error}") from None
    strange = endless(raw)
    if strange is not None:
        raise UserError(f"{path}: {strange[0]} = {strange[1]} is no finite number")
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: {_first_problem(error)}") from None
    strange = endless(study.model_dump())  # in words, such as "inf", they are read as numbers, too
    if strange is not None:
        raise UserError(f"{path}: {strange[0]} = {strange[1]} is no finite number")
    return _resolve(study, path)


def study_digest(study: Study) -> str:
    """SHA-256 of the study's content, the same for the same design however the file is laid out."""
    return hashlib.sha256(study.model_dump_json().encode()).hexdigest()


def _resolve(study: Study, path: Path) -> Study:
    conditions = study.models.conditions
    if study.stimuli.source == GIVEN:
        conditions = given(study.stimuli.folder)
        study = study.model_copy(
            update={"stimuli": study.stimuli.model_copy(update={"source": "generated", "folder": None})}
        )
    # Folders are named from where the study file lies.
    conditions = [
        c if c.tracks is None else c.model_copy(update={"tracks": path.parent / c.tracks}) for c in conditions
    ]
    study = study.model_copy(update={"models": study.models.model_copy(update={"conditions": conditions})})
    asked = study.experiment
    found = {
        name: path.parent / there
        for name in ("texts", "effects", "logo")
        if (there := getattr(asked, name)) is not None
    }
    study = study.model_copy(update={"experiment": asked.model_copy(update=found)})
    if study.analysis.targets is not None:
        targets = path.parent / study.analysis.targets
        study = study.model_copy(update={"analysis": study.analysis.model_copy(update={"targets": targets})})
    for problem in problems(study.stimuli, study.experiment, study.analysis, study.models.conditions):
        raise UserError(f"{path}: {problem}")
    for problem in astray(study.experiment, study.analysis, [c.name for c in conditions]):
        raise UserError(f"{path}: {problem}")
    return study.model_copy(update={"analysis": directed(study.analysis, study.experiment)})


def _in_folder(folder: Path) -> Path:
    if (folder / "study.toml").is_file():
        return folder / "study.toml"
    there = sorted(folder.glob("*.toml"))
    raise UserError(
        f"study file {folder} is a folder, in which no study.toml lies; name a file{f', e.g. {there[0]}' if there else ''}"
    )


def _first_problem(error: ValidationError) -> str:
    problem = _telling(error.errors())
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        *parents, key = problem["loc"]
        return f"unknown key {where!r}{nearest(str(key), _keys(parents))}"
    if problem["type"] == "literal_error":
        allowed = [w.strip("' ") for w in problem["ctx"]["expected"].replace(" or ", ",").split(",")]
        return f"{where} = {problem['input']!r}{nearest(str(problem['input']), allowed)}"
    if problem["type"] == "missing":
        return f"{where} is missing"
    if problem["type"].startswith("union_tag"):
        context = problem["ctx"]
        kind = f"{where}.{context['discriminator'].strip(QUOTES)}"
        if "tag" not in context:
            return f"{kind} is missing; known: {', '.join(sorted(k.model_fields['kind'].default for k in _walked(problem['loc'])[1]))}"
        allowed = [w.strip(QUOTES) for w in context["expected_tags"].split(", ")]
        return f"{kind} = {context['tag']!r}{nearest(context['tag'], allowed)}"
    if problem["type"] == "string_pattern_mismatch" and (words := in_words(problem["ctx"]["pattern"])):
        return f"{where} = {problem['input']!r}: {words}"
    message = problem["msg"].removeprefix("Value error, ")
    return (
        f"{where} = {problem['input']!r}: {message}"
        if not isinstance(problem["input"], dict)
        else f"{where}: {message}"
    )


def _telling(problems: list[Any]) -> Any:
    """The problem to tell: the first, or the misspelt key on whose account it is said to be missing."""
    first = problems[0]
    if first["type"] == "missing":
        *parents, key = first["loc"]
        for other in problems[1:]:
            *where, word = other["loc"]
            if (
                other["type"] == "extra_forbidden"
                and where == parents
                and difflib.get_close_matches(str(word), [str(key)], 1, 0.6)
            ):
                return other
    return first


def in_words(pattern: str) -> str:
    """What a name's pattern, one class of characters after another, takes; empty of any other pattern."""
    found = re.fullmatch(r"\^\(?\[([^\]]+)\]\[([^\]]+)\](?:\*|\{[\d,]+\})(?:\)\?)?\$", pattern)
    if found is None:
        return ""
    begins = " or ".join(f"a {part.partition(' (')[0].removesuffix('s')}" for part in _class(found[1]))
    *most, last = _class(found[2])
    return f"{', '.join(most)}{' and ' if most else ''}{last} only, {begins} first"


def _class(characters: str) -> list[str]:
    """The parts of a class of characters, in words."""
    small, large = "a-z" in characters, "A-Z" in characters
    parts = ["letters (A to Z, a to z)" if small and large else "small letters (a to z)"] if small else []
    rest = characters.replace("a-z", "").replace("A-Z", "")
    parts += ["digits"] if "0-9" in rest else []
    return parts + sorted((f"'{sign}'" for sign in rest.replace("0-9", "")), reverse=True)


def _keys(parents: list[Any]) -> list[str]:
    """Field names of the model at a location, so that a typo can be answered with the nearest."""
    model, _ = _walked(parents)
    if model is None:
        return []
    earlier = list(EARLIER) if model is ModelsConfig else []
    return [field.alias or name for name, field in model.model_fields.items()] + earlier


def _walked(parents: Iterable[Any]) -> tuple[Any, list[Any]]:
    """The model at a location, and of how many kinds it may be there."""
    model: Any = Study
    kinds: list[Any] = []
    for part in parents:
        if isinstance(part, int) or model is None:
            continue
        if len(kinds) > 1:  # one of several, named by its kind
            model = next((k for k in kinds if part == k.model_fields["kind"].default), None)
            kinds = []
            continue
        field = model.model_fields.get(part)
        kinds = list(_models_in(field.annotation)) if field else []
        model = kinds[0] if kinds else None
    return model, kinds


def _models_in(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)
