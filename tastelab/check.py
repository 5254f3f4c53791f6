"""What of a study file can't be run, found when it is read; and what a person will meet in the sessions that it declares."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from analysis.config import AnalysisConfig, factors_carried
from experiment.config import ExperimentConfig
from experiment.design import SPECIAL
from experiment.headphones import tests_of
from experiment.minutes import answering, closing, ears, reading, written
from experiment.tasks.own import QuestionsTask
from experiment.tasks.pages import PageTask
from experiment.tasks.preference import PreferenceTask, compared
from experiment.tasks.ratings import RatingsTask
from experiment.tasks.task import DEMOGRAPHICS, RESERVED, Clip, PlannedTrial, Task
from models.conditions import Condition, earlier
from stimuli.config import StimuliConfig
from stimuli.errors import StimulusError
from stimuli.names import places
from stimuli.tracks import tracks_in

Conditions = Sequence[Condition]
SESSIONS = 48  # over which balance is counted where a study says no target


def problems(
    stimuli: StimuliConfig, asked: ExperimentConfig, analysis: AnalysisConfig, conditions: Conditions = ()
) -> Iterator[str]:
    """What can't be run though each table by itself is right: one line each.

    Where `conditions` are not said, here and below, they are the two of version 0.1.
    """
    yield from _clips(stimuli, asked, conditions)
    yield from _names([t.name for t in stimuli.tastes], asked, analysis)
    yield from _declared(asked, analysis)
    yield from _texts(asked)
    yield from _logo(asked)


def _names(tastes: list[str], asked: ExperimentConfig, analysis: AnalysisConfig) -> Iterator[str]:
    """Tastes that are spoken of and do not exist, or that a person would read by their name in the data."""
    named = [(h.taste, "analysis.hypotheses") for h in analysis.hypotheses]
    named += [(e.taste, "analysis.equivalence") for e in analysis.equivalence]
    for language, words in asked.taste_words.items():
        named += [(taste, f"experiment.taste_words.{language}") for taste in words]
    for taste, where in named:
        if taste not in tastes and not (taste == "all" and where.startswith("analysis.")):
            yield f"{where}: taste {taste!r} is not among the stimuli's{nearest(taste, tastes)}"
    if any(task.tastes_named for task in asked.sequence()):
        for language in asked.languages:
            lacking = [t for t in tastes if t not in asked.taste_words.get(language, {})]
            if lacking:
                yield f"experiment.taste_words.{language} has no word for {lacking[0]!r}, which the question asks about"


def _declared(asked: ExperimentConfig, analysis: AnalysisConfig) -> Iterator[str]:
    """Tests of a task that there is not, bounds and factors that the scales do not have, groups that nobody is asked for."""
    preference, ratings = asked.task(PreferenceTask), asked.task(RatingsTask)
    for name, declared in (("hypotheses", analysis.hypotheses), ("equivalence", analysis.equivalence)):
        if declared and preference is None:
            yield f"analysis.{name} are about [experiment.preference], which this study does not have"
    yield from _scales(asked)
    if preference:
        half = (preference.high - preference.low) / 2
        for e in analysis.equivalence:
            if e.bound >= half:
                yield f"analysis.equivalence: bound = {e.bound:g} of {e.taste} is not under {half:g}, half of the scale"
    if isinstance(analysis.factors, int):
        items = len(ratings.adjectives) if ratings else 0
        if analysis.factors > factors_carried(items):
            yield f"analysis.factors = {analysis.factors}: {items} adjectives carry {factors_carried(items)} at most"
    chosen = [i.name for t in asked.sequence() if isinstance(t, QuestionsTask) for i in t.items if i.kind == "choice"]
    known = ["language", *DEMOGRAPHICS, *chosen]
    for group in analysis.groups:
        if group not in known:
            yield f"analysis.groups: nobody is asked for {group!r}{nearest(group, known)}"


def _scales(asked: ExperimentConfig) -> Iterator[str]:
    """Answers to one question on scales that differ: no mean, difference or bound of them has a unit."""
    tasks = [t for t in asked.sequence() if isinstance(t, PreferenceTask | RatingsTask)]
    for first, other in combinations(tasks, 2):
        if (first.low, first.high) == (other.low, other.high):
            continue
        ends = " and ".join(f"{t.block!r} {t.low} to {t.high}" for t in (first, other))
        if isinstance(first, PreferenceTask) and isinstance(other, PreferenceTask):
            yield f"experiment.tasks: comparisons on different sliders ({ends}) can't be analysed together; give them one low and high"
        elif isinstance(first, RatingsTask) and isinstance(other, RatingsTask):
            words = {a.name for a in first.adjectives}
            shared = [a.name for a in other.adjectives if a.name in words]
            if shared:
                yield f"experiment.tasks: {shared[0]!r} is rated on different scales ({ends}); give them one low and high"


def _texts(asked: ExperimentConfig) -> Iterator[str]:
    """Languages without texts, texts without a word, words without their placeholder."""
    from experiment.errors import ExperimentError
    from experiment.texts import FOLDER, lacking, texts

    tasks = [task for task in asked.sequence() if task.heard]
    after = [item for task in tasks for item in getattr(task, "after", ())]
    own = [i for task in asked.sequence() if isinstance(task, QuestionsTask) for i in task.items]
    hints = {"multiple": ("several", "up_to"), "text": ("write", "may_write")}
    needed = [text for kind, texts_of in hints.items() if any(i.kind == kind for i in own) for text in texts_of]
    needed += asked.consent.needed() + (["headphones.sides", "headphones.sides_question"] if asked.sides else [])
    needed += ["attention.steps", "attention.slider"] if asked.attention.questions else []
    needed += ["attention.title", "attention.tones", "attention.tones_question"] if asked.attention.listening else []
    for language in asked.languages:
        try:
            missing = lacking(texts(language, asked.texts), [task.kind for task in tasks], after, needed)
        except ExperimentError as error:
            yield f"experiment.languages: {error}"
            continue
        if missing:
            yield f"experiment.texts: the texts in {language!r} lack {missing}, which this study needs; see {FOLDER / 'en.toml'}"


def _logo(asked: ExperimentConfig) -> Iterator[str]:
    """A picture that there is not, or that can't be shown."""
    if asked.logo is None:
        return
    try:
        head = asked.logo.read_bytes()[:8]
    except OSError:
        yield f"experiment.logo: {asked.logo} can't be read; it is named from where the study file lies"
        return
    if not head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
        yield f"experiment.logo: {asked.logo} is no PNG or JPEG"


