"""What a study file that can be run still lacks before people come: texts that nobody translated, tracks that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tastelab.study import Study

ALIKE = 4  # texts that may be the same words in two languages ("OK", a name)


def unready(study: Study) -> Iterator[str]:
    """All of it, in sentences; nothing where people may come."""
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
        if condition.tracks is not None and not condition.tracks.is_dir():
            yield f"The tracks of {condition.name!r} are not there yet: folder {condition.tracks}."
