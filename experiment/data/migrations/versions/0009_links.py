"""Links to a study: the hash of a random token, and the session that was begun by it"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("entry", sa.String(10), nullable=False),
        sa.Column("code", sa.String(40), nullable=True),
        sa.Column("group_name", sa.String(20), nullable=True),
        sa.Column("session_id", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_link_study_id_study")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_link_session_id_session"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
        sa.UniqueConstraint("digest", name=op.f("uq_link_digest")),
    )
    op.create_index(op.f("ix_link_session_id"), "link", ["session_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_link_session_id"), table_name="link")
    op.drop_table("link")
