"""What a study is declared as, in each of its versions, and how two declarations differ.

A study that somebody took part in keeps its design. Its limits, its languages and its wording may be amended
(`experiment.amending`); what a study file says otherwise without that counts for nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from experiment.config import ExperimentConfig, stored_config
from experiment.data.tables import Declaration, SessionRow, StudyRow
from experiment.errors import ExperimentError
from experiment.headphones import SIDES

Texts = dict[str, dict[str, Any]]  # by language, as `experiment.texts` gives them
# What differs from booth to booth, and how bots are told: nobody needs to declare it.
ASIDE = {"texts", "font", "disk_gb", "design", "effects", "logo", "triggers", "web"}
TABLES = {"tasks", "preference", "ratings", "affect", "questionnaires"}  # `sequence` says what they come to
LIMITS = {"minimum_age", "resume_hours", "replays", "dead_time", "target", "psytoolkit"}
WORDS = {"words", "labels", "opposite", "title", "text", "question"}  # of a task, by language
NOTICES = ("debrief", "completion")
FREE = ("imported", "pilot")  # sessions of these kinds bind no study to a design
SHOWN = 60  # characters of a text that a line tells


@dataclass(frozen=True)
class Change:
    """One thing that two declarations say differently.

    Attributes
    ----------
    where : str
        E.g. ``resume_hours``, ``texts.en.preference.question``.
    was, now : str
        What each says; empty where one says nothing.
    weight : {"limit", "spelling", "text", "wording"}
        Of a text: whether its letters are the same, whether it is around the questions, or of a question itself.
    """

    where: str
    was: str
    now: str
    weight: str = "limit"

    def line(self) -> str:
        """For people."""
        was, now = (x if self.weight == "limit" and x else _short(x) for x in (self.was, self.now))
        return f"{self.where}: {was} -> {now}"


def _short(text: str) -> str:
    said = " ".join(text.split())
    return repr(said if len(said) <= SHOWN else said[: SHOWN - 3] + "...") if text else "(nothing)"


def current(s: Session, study_id: int) -> Declaration | None:
    """The last version; None of a study that an older tastelab entered."""
    query = select(Declaration).where(Declaration.study_id == study_id).order_by(Declaration.number.desc()).limit(1)
    return s.scalar(query)


def number_of(s: Session, study_id: int) -> int | None:
    """The number of the version that counts now."""
    return s.scalar(select(func.max(Declaration.number)).where(Declaration.study_id == study_id))


def structure(config: ExperimentConfig, languages: Iterable[str]) -> dict[str, Any]:
    """What of a study can't be amended: all but limits, words and languages; of tastes the order in which they are offered."""
    kept = set(languages)
    said = config.model_dump(
        mode="json", exclude=ASIDE | TABLES | LIMITS | {"languages", "groups", "taste_words", "consent", *NOTICES}
    )
    said["level"].pop("days")
    said["attention"].pop("fastest")
    tasks = [_wordless(task.model_dump(mode="json")) for task in config.sequence()]
    groups = [g.model_dump(mode="json", exclude={"quota"}) for g in config.groups]
    order = {language: list(words) for language, words in config.taste_words.items() if language in kept}
    return said | {"tasks": tasks, "groups": groups, "tastes": order}


def _wordless(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: bool(v) if k in WORDS else _wordless(v) for k, v in node.items()}
    return [_wordless(x) for x in node] if isinstance(node, list) else node


def differences(old: ExperimentConfig, new: ExperimentConfig) -> list[Change]:
    """What two declarations of one design say differently in limits, languages and the study file's own words."""
    kept = [x for x in old.languages if x in new.languages]
    found = []
    if old.languages != new.languages:
        found.append(Change("languages", ", ".join(old.languages), ", ".join(new.languages)))
    before, after = dict(_leaves(_amendable(old, kept))), dict(_leaves(_amendable(new, kept)))
    for where in dict.fromkeys([*before, *after]):
        if before.get(where) != after.get(where):
            weight = "text" if where.split(".")[0] in ("tasks", "taste_words", "consent", *NOTICES) else "limit"
            found.append(Change(where, before.get(where, ""), after.get(where, ""), weight))
    return found


def text_changes(old: Texts, new: Texts, config: ExperimentConfig) -> list[Change]:
    """What participants read otherwise, in languages that both have, among the texts that the study shows."""
    found = []
    for language in [x for x in old if x in new]:
        before = dict(_leaves(used(old[language], config)))
        after = dict(_leaves(used(new[language], config)))
        found += [
            Change(f"texts.{language}.{where}", before.get(where, ""), after.get(where, ""), "text")
            for where in dict.fromkeys([*before, *after])
            if before.get(where) != after.get(where)
        ]
    return found


def used(words: dict[str, Any], config: ExperimentConfig) -> dict[str, Any]:
    """The texts of one language that a study shows: not those of kinds of task, checks and questions that it has not."""
    kinds = {task.kind for task in config.sequence()}
    felt = {str(item) for task in config.sequence() for item in getattr(task, "after", ())}
    optional = {
        "preference": "preference" in kinds or config.practice,
        "ratings": "ratings" in kinds,
        "identification": "identification" in kinds,
        "practice": config.practice,
        "pause": config.pause,
        "sound": config.sound_check,
        "level": config.level.by == "participant",
        "headphones": config.headphones != "off" or config.sides,
        "attention": bool(config.attention.questions or config.attention.listening),
        "affect": bool(felt),
        "web": False,  # what a browser says around the session
        "keys": False,  # which keys answer, in a corner
    }
    kept = {k: v for k, v in words.items() if optional.get(k, True)}
    if "told" in kept:  # what frames the consent's fields, of those that say something
        needed = config.consent.needed()
        kept["told"] = {k: v for k, v in kept["told"].items() if f"told.{k}" in needed}
    if "headphones" in kept and not config.sides:
        kept["headphones"] = {k: v for k, v in kept["headphones"].items() if not k.startswith(SIDES)}
    if "affect" in kept:
        kept["affect"] = {k: v for k, v in kept["affect"].items() if k in felt}
    return kept


