"""The tables of participants.db, typed (SQLAlchemy 2). Times are UTC; durations are seconds of a monotonic clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, DateTime, ForeignKey, MetaData, String, Text, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from experiment.data.codes import same

KINDS = ("person", "driven", "bot", "imported", "pilot")
STATUSES = ("running", "complete", "stopped", "withdrawn", "refused", "too_young")


def utc_now() -> datetime:
    """Return the present time in UTC, with its zone."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Naming conventions, so that migrations can name every constraint on SQLite too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class StudyRow(Base):
    """One study as it was declared when its first session ran."""

    __tablename__ = "study"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class Declaration(Base):
    """What a study was declared as from one moment on: the first time, and at each amendment.

    Attributes
    ----------
    number : int
        From 1, within the study.
    note, wording : str or None
        Why it was amended; and, where what people are asked reads otherwise since, why that. None of the first.
    definition : dict
        The whole study file.
    texts : dict or None
        All that participants read, by language; None where an older version did not store it.
    changes : list of dict
        `where`, `was`, `now`, `weight` of each change (`declared.Change`).
    """

    __tablename__ = "declaration"
    __table_args__ = (UniqueConstraint("study_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    number: Mapped[int]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    note: Mapped[str | None]
    wording: Mapped[str | None]
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    texts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)


class Participant(Base):
    """A person, a driven session or a bot, under a pseudonymous code.

    `norm` is what all ways of writing the code share (`codes.same`); none where an older database has two that are alike.
    Whoever withdrew, refused or was too young has no code any more: what is left of the sessions stands under a made-up one.
    """

    __tablename__ = "participant"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    norm: Mapped[str | None] = mapped_column(
        String, unique=True, index=True, default=lambda context: same(context.get_current_parameters()["code"])
    )
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    withdrawn_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sessions: Mapped[list[SessionRow]] = relationship(back_populates="participant")


class Consent(Base):
    """Consent to a study, and apart from it consent to special-category questions (ethnicity, impairments)."""

    __tablename__ = "consent"
    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id", ondelete="CASCADE"), index=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    text_sha256: Mapped[str] = mapped_column(String(64))
    special_categories: Mapped[bool]
    given_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class Stimulus(Base):
    """One clip of a study: what it was made of, and the SHA-256 of the file that is played."""

    __tablename__ = "stimulus"
    __table_args__ = (UniqueConstraint("study_id", "clip"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    clip: Mapped[str] = mapped_column(String(200))
    taste: Mapped[str] = mapped_column(String(40))
    model: Mapped[str] = mapped_column(String(20))
    number: Mapped[int]
    path: Mapped[str | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    seconds: Mapped[float | None]
    prompt: Mapped[str | None]
    seed: Mapped[int | None]
    checkpoint_sha256: Mapped[str | None] = mapped_column(String(64))


class SessionRow(Base):
    """One session of one participant; station, calibration, holder and `declared` are those of its last sitting.

    `alive_at` is the last sign of life of whoever holds it, `holder` the computer and process; `declared` is the number of
    the study's `Declaration` that it ran under.
    """

    __tablename__ = "session"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(f"status IN {STATUSES}", name="status"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(10), default="running")
    station: Mapped[str] = mapped_column(String(80))
    language: Mapped[str] = mapped_column(String(10))
    design_row: Mapped[int | None]
    seed: Mapped[int]
    versions: Mapped[dict[str, Any]] = mapped_column(JSON)
    calibration: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    overrides: Mapped[list[str] | None] = mapped_column(JSON)
    sitting: Mapped[int] = mapped_column(default=0, server_default="0")
    group_name: Mapped[str | None] = mapped_column(String(20))
    alive_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    holder: Mapped[str | None] = mapped_column(String(120))
    declared: Mapped[int | None]
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    participant: Mapped[Participant] = relationship(back_populates="sessions")
    trials: Mapped[list[Trial]] = relationship(back_populates="session", order_by="Trial.position")


class Sitting(Base):
    """One sitting of a session: where it was, how loud clips were played there, and what the study was declared as."""

    __tablename__ = "sitting"
    __table_args__ = (UniqueConstraint("session_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id", ondelete="CASCADE"))
    number: Mapped[int]
    station: Mapped[str] = mapped_column(String(80))
    calibration: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    declared: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class Trial(Base):
    """One thing to do, planned when the session begins: `first` and `second` are the clips in the order heard.

    `repeated`: they were heard and answered for before, in the same task of the same session.
    """

    __tablename__ = "trial"
    __table_args__ = (UniqueConstraint("session_id", "position"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    block: Mapped[str] = mapped_column(String(20))
    taste: Mapped[str | None] = mapped_column(String(40))
    first_id: Mapped[int | None] = mapped_column(ForeignKey("stimulus.id"))
    second_id: Mapped[int | None] = mapped_column(ForeignKey("stimulus.id"))
    items: Mapped[list[str]] = mapped_column(JSON)
    repeated: Mapped[bool] = mapped_column(default=False, server_default=false())
    session: Mapped[SessionRow] = relationship(back_populates="trials")
    first: Mapped[Stimulus | None] = relationship(foreign_keys=[first_id])
    second: Mapped[Stimulus | None] = relationship(foreign_keys=[second_id])
    responses: Mapped[list[Response]] = relationship(back_populates="trial")
    superseded: Mapped[list[Superseded]] = relationship(order_by="Superseded.id")


class Response(Base):
    """One answer. `value` is a number on the item's scale; `choice` the chosen option of a question, or several of them.

    `said` is free text, which may tell who somebody is: it is read only where it is asked for by its name.
    """

    __tablename__ = "response"
    __table_args__ = (UniqueConstraint("trial_id", "item"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trial.id", ondelete="CASCADE"), index=True)
    item: Mapped[str] = mapped_column(String(60))
    value: Mapped[float | None]
    choice: Mapped[str | None] = mapped_column(String(80))
    response_time: Mapped[float | None]
    answered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    said: Mapped[str | None] = mapped_column(Text, deferred=True)
    trial: Mapped[Trial] = relationship(back_populates="responses")


class Superseded(Base):
    """An answer that its giver went back to and gave anew: it stays as it was, and the later one, in `Response`, counts.

    Free text that was taken back is not kept.
    """

    __tablename__ = "superseded"
    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trial.id", ondelete="CASCADE"), index=True)
    item: Mapped[str] = mapped_column(String(60))
    value: Mapped[float | None]
    choice: Mapped[str | None] = mapped_column(String(80))
    response_time: Mapped[float | None]
    answered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    superseded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class Event(Base):
    """What happened apart from answers: audio onset, play, focus loss; `at` is monotonic seconds since the start."""

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id", ondelete="CASCADE"), index=True)
    trial_id: Mapped[int | None] = mapped_column(ForeignKey("trial.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(40))
    at: Mapped[float]
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Seen(Base):
    """A step of a session that was done in one of its sittings (one more at each resume): a page, a check, a clip heard."""

    __tablename__ = "seen"
    __table_args__ = (UniqueConstraint("session_id", "sitting", "step"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id", ondelete="CASCADE"))
    sitting: Mapped[int]
    step: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class Screening(Base):
    """A check of ears or equipment and its outcome."""

    __tablename__ = "screening"
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id", ondelete="CASCADE"), index=True)
    test: Mapped[str] = mapped_column(String(40))
    passed: Mapped[bool]
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Calibration(Base):
    """What a level meter read at a station: with this volume and device a tone at -23 LUFS gives so many dB(A)."""

    __tablename__ = "calibration"
    id: Mapped[int] = mapped_column(primary_key=True)
    station: Mapped[str] = mapped_column(String(80), index=True)
    device: Mapped[str] = mapped_column(String(200))
    level_dba: Mapped[float]
    gain_db: Mapped[float]
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Link(Base):
    """A link to a study, and the session that was begun by it; its token stands here as a hash alone.

    Attributes
    ----------
    digest : str
        SHA-256 of the token (hex).
    entry : {"open", "invited", "panel"}
        Made when somebody began by the link for all, beforehand for one person, or by a panel's parameters.
    code : str or None
        Under which its session is to begin; None once it has.
    """

    __tablename__ = "link"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    entry: Mapped[str] = mapped_column(String(10))
    code: Mapped[str | None] = mapped_column(String(40))
    group_name: Mapped[str | None] = mapped_column(String(20))
    session_id: Mapped[int | None] = mapped_column(ForeignKey("session.id", ondelete="CASCADE"), index=True)
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class Tombstone(Base):
    """That somebody's answers to a study were deleted, and why; the code stands in it as a keyed hash (`tombstones`).

    `study` is the study's name; ``*`` in what older versions left, which was of all studies. `done_at` is when the last of its
    `places` was done.
    """

    __tablename__ = "tombstone"
    id: Mapped[int] = mapped_column(primary_key=True)
    study: Mapped[str] = mapped_column(String(80), index=True)
    outcome: Mapped[str] = mapped_column(String(10))
    key: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    kinds: Mapped[list[str]] = mapped_column(JSON, default=list)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    places: Mapped[list[Place]] = relationship(order_by="Place.id")


class Place(Base):
    """Where something of a withdrawn person may lie: what was done there, or why it is not done yet."""

    __tablename__ = "place"
    id: Mapped[int] = mapped_column(primary_key=True)
    tombstone_id: Mapped[int] = mapped_column(ForeignKey("tombstone.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    path: Mapped[str]
    mark: Mapped[str | None] = mapped_column(String(32))
    machine: Mapped[str | None] = mapped_column(String(80))
    told: Mapped[str | None]
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Copy(Base):
    """A folder that something of this database was written to (backups, exports, snapshots), and on which computer."""

    __tablename__ = "copy"
    __table_args__ = (UniqueConstraint("mark", "kind"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    study: Mapped[str | None] = mapped_column(String(80))
    path: Mapped[str]
    mark: Mapped[str] = mapped_column(String(32))
    machine: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
