"""Good and all events of each objective a minute, five minutes and an hour; the counters that they came from."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "monitoring_slo_windows",
        sa.Column("endpoint", sa.String(255), nullable=False),
        sa.Column("objective", sa.String(16), nullable=False),
        sa.Column("span_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("good", sa.Double(), nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "objective", "span_s", "start_at"),
    )
    op.create_table(
        "monitoring_slo_counters",
        sa.Column("endpoint", sa.String(255), nullable=False),
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "name"),
    )
