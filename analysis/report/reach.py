"""The answers, people and clips that stand behind a number: pools of them, and what a row of a table chooses from a pool.

An answer is known by its task, the person (a number, not the code), the trial's position and the item. Of what people are, nothing
is here: tables about that stand on people altogether.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from analysis.agreement.agreement import slug
from analysis.data.complete import paper_rows
from analysis.data.frames import StudyData, rated_clips
from analysis.preference.pairs import named_pair
from analysis.report.origins import Source

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from stimuli.manifest import ClipRow

TASKS = ("preference", "ratings", "affect", "identification", "repeats")
TOLD = ("participant", "task", "trial", "item", "clip", "against", "value")  # of an answer
# What tables call a column of the answers, or of the clips.
MEANS = {
    "item": "item", "item1": "item", "item2": "item", "adjective": "item", "higher": "taste", "lower": "taste", "taste1": "taste",
    "taste2": "taste",
}  # fmt: skip
PAPER = {"choices": "preference", "rated": "ratings", "correlated": "ratings", "described": "ratings"}


@dataclass(frozen=True)
class Clip:
    """What a clip is and where it comes from; `prompted`: the taste that was asked for, `features`, `captioned`: whether there are any."""

    clip: str
    model: str
    taste: str
    prompted: str
    prompt: str | None
    seed: int | None
    checkpoint: str | None
    checkpoint_sha256: str | None
    sha256: str
    features: bool
    captioned: bool

    @classmethod
    def of(cls, row: ClipRow) -> Clip:
        """Of a row of the manifest."""
        return cls(
            row.clip, row.model, row.taste, row.prompt_of or row.taste, row.prompt, row.seed, row.checkpoint,
            row.checkpoint_sha256, row.sha256, bool(row.features), bool(row.caption),
        )  # fmt: skip


@dataclass(frozen=True)
class Reach:
    """What stands behind a number: answers as rows of `Pools.answers`, people by their numbers, clips by their names."""

    answers: frozenset[int] = frozenset()
    people: frozenset[int] = frozenset()
    clips: frozenset[str] = frozenset()


NOTHING = Reach()


class Pools:
    """All answers of a study as one frame, and the parts of it that analyses are made on.

    Parameters
    ----------
    data : StudyData
        Without the people whom rules leave out.
    left_out : set of int
        Those people.
    clips : list of Clip
        By the names that analyses know them by.
    with_targets : collection of str
        Tracks that were compared with targets, by the names that these have.
    """

    def __init__(self, data: StudyData, left_out: set[int], clips: list[Clip], with_targets: Collection[str] = ()):
        self.data, self.left_out, self.clips, self.with_targets = data, left_out, clips, set(with_targets)
        self._chosen: dict[tuple[Any, ...], Reach] = {}
        self._joined: dict[frozenset[int], Reach] = {}

    @cached_property
    def answers(self) -> pd.DataFrame:
        """One row an answer: task, participant, trial, item, clip, against (the other clip of a pair), answer, and what chooses rows."""
        import pandas as pd

        data = self.data
        compared = data.preference.assign(
            item="", clip=data.preference["clip_over"], against=data.preference["clip_under"], value=data.preference["score"],
            pair=[named_pair(str(o), str(u)) for o, u in zip(data.preference["over"], data.preference["under"], strict=True)],
        )  # fmt: skip
        parts = {
            "preference": compared,
            "ratings": data.ratings.rename(columns={"adjective": "item"}),
            "affect": data.affect,
            "identification": data.identification.assign(item="taste", value=data.identification["answered"]),
            "repeats": data.repeats.assign(value=data.repeats["again"]),
        }
        columns = [
            "task",
            "participant",
            "trial",
            "item",
            "clip",
            "against",
            "value",
            "taste",
            "pair",
            "prompt",
            "model",
        ]
        columns += ["condition", "asked", "answered"]
        found = [
            part.assign(task=task).reindex(columns=columns).astype(object)
            for task, part in parts.items()
            if not part.empty
        ]
        whole = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)
        # Of music that was to be named "taste" is what was asked for.
        whole["taste"] = whole["taste"].where(whole["asked"].isna(), whole["asked"])
        return whole

    @cached_property
    def _places(self) -> list[int]:
        """The answers' rows: one object each, whatever the number of sets that they are in."""
        return list(range(len(self.answers)))

    @cached_property
    def of_people(self) -> dict[int, frozenset[int]]:
        """The answers of each person who gave any."""
        found: dict[int, list[int]] = {}
        for place, person in zip(self._places, self.answers["participant"], strict=True):
            found.setdefault(int(person), []).append(place)
        return {person: frozenset(places) for person, places in found.items()}

    @cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """What is told of an answer, column by column, None where there is nothing: rows of a frame take a hundred times as long."""
        told = self.answers[list(TOLD)].astype(object)
        return {c: told[c].where(told[c].notna(), None).to_numpy(object) for c in TOLD}

    @cached_property
    def _sounds(self) -> pd.DataFrame:
        import pandas as pd

        columns = ["clip", "model", "taste", "prompted", "features", "captioned"]
        return pd.DataFrame([{c: getattr(clip, c) for c in columns} for clip in self.clips], columns=columns)

    @cached_property
    def _masks(self) -> dict[str, np.ndarray]:
        """Which answers are in each pool."""
        whole, task = self.answers, self.answers["task"]
        given = whole["value"].notna()
        out = {name: (task == name) & given for name in TASKS}
        paper = paper_rows(self.data)
        people = {name: set(frame["participant"]) for name, frame in self._paper(paper).items()}
        for name, of in PAPER.items():
            out[name] = out[of] & whole["participant"].isin(people[name])
        out["complete"] = out["ratings"] & self._completely(self.data.ratings.dropna(subset=["value"]))
        out["correlated"] &= self._completely(paper.rated)
        own = ~whole["model"].isin(list(self.data.conditions.wrong))
        out["described"] &= own
        out |= {f"{name}_own": out[name] & own for name in ("ratings", "complete", "affect")}
        out["targeted"] = out["ratings"] & whole["clip"].map(lambda clip: slug(str(clip)) in self.with_targets)
        return {name: mask.to_numpy(bool) for name, mask in out.items()}

    @staticmethod
    def _paper(paper: Any) -> dict[str, pd.DataFrame]:
        # Where nobody said who they are, the paper's models are made on all complete ratings.
        described = paper.rated if paper.described.empty else paper.described
        return {"choices": paper.choices, "rated": paper.rated, "correlated": paper.rated, "described": described}

    def _completely(self, ratings: pd.DataFrame) -> pd.Series:
        """Which answers are about clips that somebody rated on every adjective."""
        import pandas as pd

        whole = self.answers
        if ratings.empty:
            return pd.Series(False, index=whole.index)
        there = {(p, t) for p, _, _, t in rated_clips(ratings).index}
        return pd.Series(
            [(p, t) in there for p, t in zip(whole["participant"], whole["trial"], strict=True)], index=whole.index
        )

    def reach(self, source: Source, row: dict[str, Any], column: str) -> Reach:
        """What stands behind one number of a row, its correction for several tests apart."""
        if column in source.settings:
            return NOTHING
        by = source.chosen_by(column)
        parts = [self._pool(pool, row, by) for pool in source.of]
        if source.more and row.get(source.but[0]) != source.but[1]:
            parts.append(self._pool(source.more, {}, ()))
        return self.joined(parts)

    def joined(self, parts: Iterable[Reach]) -> Reach:
        """What stands behind several numbers at once, of parts that came from here.

        One object for the same parts: thousands of numbers stand on a few hundred different ones, each with every answer of the study
        at worst, and sets of their own for each number would fill the memory.
        """
        own = {id(part): part for part in parts if part is not NOTHING}
        if len(own) < 2:
            return next(iter(own.values()), NOTHING)
        key = frozenset(own)
        if key not in self._joined:
            them = [*own.values()]
            self._joined[key] = Reach(
                frozenset().union(*(r.answers for r in them)),
                frozenset().union(*(r.people for r in them)),
                frozenset().union(*(r.clips for r in them)),
            )
        return self._joined[key]

    def pool(self, name: str) -> Reach:
        """A whole pool."""
        return self._pool(name, {}, ())

    def _pool(self, name: str, row: dict[str, Any], by: tuple[str, ...]) -> Reach:
        wanted = tuple((entry, row[c]) for entry in by if (c := entry.lstrip("!").partition(">")[0]) in row)
        key = (name, *wanted)
        if name in ("people", "everybody"):
            key = (name,)
        if key not in self._chosen:
            self._chosen[key] = self._choose(name, wanted)
        return self._chosen[key]

    def _choose(self, name: str, wanted: tuple[tuple[str, Any], ...]) -> Reach:
        import numpy as np

        if name in ("people", "everybody"):
            who = {int(p) for p in self.data.people["participant"]}
            return Reach(people=frozenset(who | (self.left_out if name == "everybody" else set())))
        sounds = name in ("sound", "features", "captioned")
        frame = self._sounds if sounds else self.answers
        mask = np.ones(len(frame), dtype=bool)
        if not sounds:
            mask = self._masks[name].copy()
        elif name != "sound":
            mask = frame[name].to_numpy(bool).copy()
        values: dict[tuple[str, bool], list[str]] = {}
        for entry, value in wanted:
            column, _, other = entry.lstrip("!").partition(">")
            column = other or MEANS.get(column, column)
            # Several columns of a row may say the same of an answer: either will do.
            if value not in (None, "", "all") and column in frame:
                values.setdefault((column, entry.startswith("!")), []).append(str(value))
        for (column, others), these in values.items():
            mask &= (
                frame[column].astype(str).isin([*these, *(v.replace(" over ", " - ") for v in these)]).to_numpy(bool)
                ^ others
            )
        if sounds:
            return Reach(clips=frozenset(frame.loc[mask, "clip"]))
        part = frame[mask]
        clips = {*part["clip"].dropna(), *part["against"].dropna()}
        return Reach(
            frozenset(itertools.compress(self._places, mask)),
            frozenset(int(p) for p in part["participant"]),
            frozenset(map(str, clips)),
        )
