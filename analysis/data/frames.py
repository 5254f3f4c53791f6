"""From participants.db to tidy frames: one row an answer. Kinds of session are never mixed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from analysis.data.compared import Conditions
from analysis.data.fetched import PART, fetched
from analysis.data.identified import IDENTIFIED, REPEATED, identified, nothing, repeated
from analysis.data.numbered import answered, answering, numbered
from analysis.data.planned import Planned, planned
from analysis.data.worded import item_words
from analysis.errors import AnalysisError
from stimuli.names import told

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Engine

MAKINGS = ("taste", "number", "prompt")  # what of a clip's row says which it is, beside its condition
KINDS = {
    "bot": "SIMULATED",
    "person": "people",
    "driven": "DRIVEN TEST SESSION",
    "imported": "imported",
    "pilot": "PILOT",
}


@dataclass(frozen=True)
class StudyData:
    """Tidy data of one study and one kind of session.

    Attributes
    ----------
    people : DataFrame
        One row a participant: `participant` (a number, not the code), `status`, `language`, the study's `group` where it has any, and
        the demographics: `age` as the year that stands for its band, and of special categories only what the study file's
        `[analysis] groups` names; and what was chosen of the study's own questions with one answer.
    preference : DataFrame
        participant, trial, taste, over, under (the conditions compared, as the study declares them), first_model, clip_under,
        clip_over (the clip of each), answer, score (over the middle: `over` fits better).
    ratings : DataFrame
        participant, trial, prompt (the clip's taste), model, clip, adjective, value.
    affect : DataFrame
        participant, trial, prompt, model, clip, item (valence, arousal, familiarity), value; empty where it was not asked.
        All three have `response_time` (s), where it was measured.
    sessions : dict
        Number of sessions of this kind by status, withdrawn ones among them.
    conditions : Conditions
        The study's conditions in their order, what they are called, and which pairs are compared.
    ends : (float, float)
        Of the slider.
    middle : float
        The slider's middle: no preference.
    digest : str
        SHA-256 over all of it, exact ages and special categories too: the same data has the same digest wherever it is stored.
    identification, repeats : DataFrame
        As `analysis.data.identified` has them; empty where no taste was to be named and nothing heard twice.
    planned : Planned
        How much a person was to answer.
    special : list of dict
        Counts of the special categories, over everybody with answers (`demographics`): whose they are is not kept.
    words : dict
        Names of what was rated by the study's words for it (`analysis.data.worded.item_words`).
    """

    study: str
    kind: str
    people: pd.DataFrame
    preference: pd.DataFrame
    ratings: pd.DataFrame
    affect: pd.DataFrame
    middle: float
    sessions: dict[str, int]
    digest: str
    planned: Planned = field(default_factory=Planned)
    identification: pd.DataFrame = field(default_factory=partial(nothing, IDENTIFIED))
    repeats: pd.DataFrame = field(default_factory=partial(nothing, REPEATED))
    conditions: Conditions = field(default_factory=Conditions)
    ends: tuple[float, float] = (0.0, 10.0)
    special: list[dict[str, Any]] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """How figures are marked."""
        return KINDS[self.kind]


def kinds_present(engine: Engine, study: str) -> dict[str, int]:
    """Number of sessions with answers per kind."""
    from sqlalchemy import func, select

    from experiment.data.tables import SessionRow, StudyRow

    with engine.connect() as connection:
        query = (
            select(SessionRow.kind, func.count())
            .join(StudyRow)
            .where(StudyRow.name == study, SessionRow.status.in_(("complete", "stopped", "running")))
            .group_by(SessionRow.kind)
        )
        return {str(k): int(n) for k, n in connection.execute(query)}


def _answered(engine: Engine, study: str) -> set[str]:
    """Kinds of session of which there is an answer."""
    from experiment.data.tables import SessionRow

    with engine.connect() as connection:
        return set(connection.execute(answered(SessionRow.kind, study)).scalars())


def load(engine: Engine, study: str, kind: str | None = None) -> StudyData:
    """Load one study's answers.

    Parameters
    ----------
    kind : str, optional
        ``person``, ``bot``, ``imported`` or ``driven``. By default people, else imported, else bots, else driven:
        the first of which there are answers.

    Raises
    ------
    AnalysisError
        If the study, or this kind of session, is not there.
    """
    import pandas as pd
    from sqlalchemy import func, select
    from sqlalchemy.orm import aliased

    from experiment.data.tables import Participant, Response, SessionRow, Stimulus, StudyRow, Trial

    present = kinds_present(engine, study)
    if not present:
        with engine.connect() as connection:
            known = list(connection.execute(select(StudyRow.name)).scalars())
        if study in known:
            raise AnalysisError(
                f"of study {study!r} nobody's session is left: none was begun, or all withdrew or took no part"
            )
        raise AnalysisError(f"the database has no study {study!r} (studies there: {', '.join(known) or 'none'})")
    if kind is None:
        # A session that was begun and not answered hides nobody's answers.
        there = _answered(engine, study) or set(present)
        kind = next(k for k in ("person", "imported", "bot", "driven", *sorted(there)) if k in there)
    if kind not in present:
        raise AnalysisError(
            f"study {study!r} has no sessions of kind {kind!r}; there are: {', '.join(sorted(present))}"
        )
    first, second = aliased(Stimulus), aliased(Stimulus)
    query = (
        select(
            SessionRow.id.label("session"),
            SessionRow.participant_id.label("participant"),
            SessionRow.status,
            SessionRow.language,
            SessionRow.group_name.label("group"),
            Trial.position.label("trial"),
            Trial.block,
            Trial.taste,
            Trial.repeated,
            Trial.first_id,
            Trial.second_id,
            first.model.label("first_model"),
            second.model.label("second_model"),
            first.clip.label("first_clip"),
            second.clip.label("second_clip"),
            *(getattr(first, column).label(f"first_{column}") for column in MAKINGS),
            *(getattr(second, column).label(f"second_{column}") for column in MAKINGS),
            Response.item,
            Response.value,
            Response.choice,
            Response.response_time,
        )
        .join(Trial, Trial.session_id == SessionRow.id)
        .join(Response, Response.trial_id == Trial.id)
        .join(Participant, Participant.id == SessionRow.participant_id)
        .join(StudyRow, StudyRow.id == SessionRow.study_id)
        .outerjoin(first, first.id == Trial.first_id)
        .outerjoin(second, second.id == Trial.second_id)
        .where(*answering(study, kind))
        .order_by(SessionRow.id, Trial.position, Response.id)
    )
    with engine.connect() as connection:
        rows = fetched(connection, query)
        definition = connection.execute(select(StudyRow.definition).where(StudyRow.name == study)).scalar_one()
        counted = (
            select(SessionRow.status, func.count())
            .join(StudyRow)
            .where(StudyRow.name == study, SessionRow.kind == kind)
            .group_by(SessionRow.status)
        )
        sessions = {str(s): int(n) for s, n in connection.execute(counted)}
    if rows.empty:
        raise AnalysisError(f"study {study!r} has no answers of kind {kind!r} yet")
    for side in ("first", "second"):
        rows[f"{side}_clip"] = _told(rows, side)
    rows["participant"] = rows["participant"].map(numbered(rows["participant"].unique()))
    blocks, (low, high) = _declared(definition)
    rows["kind"] = rows["block"].map(lambda name: blocks.get(name, name))
    # What was heard a second time, unannounced, is for reliability alone.
    repeats = repeated(rows)
    rows = rows[~rows["repeated"].astype(bool)]
    people = _people(rows, own_choices(definition))
    conditions = Conditions.declared(definition)
    preference = _preference(rows, low, high, conditions)
    rows["response_time"] = pd.to_numeric(rows["response_time"])
    ratings, affect = _ratings(rows, "ratings", "adjective"), _ratings(rows, "affect", "item")
    named = identified(rows)
    # Where there is none of them the digest is that of data of before there could be any.
    digest = digest_of((people, preference, ratings, affect, *(x for x in (named, repeats) if not x.empty)))
    middle, wanted = (low + high) / 2, planned(definition)
    coarse, special = coarsened(people, definition)
    return StudyData(
        study, kind, coarse, preference, ratings, affect, middle, sessions, digest, wanted, named, repeats,
        conditions, (low, high), special, item_words(definition),
    )  # fmt: skip


def coarsened(people: pd.DataFrame, definition: dict[str, Any]) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """People as analyses need them, and counts of the special categories that they do not need by person."""
    from experiment.data.ages import coarse_age
    from experiment.design import SPECIAL

    needed = set((definition.get("analysis") or {}).get("groups") or [])
    apart = [name for name in SPECIAL if name in people and name not in needed]
    out = people.drop(columns=apart)
    if "age" in out:
        out["age"] = out["age"].map(coarse_age, na_action="ignore")
    return out, demographics(people[apart])


def slider_ends(definition: dict[str, Any]) -> tuple[float, float]:
    """The ends of the comparisons' slider; 0 and 10 where a study has none."""
    return _declared(definition)[1]


def _declared(definition: dict[str, Any]) -> tuple[dict[str, str], tuple[float, float]]:
    """Kinds of task by the names of their trials' blocks, and the ends of the slider of comparisons."""
    from pydantic import ValidationError

    from experiment.config import stored_config
    from experiment.tasks.preference import PreferenceTask

    try:
        config = stored_config(definition)
    except ValidationError:
        return {}, (0.0, 10.0)
    sliders = list(dict.fromkeys((t.low, t.high) for t in config.sequence() if isinstance(t, PreferenceTask)))
    if len(sliders) > 1:
        ends = " and ".join(f"{low} to {high}" for low, high in sliders)
        raise AnalysisError(f"comparisons on different sliders ({ends}) can't be analysed together")
    low, high = sliders[0] if sliders else (0, 10)
    return {task.block: task.kind for task in config.sequence()}, (float(low), float(high))


def digest_of(frames: Iterable[pd.DataFrame]) -> str:
    """SHA-256 of frames, in this order.

    Where one pair of conditions is compared, the two name the columns of its clips and are not repeated in every row: so
    the data of version 0.1 has the digest that it had then.
    """
    digest = hashlib.sha256()
    for frame in frames:
        pairs = {*zip(frame["over"], frame["under"], strict=True)} if "over" in frame else set()
        if len(pairs) == 1:
            (over, under), *_ = pairs
            named = {"clip_over": f"clip_{over}", "clip_under": f"clip_{under}"}
            frame = frame.drop(columns=["over", "under"]).rename(columns=named)
        for start in range(0, max(1, len(frame)), PART):
            part = frame.iloc[start : start + PART]
            digest.update(part.to_csv(index=False, header=start == 0).encode())
    return digest.hexdigest()


def own_choices(definition: dict[str, Any]) -> list[str]:
    """Names of a study's own questions of which one option is chosen."""
    from pydantic import ValidationError

    from experiment.config import stored_config
    from experiment.tasks.own import Choice, QuestionsTask

    try:
        tasks = stored_config(definition).sequence()
    except ValidationError:
        return []
    return [i.name for t in tasks if isinstance(t, QuestionsTask) for i in t.items if isinstance(i, Choice)]


def _people(rows: pd.DataFrame, own: Sequence[str] = ()) -> pd.DataFrame:
    import pandas as pd

    chosen = (rows["kind"] == "questions") & rows["item"].isin(own)
    asked = rows[(rows["block"] == "demographics") | chosen].copy()
    # Of a study without groups people have no such column, as before there could be any.
    known = ["status", "language", *(["group"] if "group" in rows and rows["group"].notna().any() else [])]
    status = rows.groupby("participant")[known].first()
    if asked.empty:
        return status.reset_index()
    asked["given"] = asked["choice"].where(asked["choice"].notna(), asked["value"])
    wide = asked.pivot_table(index="participant", columns="item", values="given", aggfunc="first")
    wide = wide.join(status, how="right").reset_index()
    wide.columns.name = None
    if "age" in wide:
        wide["age"] = pd.to_numeric(wide["age"])
    return wide


def _preference(rows: pd.DataFrame, low: float, high: float, conditions: Conditions) -> pd.DataFrame:
    from experiment.tasks.preference import KIND

    part = rows[rows["kind"] == KIND].copy()
    sides = [conditions.over_and_under(a, b) for a, b in zip(part["first_model"], part["second_model"], strict=True)]
    part["over"], part["under"] = [over for over, _ in sides], [under for _, under in sides]
    over_first = part["first_model"] == part["over"]
    # The slider runs from the first clip to the second; a score over the middle always means the condition `over`.
    part["score"] = part["value"].where(~over_first, low + high - part["value"])
    part["clip_over"] = part["first_clip"].where(over_first, part["second_clip"])
    part["clip_under"] = part["second_clip"].where(over_first, part["first_clip"])
    part = part.rename(columns={"value": "answer"})
    columns = [
        "participant",
        "trial",
        "taste",
        "over",
        "under",
        "first_model",
        "clip_under",
        "clip_over",
        "answer",
        "score",
    ]
    columns.append("response_time")
    return part[columns].reset_index(drop=True)


def _told(rows: pd.DataFrame, side: str) -> list[str | None]:
    """What analyses call the clips of one side; names in the database may tell nothing."""
    columns = [rows[f"{side}_{name}"] for name in ("clip", "model", *MAKINGS)]
    return [
        told(clip, model, taste, int(number), track or "") if isinstance(clip, str) else None
        for clip, model, taste, number, track in zip(*columns, strict=True)
    ]


def _ratings(rows: pd.DataFrame, block: str, item: str) -> pd.DataFrame:
    part = rows[rows["kind"] == block].copy()
    # A track that stands for no taste is a prompt of its own, as in surveys about tracks.
    part["taste"] = part["taste"].where(part["taste"].astype(bool), part["first_clip"])
    part = part.rename(columns={"taste": "prompt", "first_model": "model", "first_clip": "clip", "item": item})
    columns = ["participant", "trial", "prompt", "model", "clip", item, "value", "response_time"]
    return part[columns].reset_index(drop=True)


def settled(ratings: pd.DataFrame) -> pd.DataFrame:
    """Ratings by person, clip and adjective, in whatever order they were given.

    Sums of many numbers depend on their order in the last digits, draws over rows altogether: the same answers have the same
    results, whether a survey's file tells them clip by clip or a session as they were heard.
    """
    by = [c for c in ("participant", "prompt", "clip", "adjective", "trial") if c in ratings]
    return ratings.sort_values(by, kind="stable", ignore_index=True)


def rated_clips(ratings: pd.DataFrame, items: list[str] | None = None) -> pd.DataFrame:
    """One row a rated clip, a column per adjective, by person and clip; incomplete rows are dropped (as R does)."""
    wide: pd.DataFrame = ratings.pivot_table(
        index=["participant", "prompt", "clip", "trial"], columns="adjective", values="value", aggfunc="first"
    )
    order = items or list(dict.fromkeys(ratings["adjective"]))
    return wide.reindex(columns=sorted(wide.columns) if items is None else order).dropna()


def demographics(people: pd.DataFrame) -> list[dict[str, Any]]:
    """Counts per answer, ages in bands. Cells under five may identify a person: they have no count.

    Where a single cell of an item is without count, the next smallest goes with it: it would follow from the sum.
    """
    from experiment.data.ages import BANDS, age_band

    rows: list[dict[str, Any]] = []
    for item in [
        c
        for c in people.columns
        if c not in ("participant", "status", "age", "language") or (c == "language" and people[c].nunique() > 1)
    ]:
        rows += _suppressed(item, {_answer(item, str(a)): int(n) for a, n in people[item].value_counts().items()})
    if "age" in people:
        given = people["age"].dropna().map(age_band)
        rows += _suppressed("age", {band: int((given == band).sum()) for band in BANDS if (given == band).any()})
    return rows


def _answer(item: str, answer: str) -> str:
    """An answer in words: an imported survey may have a number where nobody published what it means."""
    from experiment.design import SPECIAL

    return f"code {answer} of the survey" if item in SPECIAL and answer.isdigit() else answer


SMALLEST_CELL = 5


def _suppressed(item: str, counts: dict[str, int]) -> list[dict[str, Any]]:
    small = {answer for answer, n in counts.items() if n < SMALLEST_CELL}
    if len(small) == 1 and len(counts) > 1:
        small.add(min((a for a in counts if a not in small), key=lambda a: counts[a]))
    return [{"item": item, "answer": a, "n": None if a in small else n, "small": a in small} for a, n in counts.items()]
