"""What of a study file can't be run, found when it is read; and what a person will meet in the sessions that it declares."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.config import AnalysisConfig
from experiment.config import DEMOGRAPHICS, ExperimentConfig
from stimuli.config import StimuliConfig

if TYPE_CHECKING:
    from experiment.design import Clip, PlannedTrial

WORDS_A_MINUTE = 200  # silent reading of plain text by adults (Brysbaert 2019: 238), and some to spare
SECONDS = {"demographics": 5.0, "preference": 6.0, "ratings": 3.0, "affect": 4.0}  # of one answer, about
QUESTIONNAIRE = 5.0


def problems(stimuli: StimuliConfig, asked: ExperimentConfig, analysis: AnalysisConfig) -> Iterator[str]:
    """What can't be run though each table by itself is right: one line each."""
    yield from _clips(stimuli, asked)
    yield from _names([t.name for t in stimuli.tastes], asked, analysis)
    yield from _declared(asked, analysis)
    yield from _texts(asked)


def _names(tastes: list[str], asked: ExperimentConfig, analysis: AnalysisConfig) -> Iterator[str]:
    """Tastes that are spoken of and do not exist, or that a person would read by their name in the data."""
    named = [(h.taste, "analysis.hypotheses") for h in analysis.hypotheses]
    named += [(e.taste, "analysis.equivalence") for e in analysis.equivalence]
    for language, words in asked.taste_words.items():
        named += [(taste, f"experiment.taste_words.{language}") for taste in words]
    for taste, where in named:
        if taste not in tastes:
            yield f"{where}: taste {taste!r} is not among the stimuli's{nearest(taste, tastes)}"
    if asked.preference:
        for language in asked.languages:
            lacking = [t for t in tastes if t not in asked.taste_words.get(language, {})]
            if lacking:
                yield f"experiment.taste_words.{language} has no word for {lacking[0]!r}, which the question asks about"