def _clips(stimuli: StimuliConfig, asked: ExperimentConfig, conditions: Conditions) -> Iterator[str]:
    """Conditions that there are not, and tasks that the clips can't fill."""
    from experiment.errors import ExperimentError

    there = [c.name for c in conditions or earlier()]
    if len(stimuli.tastes) < 2:
        for c in conditions:
            if c.prompts_of is not None:
                yield f"models.conditions: {c.name!r} has the prompts of {c.prompts_of}, and this study has one taste"
                return
    try:
        planned_clips(stimuli, asked, conditions)
    except StimulusError as error:
        yield f"models.conditions: {error}"
        return
    for task in asked.sequence():
        for name in speaks_of(task):
            if name not in there:
                yield f"experiment.{task.block}: there is no condition {name!r}{nearest(name, there)}"
                return
    for group in asked.groups:
        for name in group.conditions or ():
            if name not in there:
                yield f"experiment.groups: {group.name!r} hears condition {name!r}{nearest(name, there)}"
                return
    for one in group_names(asked):
        try:
            for row in range(4 * len(stimuli.tastes)):
                _plan(stimuli, asked, conditions, row, one)
        except ExperimentError as error:
            yield f"experiment: {'' if one is None else f'group {one}: '}{error}"
            return


def group_names(asked: ExperimentConfig) -> Sequence[str | None]:
    """Names of the groups; one None where all people are alike."""
    return [g.name for g in asked.groups] or [None]


def speaks_of(task: Task) -> list[str]:
    """Conditions that a task speaks of; none where it takes them all."""
    if isinstance(task, PreferenceTask):
        return list(dict.fromkeys(name for pair in task.pairs for name in pair))
    return list(getattr(task, "conditions", ()))


def _plan(
    stimuli: StimuliConfig, asked: ExperimentConfig, conditions: Conditions, row: int, group: str | None = None
) -> list[PlannedTrial]:
    from experiment.design import plan

    return plan(asked, planned_clips(stimuli, asked, conditions), row, group)


def planned_clips(stimuli: StimuliConfig, asked: ExperimentConfig, conditions: Conditions) -> list[Clip]:
    """The clips that there will be, as the design sees them.

    Tracks are those of their folder; where it is not there yet, as many as are heard at least, of every taste where they
    are compared.
    """
    tastes = [t.name for t in stimuli.tastes]
    compared = {name for task in asked.sequence() if isinstance(task, PreferenceTask) for name in speaks_of(task)}
    names: list[tuple[str, str, int]] = []
    for c in conditions or earlier():
        if c.tracks is not None and c.tracks.is_dir():
            names += sorted((t.taste, c.name, t.number) for t in tracks_in(c.tracks, tastes))
        elif c.tracks is not None and c.name not in compared:
            n = max(stimuli.clips_per_taste, *(getattr(task, "clips", 0) for task in asked.sequence()))
            names += [("", c.name, k) for k in range(n)]
        else:
            names += [(t, c.name, k) for t in tastes for k in range(stimuli.clips_per_taste)]
    place = {c.name: k for k, c in enumerate(conditions or earlier())}
    order = places(tastes)  # as sessions have them: by taste, in it by condition
    names.sort(key=lambda n: (order[n[0]], place[n[1]], n[2]))
    return [Clip(i, *name) for i, name in enumerate(names)]


