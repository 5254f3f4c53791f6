"""What people read for what they rate: the words of a study file, in every language of it."""

from __future__ import annotations

from typing import Any


def plain(word: str) -> str:
    """A word as it is looked up: without case, or space around it."""
    return word.strip().lower()


def item_words(definition: dict[str, Any]) -> dict[str, str]:
    """Names of items by the words (`plain`) that a study has for them: of rated adjectives, and of its tastes.

    A word that stands for two of them is left out.
    """
    from pydantic import ValidationError

    from experiment.config import stored_config
    from experiment.tasks.ratings import RatingsTask

    try:
        config = stored_config(definition)
    except ValidationError:
        return {}
    said = [(word, taste) for words in config.taste_words.values() for taste, word in words.items()]
    for task in config.sequence():
        if isinstance(task, RatingsTask):
            said += [(word, a.name) for a in task.adjectives for word in a.words.values()]
    names: dict[str, set[str]] = {}
    for word, name in said:
        names.setdefault(plain(word), set()).add(name)
    return {word: min(of) for word, of in names.items() if len(of) == 1}
