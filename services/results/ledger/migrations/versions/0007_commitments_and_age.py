"""when to ask for storage commitment again, and since when a delivery ages"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    asks = sa.Column("commitment_asks", sa.Integer(), nullable=False, server_default="0")
    op.add_column("deliveries", asks)
    for moment in ("commitment_due", "planned_at"):
        op.add_column("deliveries", sa.Column(moment, sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE deliveries SET planned_at = waiting_since")


def downgrade() -> None:
    for column in ("planned_at", "commitment_due", "commitment_asks"):
        op.drop_column("deliveries", column)
