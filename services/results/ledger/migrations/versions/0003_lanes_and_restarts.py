"""lanes that people choose, and runs that were restarted"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("chosen_lane", sa.String(), nullable=True))
    op.add_column("jobs", _count("lane_changes"))
    op.add_column("runs", _count("restarts"))
    op.add_column("runs", sa.Column("restarted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("stages_by_end", "stages", ["finished_at"])


def downgrade() -> None:
    op.drop_index("stages_by_end", "stages")
    op.drop_column("runs", "restarted_at")
    op.drop_column("runs", "restarts")
    op.drop_column("jobs", "lane_changes")
    op.drop_column("jobs", "chosen_lane")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")