@dataclass(frozen=True)
class Part:
    """One part of a session, as a person meets it."""

    part: str
    screens: int
    questions: int
    clips: int
    minutes: float

    def row(self) -> dict[str, Any]:
        """As a table shows it."""
        return {**vars(self), "minutes": round(self.minutes, 1)}


def met(
    stimuli: StimuliConfig,
    asked: ExperimentConfig,
    language: str,
    group: str | None = None,
    conditions: Conditions = (),
) -> list[Part]:
    """What a person (of a group) meets in a session, part by part, and all together; minutes are an estimate.

    Clips are heard once; questions take what people are known to take, texts are read (`experiment.minutes`).
    """
    from experiment.texts import texts

    words, seconds = texts(language, asked.texts), stimuli.seconds
    found: dict[str, list[PlannedTrial]] = {}
    for trial in _plan(stimuli, asked, conditions, 0, group):
        found.setdefault(trial.block, []).append(trial)
    special = any(item in SPECIAL for item in asked.demographics)
    parts = [
        Part(
            "consent", 1 + special, 0, 0, reading(words["consent"], ["title", "text", "special_title", "special_text"])
        )
    ]
    heard = 0
    for block, trials in found.items():
        task = None if block in RESERVED else asked.named(block)
        if task is not None and task.heard and not heard:
            parts += _ears(asked, words)
        questions = sum(len(t.items) for t in trials)
        clips, intro, read = 0, 0, 0.0
        if task is not None and task.heard:
            heard += 1
            clips = sum(c is not None for t in trials for c in (t.first, t.second))
            intro, read = 1, reading(words[task.kind], ["intro_title", "intro"])
        elif isinstance(task, PageTask):
            intro, read = 1, reading({"title": task.title[language], "text": task.text[language]}, ["title", "text"])
        words_of_own = sum(written(task, t.items) for t in trials)
        asked_for = answering(task.kind if task else block, questions, words_of_own)
        minutes = (asked_for + clips * seconds) / 60 + read
        asking = sum(_screens(task, t.items) for t in trials)
        parts.append(Part(block, asking + clips + intro, questions, clips, minutes))
    if asked.pause and heard > 1:
        parts.append(Part("pause", 1, 0, 0, reading(words["pause"], ["title", "text"])))
    last = 0.0 if asked.completion else reading(words["end"], ["title", "text"])
    parts.append(Part("end", 1 + (asked.debrief is not None), 0, 0, last + closing(asked, language)))
    total = [sum(getattr(p, name) for p in parts) for name in ("screens", "questions", "clips", "minutes")]
    return [*parts, Part("all", *total)]


def _screens(task: Task | None, items: Sequence[str]) -> int:
    """On how many screens a trial's items are asked."""
    if not isinstance(task, RatingsTask):
        return len(items)
    screens = 0
    while items:
        screens, items = screens + 1, items[len(task.together(items)) :]
    return screens


def balance(
    stimuli: StimuliConfig, asked: ExperimentConfig, group: str | None = None, conditions: Conditions = ()
) -> list[dict[str, Any]]:
    """How evenly things are heard when all wanted sessions are complete (or `SESSIONS`): a row for each task and thing.

    `fewest` and `most` are counts over all there is of it; it is `even` where they differ by one at most. Counted over the
    plan, which is what sessions run.
    """
    mine = asked.group(group)
    sessions = (mine.quota if mine else asked.target) or SESSIONS
    plans = [_plan(stimuli, asked, conditions, row, group) for row in range(sessions)]
    heard = None if mine is None else mine.conditions
    planned = planned_clips(stimuli, asked, conditions)
    clips = {c.id: c for c in planned if heard is None or c.model in heard}
    rows: list[dict[str, Any]] = []
    for task in asked.sequence(group):
        if task.heard:
            trials = [[t for t in plan if t.block == task.block and not t.repeated] for plan in plans]
            for what, counts in _counted(task, trials, clips).items():
                fewest, most = min(counts), max(counts)
                rows.append(
                    {"task": task.block, "what": what, "even": most - fewest <= 1, "fewest": fewest, "most": most,
                     "sessions": sessions}
                )  # fmt: skip
    return rows


