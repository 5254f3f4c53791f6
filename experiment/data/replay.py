"""A stored session as it went: what was shown, heard and answered, in time order; nothing is written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from experiment.data.store import Store
from experiment.data.tables import Event, Response, StudyRow, Superseded, Trial
from experiment.data.tombstones import find
from experiment.data.whose import code_of, last_session
from experiment.errors import ExperimentError


def timeline(store: Store, study_id: int, code: str) -> list[dict[str, Any]]:
    """Events and answers of a participant's last session, one row each.

    Returns
    -------
    list of dict
        In the order in which it happened: ``time`` (UTC, of answers), ``at`` (s of the sitting's monotonic clock, of events), ``trial``, ``block``, ``what``,
        ``detail``. Events of a resumed session begin again at 0 s.

    Raises
    ------
    ExperimentError
        If the participant has no session in this study, or withdrew.
    """
    with store.transaction() as s:
        study = s.get(StudyRow, study_id)
        code = code_of(s, code, None if study is None else study.name)
        session = last_session(s, study_id, code)
        if study is not None and find(s, study.name, code) is not None:
            raise ExperimentError(f"nothing is kept of participant {code} (withdrawn, or not taking part)")
        if session is None:
            raise ExperimentError(f"participant {code} has no session in this study")
        trials = {t.id: t for t in s.scalars(select(Trial).where(Trial.session_id == session.id))}
        clips = {t.id: [c.clip for c in (t.first, t.second) if c is not None] for t in trials.values()}
        events = list(s.scalars(select(Event).where(Event.session_id == session.id).order_by(Event.id)))
        answers = list(
            s.scalars(select(Response).where(Response.trial_id.in_(trials)).order_by(Response.answered_at, Response.id))
        )
        earlier = list(s.scalars(select(Superseded).where(Superseded.trial_id.in_(trials)).order_by(Superseded.id)))
    waiting: dict[tuple[int, str], list[Response | Superseded]] = {}
    everything: list[Response | Superseded] = [*earlier]
    everything += answers
    for given in everything:  # what was given anew stands after what it supersedes
        waiting.setdefault((given.trial_id, given.item), []).append(given)
    rows: list[dict[str, Any]] = []
    for event in events:
        trial = trials.get(event.trial_id or 0)
        if event.name != "answer":
            rows.append(_row(None, event.at, trial, event.name, _short(event.detail)))
            continue
        there = waiting.get((event.trial_id or 0, event.detail["item"]))
        if there:
            answer = there.pop(0)
            more = {k: v for k, v in event.detail.items() if k != "item" and v}
            rows.append(_answered(answer, event.at, trial, _short(more)))
    # Bots' and imported answers came about unseen: they stand in the order of the plan.
    unseen = [answer for there in waiting.values() for answer in there]
    for answer in sorted(unseen, key=lambda r: (trials[r.trial_id].position, r.answered_at, r.id)):
        heard = " / ".join(clips[answer.trial_id])
        rows.append(_answered(answer, None, trials[answer.trial_id], heard))
    return rows


def _answered(answer: Response | Superseded, at: float | None, trial: Trial | None, more: str) -> dict[str, Any]:
    given = answer.choice or "(nothing or free text)" if answer.value is None else f"{answer.value:g}"
    took = "" if answer.response_time is None else f" after {answer.response_time:.1f} s"
    anew = ", given anew later" if isinstance(answer, Superseded) else ""
    detail = f"{given}{took}{anew}" + (f" ({more})" if more else "")
    return _row(f"{answer.answered_at:%H:%M:%S}", at, trial, answer.item, detail)


def _row(time: str | None, at: float | None, trial: Trial | None, what: str, detail: str) -> dict[str, Any]:
    return {
        "time": time,
        "at": None if at is None else round(at, 3),
        "trial": trial.position if trial else None,
        "block": trial.block if trial else None,
        "what": what,
        "detail": detail,
    }


def _short(detail: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in detail.items())
