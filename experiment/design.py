"""Who hears what, in which order, on which side: balanced jointly over the rows of a design, which sessions take in turn.

Row after row is dealt from the counts of the rows before it: tastes in Williams squares, pairs of conditions and clips in
rotation (`experiment.balance`), sides as the pair, the place and the row need them; clips that are heard alone are those
that were heard least often, at this place least often. What a person hears in one task is not heard again in another. A
session that is broken off gives its row back, and the next person takes it, so that the rows of complete sessions stay the
first ones.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from experiment import first_design
from experiment.balance import Rotation, Sides
from experiment.config import ExperimentConfig
from experiment.errors import ExperimentError
from experiment.shortage import unheard, unpaired
from experiment.tasks import attention
from experiment.tasks.identification import IdentificationTask
from experiment.tasks.own import QuestionsTask
from experiment.tasks.pages import PageTask
from experiment.tasks.preference import ITEM, PreferenceTask
from experiment.tasks.questionnaire import QuestionnaireTask
from experiment.tasks.ratings import RatingsTask
from experiment.tasks.task import AFTER, Clip, PlannedTrial, Task

SPECIAL = ("ethnicity", "hearing_impairments", "taste_impairments")
CHUNK = 48  # rows that are dealt, and given sides, together; a multiple of the blocks of 1 to 4 tastes
Single = RatingsTask | IdentificationTask


def plan(config: ExperimentConfig, clips: Sequence[Clip], row: int, group: str | None = None) -> list[PlannedTrial]:
    """Plan one session.

    Parameters
    ----------
    clips : sequence of Clip
        By taste and condition in the order in which these are dealt.
    row : int
        Design row, 0-based; of the group, where there are groups.

    Raises
    ------
    ExperimentError
        If there are too few clips for the design (no clip is heard twice but for hidden repeats, or the paper's design).
    """
    tasks = config.sequence(group)
    dealt = _dealt(config, tasks, _heard_by(config, clips, group), row)
    if config.shuffle:
        places = [i for i, task in enumerate(tasks) if task.heard]
        order = Rotation(len(places), len(places)).row(row)
        tasks = list(tasks)
        for i, task in zip(places, [tasks[places[p.taste]] for p in order], strict=True):
            tasks[i] = task
    trials = [PlannedTrial("demographics", None, None, None, tuple(config.demographics))] if config.demographics else []
    for task in tasks:
        if isinstance(task, QuestionnaireTask | QuestionsTask):
            trials.append(PlannedTrial(task.block, None, None, None, tuple(i.name for i in task.items)))
        elif isinstance(task, PageTask):
            trials.append(PlannedTrial(task.block, None, None, None, ()))
        for trial in dealt.get(task.block, ()):
            trials.append(trial)
            after = tuple(task.after) if isinstance(task, Single | PreferenceTask) else ()
            for clip in (trial.first, trial.second):
                if after and clip is not None:
                    trials.append(PlannedTrial(AFTER, trial.taste, clip, None, after, trial.repeated))
    heard = [task.block for task in tasks if task.heard]
    return attention.among(trials, heard, config.attention.questions, np.random.default_rng([config.seed, row, 9]))


def period(config: ExperimentConfig, clips: Sequence[Clip], group: str | None = None) -> int:
    """Rows of which one each, a cell, is given out before any is given out again: 1 but in version 0.1's design.

    Where it is 1 the lowest row that nobody holds is given out.
    """
    if config.design != "0.1":
        return 1
    return first_design.period(config.task(PreferenceTask), config.task(RatingsTask), clips)


def _heard_by(config: ExperimentConfig, clips: Sequence[Clip], group: str | None) -> tuple[Clip, ...]:
    wanted = config.group(group)
    if wanted is None or wanted.conditions is None:
        return tuple(clips)
    return tuple(c for c in clips if c.model in wanted.conditions)


def _dealt(
    config: ExperimentConfig, tasks: Sequence[Task], clips: tuple[Clip, ...], row: int
) -> dict[str, list[PlannedTrial]]:
    """Trials in which clips are heard, by task."""
    preference = next((t for t in tasks if isinstance(t, PreferenceTask)), None)
    if config.design == "0.1" or (preference is not None and preference.replicate):
        ratings = next((t for t in tasks if isinstance(t, RatingsTask)), None)
        found: dict[str, list[PlannedTrial]] = {}
        for trial in first_design.deal(preference, ratings, clips, row, config.seed):
            found.setdefault(trial.block, []).append(trial)
        return found
    key = (config.seed, repr(tasks), clips)
    dealer = _DEALERS.pop(key, None) or Dealer(tasks, clips, config.seed)
    _DEALERS[key] = dealer
    while len(_DEALERS) > 8:
        _DEALERS.popitem(last=False)
    return dealer.row(row)


@dataclass
class _Session:
    """What one person hears, task after task: clips, and numbers of compared pairs by taste; `asked`: which settings ask for them."""

    row: int
    clips: set[int] = field(default_factory=set)
    compared: set[tuple[str, int]] = field(default_factory=set)
    alone: set[tuple[str, int]] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)


class Dealer:
    """Deals row after row from the counts of the rows before.

    Comparisons are dealt first, since they need two clips that are free; then whatever is heard alone.
    """

    def __init__(self, tasks: Sequence[Task], clips: tuple[Clip, ...], seed: int):
        self.seed = seed
        compared = [t for t in tasks if isinstance(t, PreferenceTask)]
        alone = [t for t in tasks if isinstance(t, Single)]
        self.tables: list[Compared | Alone] = [Compared(t, clips, bool(alone)) for t in compared]
        self.tables += [Alone(t, clips) for t in alone]
        self.rows: list[dict[str, list[PlannedTrial]]] = []

    def row(self, row: int) -> dict[str, list[PlannedTrial]]:
        """Trials of a row, by task."""
        while len(self.rows) <= row:
            first = len(self.rows)
            dealt: dict[str, list[list[PlannedTrial]]] = {table.task.block: [] for table in self.tables}
            for n in range(first, first + CHUNK):
                session = _Session(n)
                for i, table in enumerate(self.tables):
                    trials = table.deal(session, np.random.default_rng([self.seed, n, i]))
                    dealt[table.task.block].append(trials)
            for i, table in enumerate(self.tables):
                found = dealt[table.task.block]
                if isinstance(table, Compared):
                    found = table.sided(found, first)
                for n, trials in enumerate(found):
                    rng = np.random.default_rng([self.seed, first + n, i, 1])
                    found[n] = with_repeats(trials, table.task.repeats, table.again, rng)
                dealt[table.task.block] = found
            self.rows += [{block: rows[n] for block, rows in dealt.items()} for n in range(CHUNK)]
        return self.rows[row]


class Compared:
    """Pairs of a comparison: which taste, conditions and clips, in which places, on which sides."""

    def __init__(self, task: PreferenceTask, clips: Sequence[Clip], others: bool):
        self.task = task
        self.found = {(c.taste, c.model, c.number): c for c in clips}
        self.kinds = [p for p in task.pairs if {p[0], p[1]} <= {c.model for c in clips}]
        if not self.kinds:
            named = " or ".join(f"{a} with {b}" for a, b in task.pairs)
            raise ExperimentError(f"{task.block}: there are no clips of both conditions to compare {named}")
        wanted = {name for pair in self.kinds for name in pair}
        self.tastes = list(dict.fromkeys(c.taste for c in clips if c.model in wanted))
        self.numbers = {t: sorted({c.number for c in clips if c.taste == t and c.model in wanted}) for t in self.tastes}
        rounds = -(-task.trials // len(self.tastes))
        others = (
            others and len(self.tastes) > 1
        )  # what is heard alone has a number of its own, where numbers are prompts
        count, needed = min(map(len, self.numbers.values())), rounds + (1 if others else 0)
        if count < needed:
            raise ExperimentError(
                f"{count} clips a taste are too few for {task.trials} preference trials"
                f"{' and the ratings' if others else ''} without hearing one twice; "
                f"make at least {needed} (clips_per_taste), or declare replicate = true"
            )
        self.rotation = Rotation(len(self.tastes), task.trials, len(self.kinds))
        self.sides = Sides()
        self.met: Counter[Any] = Counter()
        self.again: Counter[Any] = Counter()

    def deal(self, session: _Session, rng: np.random.Generator) -> list[PlannedTrial]:
        """One row."""
        places = self.rotation.row(session.row)
        session.asked.append(f"trials of {self.task.block}")
        if self.task.order == "random":
            places = [places[i] for i in rng.permutation(len(places))]
        trials = []
        for at, place in enumerate(places):
            taste, (over, under) = self.tastes[place.taste], self.kinds[place.kind]
            own = self.numbers[taste]
            turn = own[self.rotation.clip(place, len(own))]
            first = self._first(session, taste, over, under, at, turn)
            second = self._second(session, taste, over, under, first) if self.task.match == "crossed" else first
            self.met.update(
                [
                    (taste, over, under, first),
                    ("at", taste, over, under, first, at),
                    (taste, over, under, first, second),
                ]
            )
            ahead, then = self._clip(taste, over, first), self._clip(taste, under, second)
            session.clips |= {ahead.id, then.id}
            session.compared |= {(taste, first), (taste, second)}
            trials.append(PlannedTrial(self.task.block, taste, ahead.id, then.id, (ITEM,)))
        return trials

    def sided(self, rows: list[list[PlannedTrial]], first: int) -> list[list[PlannedTrial]]:
        """Some rows, of which the first is number `first`, with sides: till now whose answer is over the middle is ahead."""
        condition = {c.id: c.model for c in self.found.values()}
        pairs = []
        for n, trials in enumerate(rows, first):
            for at, t in enumerate(trials):
                pair = (t.first, t.second)
                kind = tuple(condition[c] for c in pair if c is not None)
                whole = [("place", at), ("quarter", n * 4 // CHUNK, at), ("met", pair, at), ("taste", t.taste), kind]
                # Named twice, a row counts for more than what is summed over rows.
                pairs.append((pair, [("row", n), ("row", n), *whole]))
        straight = iter(self.sides.choose(pairs))
        return [
            [t if next(straight) else replace(t, first=t.second, second=t.first) for t in trials] for trials in rows
        ]

    def _first(self, session: _Session, taste: str, over: str, under: str, at: int, turn: int) -> int:
        """Number of a pair: whose turn it is, or else the one that was heard least often."""

        def free(number: int) -> bool:
            if self.task.match == "crossed":
                return self._clip(taste, over, number).id not in session.clips
            return (taste, number) not in session.compared

        own = [n for n in self.numbers[taste] if free(n)]
        if not own:
            raise ExperimentError(f"no unheard pair of {taste!r} is left to compare; make more (clips_per_taste)")
        if turn in own:
            return turn
        unit = (taste, over, under)
        return min(own, key=lambda n: (self.met[*unit, n], self.met["at", *unit, n, at], (n - turn) % (max(own) + 1)))

    def _second(self, session: _Session, taste: str, over: str, under: str, first: int) -> int:
        """Number of the clip that a clip is crossed with: the next other one each time it comes, if that is free."""
        every = self.numbers[taste]
        own = [n for n in every if n != first and self._clip(taste, under, n).id not in session.clips]
        if not own:
            raise ExperimentError(f"no clip of {taste!r} is left to cross pairs with; make more (clips_per_taste)")
        step = 1 + self.met[taste, over, under, first] % (len(every) - 1)
        turn = every[(every.index(first) + step) % len(every)]
        return turn if turn in own else min(own, key=lambda n: (self.met[taste, over, under, first, n], n))

    def _clip(self, taste: str, condition: str, number: int) -> Clip:
        try:
            return self.found[taste, condition, number]
        except KeyError:
            bare = dict.fromkeys(c.model for c in self.found.values() if not c.taste)
            if bare and (condition in bare or not taste) and len(self.numbers) > 1:
                raise ExperimentError(
                    f"the tracks of {', '.join(bare)} have no taste, by which clips are paired; name each one's in tracks.csv (file,taste) "
                    "beside them"
                ) from None
            numbers: dict[str, set[int]] = {condition: set()}
            for of, name, n in self.found:
                if of == taste:
                    numbers.setdefault(name, set()).add(n)
            other = next((name for name, there in numbers.items() if number in there), condition)
            raise ExperimentError(unpaired(taste, number, condition, other, numbers)) from None


class Alone:
    """Clips heard alone: of a taste and condition the one that was heard least often, at its place least often."""

    def __init__(self, task: Single, clips: Sequence[Clip]):
        self.task = task
        names = list(task.conditions) or list(dict.fromkeys(c.model for c in clips))
        self.pool = [c for c in clips if c.model in names]
        if not self.pool:
            raise ExperimentError(f"there are no clips of {', '.join(names)} to rate")
        self.tastes = list(dict.fromkeys(c.taste for c in self.pool))
        self.conditions = [n for n in names if any(c.model == n for c in self.pool)]
        if len(self.tastes) == 1 and task.clips > len(self.pool):
            raise ExperimentError(f"{task.clips} clips a person are asked for and only {len(self.pool)} are there")
        self.rotation = Rotation(len(self.tastes), task.clips, len(self.conditions))
        self.heard: Counter[Any] = Counter()
        self.again: Counter[Any] = Counter()

    def deal(self, session: _Session, rng: np.random.Generator) -> list[PlannedTrial]:
        """One row."""
        trials, places = [], [(p.taste, p.kind) for p in self.rotation.row(session.row)]
        session.asked.append(f"clips of {self.task.block}")
        for at, place in enumerate(places):
            taste, condition = self.tastes[place[0]], self.conditions[place[1]]
            free = [
                c
                for c in self.pool
                if (c.taste, c.model) == (taste, condition)
                and c.id not in session.clips
                and (len(self.tastes) == 1 or (taste, c.number) not in session.compared)
            ]
            if not free:
                cell = sum((c.taste, c.model) == (taste, condition) for c in self.pool)
                left = sum(p == place for p in places[at:])
                raise ExperimentError(unheard(taste, condition, cell, cell + left, session.asked[::-1]))
            drawn = dict(zip((c.id for c in free), rng.permutation(len(free)), strict=True))
            clip = min(free, key=lambda c: self._crowded(c, at, session, int(drawn[c.id])))
            session.clips.add(clip.id)
            session.alone.add((taste, clip.number))
            self.heard.update([clip.id, (clip.id, at)])
            items = list(self.task.items)
            if isinstance(self.task, RatingsTask) and self.task.shuffled:
                rng.shuffle(items)
            trials.append(PlannedTrial(self.task.block, taste, clip.id, None, tuple(items)))
        return trials

    def _crowded(self, clip: Clip, at: int, session: _Session, drawn: int) -> tuple[int, ...]:
        numbered = int((clip.taste, clip.number) in session.alone)
        return self.heard[clip.id], self.heard[clip.id, at], numbered, drawn


def with_repeats(
    trials: list[PlannedTrial], repeats: int, again: Counter[Any], rng: np.random.Generator
) -> list[PlannedTrial]:
    """Some trials of the first half once more among the last quarter: those that were repeated least often."""
    early = trials[: max(1, len(trials) // 2)]
    out = list(trials)
    if not repeats:
        return out
    drawn = rng.permutation(len(early))
    order = sorted(range(len(early)), key=lambda i: (again[early[i].first, early[i].second], int(drawn[i])))
    for i in order[:repeats]:
        old = early[i]
        again[old.first, old.second] += 1
        once_more = PlannedTrial(old.block, old.taste, old.first, old.second, old.items, repeated=True)
        out.insert(int(rng.integers(-(-3 * len(trials) // 4), len(out) + 1)), once_more)
    return out


_DEALERS: OrderedDict[Any, Dealer] = OrderedDict()
