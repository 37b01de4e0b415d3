"""How well a classifier tells served rows from a champion's held-out rows, a row a window."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "monitoring_joint_drift",
        sa.Column("endpoint", sa.String(255), nullable=False),
        sa.Column("start_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("measured_at", sa.BigInteger(), nullable=False),
        sa.Column("model_version", sa.String(255), nullable=False),
        sa.Column("reference_start_at", sa.BigInteger(), nullable=False),
        sa.Column("reference_end_at", sa.BigInteger(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "start_at", "end_at"),
    )
