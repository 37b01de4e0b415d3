"""Alerts that are grouped, silenced and escalated; messages that one process at a time sends."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    with op.batch_alter_table("monitoring_alerts") as table:
        table.add_column(sa.Column("owner", sa.Text(), nullable=True))
        table.add_column(sa.Column("runbook", sa.Text(), nullable=True))
        table.add_column(sa.Column("suspected", sa.JSON(), nullable=True))
        table.add_column(sa.Column("group_id", sa.String(600), nullable=True))
        table.add_column(sa.Column("silenced_by", sa.String(64), nullable=True))
        table.add_column(sa.Column("flaps", sa.Integer(), server_default="0", nullable=False))
        table.add_column(sa.Column("since_at", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("step", sa.Integer(), server_default="-1", nullable=False))
        table.add_column(sa.Column("told_at", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("escalated_to", sa.JSON(), nullable=True))
    # Each alert so far is a group of its own; the escalation of those that are open runs since they fired.
    op.execute("UPDATE monitoring_alerts SET group_id = id")
    op.execute("UPDATE monitoring_alerts SET since_at = fired_at WHERE resolved_at IS NULL")
    with op.batch_alter_table("monitoring_deliveries") as table:
        table.add_column(sa.Column("kind", sa.String(16), server_default="change", nullable=False))
        table.add_column(sa.Column("refused", sa.Boolean(), server_default=sa.false(), nullable=False))
        table.add_column(sa.Column("cancelled_at", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("refresh_at", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("claimed_by", sa.String(64), nullable=True))
        table.add_column(sa.Column("claimed_until", sa.BigInteger(), nullable=True))
    op.create_index("monitoring_deliveries_alert", "monitoring_deliveries", ["alert_id", "channel"])
    op.create_table(
        "monitoring_silences",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("endpoint", sa.String(255), nullable=False),
        sa.Column("rule", sa.String(255), nullable=True),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("monitoring_silences_end", "monitoring_silences", ["end_at"])