def _counted(task: Task, sessions: list[list[PlannedTrial]], clips: dict[int, Clip]) -> dict[str, list[int]]:
    """Counts of all that there is to hear, by what is counted."""
    heard: dict[str, Counter[Any]] = {}
    places = range(max(map(len, sessions)))
    tastes = sorted({str(t.taste) for trials in sessions for t in trials})
    units: set[Any] = set()
    for trials in sessions:
        for at, t in enumerate(trials):
            unit = (min(t.first or 0, t.second), max(t.first or 0, t.second)) if t.second is not None else t.first
            units.add(unit)
            for what, cell in (
                ("heard", unit),
                ("heard in a place", (unit, at)),
                ("side", (unit, t.first)),
                ("taste in a place", (t.taste, at)),
            ):
                heard.setdefault(what, Counter())[cell] += 1
            if at and trials[at - 1].taste != t.taste:
                heard.setdefault("after", Counter())[trials[at - 1].taste, t.taste] += 1
    out: dict[str, list[int]] = {}
    if isinstance(task, PreferenceTask):
        pairs = list(dict.fromkeys(task.pairs))
        for pair in pairs:
            own = {u for u in units if {clips[i].model for i in u} == set(pair)}
            if task.match == "number":
                there = {(c.taste, c.number, c.model): c.id for c in clips.values()}
                other = [(i, there.get((taste, n, pair[1]))) for (taste, n, m), i in there.items() if m == pair[0]]
                own |= {(min(i, j), max(i, j)) for i, j in other if j is not None}
            if not own:
                continue  # this group does not hear both
            of = "" if len(pairs) == 1 else f" ({', '.join(pair)})"
            out[f"each pair{of}"] = [heard["heard"][u] for u in own]
            out[f"pair in a place{of}"] = [heard["heard in a place"][u, at] for u in own for at in places]
            out[f"pair on a side{of}"] = [heard["side"][u, first] for u in own for first in u]
    else:
        names = speaks_of(task)
        units |= {c.id for c in clips.values() if not names or c.model in names}
        out["each clip"] = [heard["heard"][u] for u in units]
        out["clip in a place"] = [heard["heard in a place"][u, at] for u in units for at in places]
    if len(tastes) > 1:
        out["taste in a place"] = [heard["taste in a place"][t, at] for t in tastes for at in places]
    if len(tastes) > 1 and "after" in heard:
        out["taste after taste"] = [heard["after"][a, b] for a in tastes for b in tastes if a != b]
    return out


def remarks(asked: ExperimentConfig) -> list[str]:
    """What a study's sessions do not do though one might think so, in sentences."""
    told = []
    preference = asked.task(PreferenceTask)
    if preference is not None and preference.replicate:
        told.append(
            "replicate = true draws tastes, sides and clips as the paper did, which balances nothing; the slider starts in "
            "the middle, and all adjectives stand on one page in the file's order."
        )
    if any(getattr(task, "repeats", 0) for task in asked.sequence()):
        told.append("Hidden repeats are left out of the counts, and of every analysis but that of reliability.")
    if asked.shuffle:
        told.append("Parts in which music is heard change places; questionnaires and pages keep theirs.")
    return told


def declared_tests(
    stimuli: StimuliConfig, asked: ExperimentConfig, analysis: AnalysisConfig, conditions: Conditions
) -> str | None:
    """The tests that a study declares before its data, their number and correction; None where nothing is compared."""
    from analysis.page.sentences import counted
    from analysis.preference.pairs import named_pair
    from analysis.preference.questions import Bound, asked_of, corrected_words, declared_words

    pairs = compared(asked.sequence())
    if not pairs:
        return None
    there: dict[str, list[str]] = {}
    for c in planned_clips(stimuli, asked, conditions):
        there.setdefault(c.model, []).append(c.taste)
    tastes = {named_pair(a, b): {*there.get(a, [])} & {*there.get(b, [])} for a, b in pairs}
    tests = asked_of(tastes, analysis)
    family = counted(
        [vars(t) for t in tests if not isinstance(t, Bound)], [vars(t) for t in tests if isinstance(t, Bound)]
    )
    words = ", ".join(declared_words(analysis, len(tastes)))
    return f"Declared before the data: {words}; {corrected_words(family, analysis)}."


def _ears(asked: ExperimentConfig, words: dict[str, Any]) -> list[Part]:
    """Sound check, level, headphone tests and practice before the first clip, and tones to count; none where all are off."""
    tests = len(tests_of(asked.headphones, asked.sides))
    practice = asked.practice and asked.task(PreferenceTask) is not None
    screens = int(asked.sound_check) + int(asked.level.by == "participant") + 7 * tests + 4 * int(practice)
    screens += 3 * asked.attention.listening
    return [Part("ears", screens, 0, 0, ears(asked, words, practice))] if screens else []


def nearest(word: str, known: list[str]) -> str:
    """The nearest of some names as the end of a sentence, or all of them."""
    near = difflib.get_close_matches(word, sorted(known), 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"
