"""What would have happened without mlwright: three fixed strategies over the same months, as a process of its own.

``python -m mlwright.doors.cli.demo.strategies --project DIR --out FILE`` trains with the project's own step on what
was known at the first instant of each month, scores that month, and writes one JSON document. It runs beside the
replay, which leaves one core idle.
"""

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from mlwright.model.fitted import Fitted
from mlwright.platform.facade import Platform
from mlwright.stages.monitoring.statistics import auc_clustered, brier_clustered
from mlwright.wiring.project import close, open_platform

NEVER, LAST, ALL = "never retrained", "always the last three months", "always all history"
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def months(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The calendar months (UTC) from start to end."""
    found: list[tuple[datetime, datetime]] = []
    while start < end:
        following = (start + timedelta(days=32)).replace(day=1)
        found.append((start, following))
        start = following
    return found


def score_strategies(
    platform: Platform, start: datetime, end: datetime, out: Path
) -> dict[str, dict[str, dict[str, float]]]:
    """Train and score; returns and keeps ``{month: {strategy: {"auc": …, "brier": …}}}`` after each month."""
    pipeline = platform.training.pipelines()["train_delay"].function
    train, inputs = pipeline.__globals__["train"].function, pipeline.__globals__["INPUTS"]

    def known(since: datetime, until: datetime) -> pl.DataFrame:
        return platform.data.examples("delay", "flights", inputs, since, until)

    year = known(_FIRST, end + timedelta(days=60))
    results: dict[str, dict[str, dict[str, float]]] = {}
    never: Fitted | None = None
    for first, following in months(start, end):
        everything: Fitted = train(known(_FIRST, first))
        never = never or everything
        recent: Fitted = train(known(first - timedelta(days=91), first)) if first > start else never
        month = year.filter(pl.col("predict_at").is_between(first, following, closed="left"))
        results[f"{first:%Y-%m}"] = {
            name: _measure(fitted, month)
            for name, fitted in ((NEVER, never), (LAST, recent), (ALL, everything))
        }
        partial = out.with_suffix(".partial")
        partial.write_text(json.dumps(results))
        partial.replace(out)
    return results


def _measure(fitted: Fitted, rows: pl.DataFrame) -> dict[str, float]:
    columns = []
    for each in fitted.inputs:
        levels = fitted.categories.get(each.name)
        column = pl.col(each.name)
        if levels is not None:
            column = column.replace_strict(list(levels), list(range(len(levels))), default=None)
        columns.append(column.cast(pl.Float64))
    matrix = rows.select(columns).fill_null(float("nan")).to_numpy()
    scores = fitted.model.predict_proba(matrix)[:, 1]  # type: ignore[attr-defined]  # the flights step fits a classifier
    labels = rows["late"].cast(pl.Float64).to_numpy()
    days = rows["predict_at"].dt.epoch("d").to_numpy()
    auc, brier = auc_clustered(labels, scores, days), brier_clustered(labels, scores, days)
    return {"auc": auc[0] if auc else float("nan"), "brier": brier[0] if brier else float(np.nan)}


def main() -> int:
    """Run as a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=datetime.fromisoformat, required=True)
    parser.add_argument("--end", type=datetime.fromisoformat, required=True)
    asked = parser.parse_args()
    platform = open_platform(asked.project)
    try:
        score_strategies(platform, asked.start, asked.end, asked.out)
    finally:
        close(platform)
    return 0


if __name__ == "__main__":
    sys.exit(main())
