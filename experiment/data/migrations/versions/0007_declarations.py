"""What a study was declared as, and what was amended of it, by number; each session and sitting says under which it ran"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "declaration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("wording", sa.String(), nullable=True),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_declaration_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_declaration")),
        sa.UniqueConstraint("study_id", "number", name=op.f("uq_declaration_study_id")),
    )
    op.add_column("session", sa.Column("declared", sa.Integer(), nullable=True))
    op.add_column("sitting", sa.Column("declared", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("sitting", "declared")
    op.drop_column("session", "declared")
    op.drop_table("declaration")