def _amendable(config: ExperimentConfig, languages: list[str]) -> dict[str, Any]:
    """Limits and words of a study file, in some languages."""
    said = config.model_dump(mode="json", include=LIMITS)
    return {
        **said,
        "level": {"days": config.level.days},
        "attention": {"fastest": config.attention.fastest},
        "groups": {g.name: {"quota": g.quota} for g in config.groups},
        "consent": config.consent.model_dump(mode="json"),
        **{x: _words(told.model_dump(mode="json"), languages) for x in NOTICES if (told := getattr(config, x))},
        "tasks": {task.block: _words(task.model_dump(mode="json"), languages) for task in config.sequence()},
        "taste_words": {x: config.taste_words.get(x, {}) for x in languages},
    }


def _words(node: Any, languages: list[str]) -> Any:
    if isinstance(node, list):
        return {x.get("name") or str(k): _words(x, languages) for k, x in enumerate(node) if isinstance(x, dict)}
    found = {}
    for key, value in node.items():
        if key in WORDS and isinstance(value, dict):
            found[key] = {x: value[x] for x in languages if x in value}
        elif isinstance(value, (dict, list)):
            found[key] = _words(value, languages)
    return found


def _leaves(node: Any, above: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{above}.{key}" if above else str(key))
    elif isinstance(node, list):
        for k, value in enumerate(node):
            yield from _leaves(value, f"{above}.{k + 1}")
    elif node is not None:
        yield above, str(node)


def same_design(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether two definitions declare the same sessions, however they say it; options that came later have their defaults.

    What may be amended is not compared, nor what differs from booth to booth. How clips are dealt stays as it began: a study
    that began does not go back to an older way.
    """
    try:
        then, now = stored_config(old), stored_config(new)
    except ValidationError:
        return old.get("experiment") == new.get("experiment")
    if now.design != then.design and now.design == "0.1":
        return False
    kept = set(then.languages) & set(now.languages)
    return structure(then, kept) == structure(now.model_copy(update={"design": then.design}), kept)


def told_otherwise(row: Declaration, definition: dict[str, Any], texts: Texts | None) -> list[Change]:
    """How a study file of the same design differs from the version that counts."""
    try:
        then, now = stored_config(row.definition), stored_config(definition)
    except ValidationError:
        return []
    found = differences(then, now.model_copy(update={"design": then.design}))
    return found + (text_changes(row.texts, texts, now) if row.texts is not None and texts is not None else [])


def enter(
    s: Session,
    study_id: int,
    definition: dict[str, Any],
    texts: Texts | None,
    note: str | None = None,
    wording: str | None = None,
    changes: Iterable[Change] = (),
) -> int:
    """Store a version; from here on it counts. Returns its number."""
    number = (number_of(s, study_id) or 0) + 1
    row = Declaration(study_id=study_id, number=number, note=note, wording=wording, definition=definition, texts=texts)
    row.changes = [asdict(c) for c in changes]
    s.add(row)
    s.flush()
    return number


def began(s: Session, study_id: int) -> bool:
    """Whether anybody took part in earnest (or a bot did), so that the design stays."""
    query = select(SessionRow.id).where(SessionRow.study_id == study_id, SessionRow.kind.not_in(FREE)).limit(1)
    return s.scalar(query) is not None


def only_tried(s: Session, study_id: int) -> str:
    """What an error adds where nobody but simulated people binds a study; else nothing."""
    kinds = set(s.scalars(select(SessionRow.kind).where(SessionRow.study_id == study_id).distinct())) - set(FREE)
    return (
        ". Only simulated people took part: 'tastelab experiment discard-bots' deletes them, and the file counts as it is"
        if kinds == {"bot"}
        else ""
    )


def enter_study(
    s: Session, name: str, title: str, definition: dict[str, Any], texts: Texts | None, going_on: bool
) -> int:
    """Enter a study or what it is declared as now; refuses what differs from what began (`Store.ensure_study`)."""
    row = s.scalar(select(StudyRow).where(StudyRow.name == name))
    if row is None:
        row = StudyRow(name=name, title=title, definition=definition)
        s.add(row)
        s.flush()
    bound = began(s, row.id)
    if bound and row.definition != definition and not same_design(row.definition, definition):
        raise ExperimentError(
            f"study {name!r} already has sessions under another [experiment] table; give the new design another name, or "
            "another --db" + only_tried(s, row.id)
        )
    if not bound:
        row.definition = definition
    counts = current(s, row.id)
    if counts is None or (not bound and (counts.definition, counts.texts) != (definition, texts or counts.texts)):
        enter(s, row.id, row.definition, texts)
        return row.id
    if counts.texts is None and texts is not None:
        counts.texts = texts  # what earlier sessions read nobody stored
    said = told_otherwise(counts, definition, texts) if bound and not going_on else []
    if said:
        more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
        raise ExperimentError(
            f"study {name!r} was declared otherwise when it began: {said[0].line()}{more}; say why with 'tastelab study amend "
            "--note WHY', or put it back; unfinished sessions go on as they were declared" + only_tried(s, row.id)
        )
    return row.id
