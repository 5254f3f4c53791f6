"""Sittings of a session, and the steps seen in each"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("session", sa.Column("sitting", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "seen",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("sitting", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_seen_session_id_session"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seen")),
        sa.UniqueConstraint("session_id", "sitting", "step", name=op.f("uq_seen_session_id")),
    )


def downgrade() -> None:
    op.drop_table("seen")
    # Not in batch mode: that makes the table anew on SQLite, and dropping the old one would delete all its trials.
    op.drop_column("session", "sitting")
