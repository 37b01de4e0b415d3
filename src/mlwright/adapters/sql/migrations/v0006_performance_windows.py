"""Performance of all metrics of a task, and of slices and variants."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "monitoring_performance_parts",
        sa.Column("endpoint", sa.String(length=255), nullable=False),
        sa.Column("granularity", sa.String(length=16), nullable=False),
        sa.Column("start_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.String(length=600), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("matured", sa.Boolean(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "granularity", "start_at", "part"),
    )
    _rewrite()


def _rewrite() -> None:
    """Earlier releases kept AUC and Brier score under their names."""
    table = sa.table(
        "monitoring_performance",
        sa.column("endpoint", sa.String),
        sa.column("granularity", sa.String),
        sa.column("start_at", sa.BigInteger),
        sa.column("numbers", sa.JSON),
    )
    keys = (table.c.endpoint, table.c.granularity, table.c.start_at)
    tx = op.get_bind()
    for row in tx.execute(sa.select(table)).all():
        same = [key == value for key, value in zip(keys, row[:3], strict=True)]
        old = row.numbers if isinstance(row.numbers, dict) else json.loads(row.numbers)
        tx.execute(sa.update(table).where(*same).values(numbers=_new(old)))


def _new(old: dict[str, object]) -> dict[str, object]:
    error = old.pop("calibration_error", None)
    metrics = {name: old.pop(name, None) for name in ("auc", "brier")}
    predictions, labelled = old["predictions"], old["labelled"]
    share = labelled / predictions if predictions else 0.0  # type: ignore[operator]
    return {
        **old,
        "task": "binary",
        "metrics": {name: each for name, each in metrics.items() if each},
        "expected": {},
        "calibration": None if error is None else {"bins": [], "error": error},
        "maturity": {"arrived": share, "due": None, "final": None, "early_mean": None, "final_mean": None},
        "worth": None,
    }
