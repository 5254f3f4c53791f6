"""Withdrawals as lists of places under keyed hashes, outcomes of their own, codes alike, sittings and leases"""

import hmac
import secrets
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from experiment.data.codes import same

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KINDS_BEFORE = "kind IN ('person', 'driven', 'bot', 'imported')"
KINDS_NOW = "kind IN ('person', 'driven', 'bot', 'imported', 'pilot')"
BEFORE = "status IN ('running', 'complete', 'stopped', 'withdrawn')"
NOW = "status IN ('running', 'complete', 'stopped', 'withdrawn', 'refused', 'too_young')"


def upgrade() -> None:
    op.add_column("participant", sa.Column("norm", sa.String(), nullable=True))
    op.create_index(op.f("ix_participant_norm"), "participant", ["norm"], unique=True)
    op.add_column("session", sa.Column("alive_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("session", sa.Column("holder", sa.String(length=120), nullable=True))
    op.create_table(
        "sitting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("station", sa.String(length=80), nullable=False),
        sa.Column("calibration", sa.JSON(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_sitting_session_id_session"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sitting")),
        sa.UniqueConstraint("session_id", "number", name=op.f("uq_sitting_session_id")),
    )
    op.create_table(
        "tombstone",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study", sa.String(length=80), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tombstone")),
        sa.UniqueConstraint("digest", name=op.f("uq_tombstone_digest")),
    )
    op.create_index(op.f("ix_tombstone_study"), "tombstone", ["study"])
    op.create_table(
        "place",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tombstone_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("mark", sa.String(length=32), nullable=True),
        sa.Column("machine", sa.String(length=80), nullable=True),
        sa.Column("told", sa.String(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tombstone_id"], ["tombstone.id"], name=op.f("fk_place_tombstone_id_tombstone"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place")),
    )
    op.create_index(op.f("ix_place_tombstone_id"), "place", ["tombstone_id"])
    op.create_table(
        "copy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("study", sa.String(length=80), nullable=True),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("mark", sa.String(length=32), nullable=False),
        sa.Column("machine", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_copy")),
        sa.UniqueConstraint("mark", "kind", name=op.f("uq_copy_mark")),
    )
    _codes()
    _check("status", BEFORE, NOW)
    _check("kind", KINDS_BEFORE, KINDS_NOW)


def _codes() -> None:
    """What codes share is entered; codes of those who withdrew give way to keyed hashes."""
    connection = op.get_bind()
    taken: set[str] = set()
    people = connection.execute(sa.text("SELECT id, code, withdrawn_at FROM participant ORDER BY id")).all()
    for number, code, withdrawn in people:
        if withdrawn is None:
            norm = None if same(code) in taken else same(code)
            taken.add(same(code))
            connection.execute(sa.text("UPDATE participant SET norm = :n WHERE id = :i"), {"n": norm, "i": number})
            continue
        sessions = sa.text(
            "SELECT DISTINCT y.name, s.kind FROM session s JOIN study y ON y.id = s.study_id WHERE participant_id = :i"
        )
        found = connection.execute(sessions, {"i": number}).all()
        when = withdrawn if isinstance(withdrawn, datetime) else datetime.fromisoformat(withdrawn).replace(tzinfo=UTC)
        stones = sa.table(
            "tombstone",
            *(sa.column(c) for c in ("study", "outcome", "key", "digest")),
            sa.column("kinds", sa.JSON()),
            sa.column("at", sa.DateTime(timezone=True)),
            sa.column("done_at", sa.DateTime(timezone=True)),
        )
        digest = ""
        for study in sorted({name for name, _ in found}) or ["*"]:
            key = secrets.token_hex(32)
            digest = hmac.digest(bytes.fromhex(key), f"{study}\n{same(code)}".encode(), "sha256").hex()
            connection.execute(
                sa.insert(stones).values(
                    study=study, outcome="withdrawn", key=key, digest=digest, at=when, done_at=when,
                    kinds=sorted({kind for name, kind in found if name == study}),
                )
            )  # fmt: skip
        connection.execute(
            sa.text("UPDATE participant SET code = :c WHERE id = :i"), {"c": f"withdrawn-{digest[:12]}", "i": number}
        )


def _check(name: str, before: str, now: str) -> None:
    """Let sessions have other states and kinds. SQLite can't change a constraint but by making the table anew, which would delete all
    that refers to it; the constraint's words are changed where they stand, as sqlite.org/lang_altertable.html (7) allows.
    """
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.drop_constraint(op.f(f"ck_session_{name}"), "session")
        op.create_check_constraint(op.f(f"ck_session_{name}"), "session", now)
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    changed = connection.execute(
        sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, :before, :now) "
            "WHERE type = 'table' AND name = 'session' AND instr(sql, :before)"
        ),
        {"before": before, "now": now},
    )
    assert changed.rowcount == 1
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=RESET")  # and this connection reads them anew


def downgrade() -> None:
    op.execute("UPDATE session SET status = 'stopped' WHERE status IN ('refused', 'too_young')")
    op.execute("UPDATE session SET kind = 'driven' WHERE kind = 'pilot'")
    _check("kind", KINDS_NOW, KINDS_BEFORE)
    _check("status", NOW, BEFORE)
    for table in ("copy", "place", "tombstone", "sitting"):
        op.drop_table(table)
    # Not in batch mode: that makes the table anew on SQLite, and dropping the old one would delete what refers to it.
    op.drop_column("session", "holder")
    op.drop_column("session", "alive_at")
    op.drop_index(op.f("ix_participant_norm"), table_name="participant")
    op.drop_column("participant", "norm")
