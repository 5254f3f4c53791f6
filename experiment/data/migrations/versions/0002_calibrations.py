"""Calibrations of stations, and overrides in a session's header"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calibration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station", sa.String(length=80), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("level_dba", sa.Double(), nullable=False),
        sa.Column("gain_db", sa.Double(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration")),
    )
    op.create_index(op.f("ix_calibration_station"), "calibration", ["station"])
    op.add_column("session", sa.Column("overrides", sa.JSON(), nullable=True))


def downgrade() -> None:
    # Not in batch mode: that makes the table anew on SQLite, and dropping the old one would delete all its trials.
    op.drop_column("session", "overrides")
    op.drop_index(op.f("ix_calibration_station"), table_name="calibration")
    op.drop_table("calibration")
