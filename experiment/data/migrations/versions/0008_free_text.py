"""Free text beside answers, in a column of its own"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("response", sa.Column("said", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("response", "said")
