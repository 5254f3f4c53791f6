"""What a study file still lacks before people come though every table is right: what is not there yet, and what will never be."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tastelab.check import nearest, speaks_of

if TYPE_CHECKING:
    from models.conditions import Condition
    from tastelab.study import Study

ALIKE = 4  # texts that may be the same words in two languages ("OK", a name)


def made(folder: Path) -> set[str]:
    """Conditions of which clips lie in a folder of stimuli, wherever they were made; damaged ones are `verify`'s to tell."""
    from stimuli.errors import StimulusError
    from stimuli.manifest import known_rows

    try:
        return {row.model for row in known_rows(folder).values()}
    except StimulusError:
        return set()


def impossible(study: Study, there: Collection[str] = ()) -> Iterator[str]:
    """What the file names and nobody has, or what can't be made of what it names; conditions whose clips are `there` need nothing."""
    for key, path in (("experiment.effects", study.experiment.effects), ("analysis.targets", study.analysis.targets)):
        if path is not None and not path.is_file():
            yield f"{key}: there is no file {path}"
    wanted = [c for c in study.models.conditions if c.name not in there]
    for condition in wanted:
        if condition.checkpoint is not None and _nowhere(condition.checkpoint) and "/" not in condition.checkpoint:
            yield f"models.conditions: {_unknown(condition)}"
    for condition in wanted:
        if condition.tracks is not None and condition.tracks.is_dir():
            yield from _short(condition.tracks, study)


def _short(folder: Path, study: Study) -> Iterator[str]:
    """The first track that is shorter than a clip, and how many there are."""
    from stimuli.tracks import sizes, too_short, tracks_in

    tracks = tracks_in(folder, [t.name for t in study.stimuli.tastes])
    short = [told for t in tracks if (told := too_short(t.path, *sizes(t.path), study.stimuli.seconds))]
    if short:
        yield short[0] + (f" (and {len(short) - 1} more)" if short[1:] else "")


def _nowhere(checkpoint: str) -> bool:
    from models.errors import ModelError
    from models.locating import locate

    try:
        locate(checkpoint)
    except ModelError:
        return True
    return False


def _unknown(condition: Condition) -> str:
    from models.locating import models_directory
    from models.weights import shipped

    pulled = [p.name for p in models_directory().glob("*") if p.is_dir()]
    near = nearest(str(condition.checkpoint), [*shipped(), *pulled])
    return (
        f"checkpoint {condition.checkpoint!r} of {condition.name!r} is no network that ships with tastelab, none that was pulled and "
        f"no folder here{near}"
    )


def unready(study: Study, there: Collection[str] = ()) -> Iterator[str]:
    """What is not there yet, in sentences; nothing where people may come."""
    from experiment.texts import untranslated

    asked = study.experiment
    for language in asked.languages:
        same, of = untranslated(language, asked.texts)
        if len(same) > ALIKE:
            yield (
                f"Not translated: {len(same)} of {of} texts in {language!r} are the English ones ({', '.join(same[:3])}, ...); people "
                "read those that their session shows."
            )
    for condition in study.models.conditions:
        if condition.name in there:
            continue
        if condition.tracks is not None and not condition.tracks.is_dir():
            yield f"The tracks of {condition.name!r} are not there yet: folder {condition.tracks}."
        if condition.checkpoint is not None and _nowhere(condition.checkpoint):
            yield f"The weights of {condition.name!r} are not there yet: {_to_fetch(condition.checkpoint)}."
    yield from _unheard(study)


def _to_fetch(checkpoint: str) -> str:
    from models.locating import of_hub

    return f"'tastelab models pull {checkpoint}' fetches them" if of_hub(checkpoint) else f"folder {checkpoint}"


def _unheard(study: Study) -> Iterator[str]:
    """Conditions that no task names, and no blend."""
    tasks = [task for task in study.experiment.sequence() if task.heard]
    named = [set(speaks_of(task)) for task in tasks]
    if not tasks or not all(named):
        return  # nothing is heard, or a task has all of them
    blended = {end for c in study.models.conditions if c.blend is not None for end in (c.blend.source, c.blend.to)}
    for condition in study.models.conditions:
        if condition.name not in set.union(blended, *named):
            yield f"No task has condition {condition.name!r}: its clips are made, and nobody hears them."
