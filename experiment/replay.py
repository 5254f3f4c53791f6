"""A stored session as it went: what was shown, heard and answered, in time order; nothing is written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from experiment.database import Event, Participant, Response, SessionRow, Trial
from experiment.errors import ExperimentError
from experiment.store import Store


def timeline(store: Store, study_id: int, code: str) -> list[dict[str, Any]]:
    """Events and answers of a participant's last session, one row each.

    Returns
    -------
    list of dict
        ``time`` (UTC, of answers), ``at`` (s of the sitting's monotonic clock, of events), ``trial``, ``block``, ``what``,
        ``detail``. Events of a resumed session begin again at 0 s.

    Raises
    ------
    ExperimentError
        If the participant has no session in this study, or withdrew.
    """
    with store.transaction() as s:
        session = s.scalar(
            select(SessionRow)
            .join(Participant)
            .where(Participant.code == code, SessionRow.study_id == study_id)
            .order_by(SessionRow.id.desc())
        )
        if session is None:
            raise ExperimentError(f"participant {code} has no session in this study")
        if session.status == "withdrawn":
            raise ExperimentError(f"participant {code} has withdrawn; there is nothing to replay")
        trials = {t.id: t for t in s.scalars(select(Trial).where(Trial.session_id == session.id))}
        clips = {t.id: [c.clip for c in (t.first, t.second) if c is not None] for t in trials.values()}
        events = list(s.scalars(select(Event).where(Event.session_id == session.id).order_by(Event.id)))
        answers = list(
            s.scalars(select(Response).where(Response.trial_id.in_(trials)).order_by(Response.answered_at, Response.id))
        )
    rows: list[dict[str, Any]] = []
    by_trial: dict[int, list[Response]] = {}
    for answer in answers:
        by_trial.setdefault(answer.trial_id, []).append(answer)
    for event in events:
        if event.trial_id is None:
            rows.append(_row(None, event.at, None, event.name, _short(event.detail)))
    for trial in sorted(trials.values(), key=lambda t: t.position):
        what = " / ".join(clips[trial.id])
        if what:
            rows.append(_row(None, None, trial, "heard" if trial.id in by_trial else "planned", what))
        rows += [_row(None, e.at, trial, e.name, _short(e.detail)) for e in events if e.trial_id == trial.id]
        for answer in by_trial.get(trial.id, []):
            given = answer.choice if answer.value is None else f"{answer.value:g}"
            took = "" if answer.response_time is None else f" after {answer.response_time:.1f} s"
            rows.append(_row(f"{answer.answered_at:%H:%M:%S}", None, trial, answer.item, f"{given}{took}"))
    return rows


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
