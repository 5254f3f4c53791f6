"""The conditions of a study as analyses see them: their order, what they are called, which are compared with which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.conditions import declared_in, default_pairs, each_once, over_and_under, spoken

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Conditions:
    """What a study declares of its conditions.

    Attributes
    ----------
    names : tuple of str
        In the order of the study file.
    labels : dict
        What figures and sentences call them, where that is not their name.
    tracks : tuple of str
        Those that are no model's, but tracks.
    pairs : tuple of (str, str)
        Which are compared: a score over the middle says that the first fits better.
    wrong : dict
        Of a condition whose music was asked for other tastes ("wrong prompts") the one that is the same model's for the right taste;
        None where the study has none.
    """

    names: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    tracks: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    wrong: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def declared(cls, definition: dict[str, Any]) -> Conditions:
        """Those of a study's definition, of any version."""
        known = declared_in(definition)
        names = tuple(c.name for c in known)
        sessions = definition.get("experiment") or {}
        tasks = [sessions.get("preference") or {}, *(sessions.get("tasks") or [])]
        compared = [(str(over), str(under)) for task in tasks for over, under in task.get("pairs") or []]
        pairs = tuple(each_once(compared or default_pairs(names)))
        right = {(c.checkpoint, c.blend): c.name for c in known if c.prompts_of is None and c.tracks is None}
        wrong = {c.name: right.get((c.checkpoint, c.blend)) for c in known if c.prompts_of is not None}
        return cls(names, {c.name: c.shown for c in known}, tuple(c.name for c in known if c.tracks), pairs, wrong)

    def label(self, name: str) -> str:
        """What a condition is called."""
        return self.labels.get(name, name)

    def spoken(self, name: str) -> str:
        """What a sentence calls its music: ``fine-tuned model``, ``film tracks``."""
        return spoken(self.label(name), name in self.tracks)

    def music(self, name: str) -> str:
        """Its music as a sentence speaks of it: ``the music of the fine-tuned model``, ``the film tracks``."""
        return f"the {self.spoken(name)}" if name in self.tracks else f"the music of the {self.spoken(name)}"

    def of_a_taste(self, present: Iterable[str]) -> str:
        """What a sentence calls music of these conditions that stands for a taste, by how it came to that."""
        kinds = {name in self.tracks for name in present}
        if kinds == {True}:
            return "music made or chosen for a taste"
        return "music prompted with, made or chosen for a taste" if True in kinds else "music prompted with a taste"

    def own(self, ratings: pd.DataFrame) -> pd.DataFrame:
        """Ratings of music that was made or chosen for the taste it stands for: without that of wrong prompts."""
        return ratings[~ratings["model"].isin(list(self.wrong))] if self.wrong else ratings

    def order(self, present: Iterable[str]) -> list[str]:
        """Those of the conditions that are there in their declared order; unknown ones after them, by name."""
        there = set(present)
        return [n for n in self.names if n in there] + sorted(there - set(self.names))

    def over_and_under(self, first: str | None, second: str | None) -> tuple[str, str]:
        """The two conditions of a trial, that first which a score over the middle speaks for."""
        return over_and_under(str(first), str(second), self.pairs, self.names)
