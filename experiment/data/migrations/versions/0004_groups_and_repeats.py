"""The group of a session, and trials that are heard a second time"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("session", sa.Column("group_name", sa.String(length=20), nullable=True))
    op.add_column("trial", sa.Column("repeated", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    # Not in batch mode: that makes the table anew on SQLite, and dropping the old one would delete what refers to it.
    op.drop_column("trial", "repeated")
    op.drop_column("session", "group_name")
