"""why a request for storage commitment was not taken, and what is due to be asked about"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEX = "deliveries_to_confirm"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("commitment_error", sa.String(), nullable=True))
    op.execute("UPDATE deliveries SET commitment_due = NULL WHERE committed IS NOT NULL")
    op.create_index(_INDEX, "deliveries", ["destination", "commitment_due"])


def downgrade() -> None:
    op.drop_index(_INDEX, "deliveries")
    op.drop_column("deliveries", "commitment_error")
