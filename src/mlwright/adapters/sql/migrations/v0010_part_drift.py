"""How far slices and variants have moved from the reference, a row each of a window."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "monitoring_part_drift",
        sa.Column("endpoint", sa.String(255), nullable=False),
        sa.Column("start_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.String(600), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.String(255), nullable=False),
        sa.Column("reference_start_at", sa.BigInteger(), nullable=False),
        sa.Column("reference_end_at", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("reference_rows", sa.BigInteger(), nullable=False),
        sa.Column("columns_judged", sa.Integer(), nullable=False),
        sa.Column("columns_moved", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("assumption", sa.Text(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "start_at", "end_at", "part"),
    )