def _declared(asked: ExperimentConfig, analysis: AnalysisConfig) -> Iterator[str]:
    """Tests of a task that there is not, bounds and factors that the scales do not have, groups that nobody is asked for."""
    for name, declared in (("hypotheses", analysis.hypotheses), ("equivalence", analysis.equivalence)):
        if declared and asked.preference is None:
            yield f"analysis.{name} are about [experiment.preference], which this study does not have"
    if asked.preference:
        half = (asked.preference.high - asked.preference.low) / 2
        for e in analysis.equivalence:
            if e.bound >= half:
                yield f"analysis.equivalence: bound = {e.bound:g} of {e.taste} is not under {half:g}, half of the scale"
    if isinstance(analysis.factors, int):
        items = len(asked.ratings.adjectives) if asked.ratings else 0
        if analysis.factors > max(1, (items - 1) // 2):
            yield f"analysis.factors = {analysis.factors}: {items} adjectives carry {max(1, (items - 1) // 2)} at most"
    known = ["language", *DEMOGRAPHICS]
    for group in analysis.groups:
        if group not in known:
            yield f"analysis.groups: nobody is asked for {group!r}{nearest(group, known)}"


def _texts(asked: ExperimentConfig) -> Iterator[str]:
    """Languages without texts, texts without a word, words without their placeholder."""
    from experiment.errors import ExperimentError
    from experiment.texts import texts

    for language in asked.languages:
        try:
            texts(language, asked.texts)
        except ExperimentError as error:
            yield f"experiment.languages: {error}"


def _clips(stimuli: StimuliConfig, asked: ExperimentConfig) -> Iterator[str]:
    """Tasks that the clips can't fill."""
    from experiment.errors import ExperimentError

    if stimuli.source == "given":
        if asked.preference:
            yield "experiment.preference compares two models; given tracks (source = 'given') have none"
        if asked.ratings and asked.ratings.models != ["given"]:
            yield "experiment.ratings.models: given tracks are rated with models = ['given']"
    elif asked.ratings and "given" in asked.ratings.models:
        yield "experiment.ratings.models: 'given' needs source = 'given' in [stimuli]"
    else:
        try:
            for row in range(4 * len(stimuli.tastes)):
                _plan(stimuli, asked, row)
        except ExperimentError as error:
            yield f"experiment: {error}"


def _plan(stimuli: StimuliConfig, asked: ExperimentConfig, row: int) -> list[PlannedTrial]:
    from experiment.design import plan

    return plan(asked, _planned_clips(stimuli, asked), row)


def _planned_clips(stimuli: StimuliConfig, asked: ExperimentConfig) -> list[Clip]:
    """The clips that there will be, as the design sees them; of given tracks as many as are rated, at least."""
    from experiment.design import Clip

    if stimuli.source == "given":
        n = max(stimuli.clips_per_taste, asked.ratings.clips if asked.ratings else 0)
        names = [("", "given", k) for k in range(n)]
    else:
        models = ("base", "finetuned")
        names = [(t.name, m, k) for t in stimuli.tastes for m in models for k in range(stimuli.clips_per_taste)]
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


def met(stimuli: StimuliConfig, asked: ExperimentConfig, language: str) -> list[Part]:
    """What a person meets in a session, part by part, and all together; minutes are an estimate.

    Clips are heard once; questions take what people are known to take (`SECONDS`), texts `WORDS_A_MINUTE`.
    """
    from experiment.texts import texts

    words, seconds = texts(language, asked.texts), stimuli.seconds
    found: dict[str, list[PlannedTrial]] = {}
    for trial in _plan(stimuli, asked, 0):
        found.setdefault(trial.block, []).append(trial)
    parts = [Part("consent", 2, 0, 0, _reading(words["consent"], ["title", "text", "special_title", "special_text"]))]
    for block, trials in found.items():
        if any(t.first is not None for t in trials) and not any(p.part == "ears" for p in parts):
            parts += _ears(asked, words)
        questions = sum(len(t.items) for t in trials)
        clips = 0 if block == "affect" else sum(c is not None for t in trials for c in (t.first, t.second))
        each = SECONDS.get(block, QUESTIONNAIRE)
        intro = block in ("preference", "ratings")
        read = _reading(words[block], ["intro_title", "intro"]) if intro else 0.0
        minutes = (questions * each + clips * seconds) / 60 + read
        parts.append(Part(block, questions + clips + intro, questions, clips, minutes))
    if asked.pause and "preference" in found and "ratings" in found:
        parts.append(Part("pause", 1, 0, 0, _reading(words["pause"], ["title", "text"])))
    parts.append(Part("end", 1, 0, 0, _reading(words["end"], ["title", "text"])))
    total = [sum(getattr(p, name) for p in parts) for name in ("screens", "questions", "clips", "minutes")]
    return [*parts, Part("all", *total)]


def _ears(asked: ExperimentConfig, words: dict[str, Any]) -> list[Part]:
    """Sound check, level, headphone tests and practice, before the first clip; none where all are off."""
    tests = {"off": 0, "both": 2}.get(asked.headphones, 1)
    practice = asked.practice and asked.preference is not None
    screens = int(asked.sound_check) + int(asked.level.by == "participant") + 7 * tests + 4 * int(practice)
    seconds = 10.0 * asked.sound_check + 10.0 * (asked.level.by == "participant") + 45.0 * tests + 12.0 * practice
    read = _reading(words["sound"], ["text"]) * asked.sound_check + _reading(words["practice"], ["text"]) * practice
    return [Part("ears", screens, 0, 0, seconds / 60 + read)] if screens else []


def _reading(section: dict[str, Any], keys: list[str]) -> float:
    return sum(len(str(section[k]).split()) for k in keys if k in section) / WORDS_A_MINUTE


def nearest(word: str, known: list[str]) -> str:
    """The nearest of some names as the end of a sentence, or all of them."""
    near = difflib.get_close_matches(word, sorted(known), 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"
