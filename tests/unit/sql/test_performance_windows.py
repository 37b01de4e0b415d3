"""What earlier releases measured is read by this one."""

import json
import shutil
from datetime import UTC, datetime

from sqlalchemy import text

from mlwright.adapters.sql.engine import open_engine
from mlwright.adapters.sql.migrate import SHIPPED, migrate
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring import store

AT = datetime(2013, 4, 1, tzinfo=UTC)
BEFORE = ("v0001", "v0002", "v0003", "v0004", "v0005")


def test_performance_of_an_earlier_release(tmp_path) -> None:
    scripts = tmp_path / "scripts"
    newer = [path.name for path in SHIPPED.glob("v*.py") if not path.name.startswith(BEFORE)]
    shutil.copytree(SHIPPED, scripts, ignore=shutil.ignore_patterns(*newer))
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(engine, backups=tmp_path, at=AT, scripts=scripts)
    auc = {"value": 0.7, "lower": 0.6, "upper": 0.8, "level": 0.95, "assumption": "days"}
    numbers = {
        "predictions": 200,
        "labelled": 190,
        "positive_rate": 0.2,
        "mean_score": 0.25,
        "auc": auc,
        "brier": None,
        "calibration_error": 0.05,
        "versions": ["delay/1"],
    }
    with engine.begin() as tx:
        for at in (0, 86_400_000_000):
            tx.execute(
                text("INSERT INTO monitoring_performance VALUES ('delay', 'day', :at, :end, 1, :numbers)"),
                {"at": at, "end": at + 1, "numbers": json.dumps(numbers)},
            )
    migrate(engine, backups=tmp_path, at=AT)
    with engine.begin() as tx:
        first, second = store.list_performance(tx, "delay", "day")
        assert store.list_parts(tx, "delay", "day") == ()
    engine.dispose()
    assert first.metrics == second.metrics == {"auc": Estimate(**auc)}
    assert (first.brier, first.calibration_error, first.maturity.arrived) == (None, 0.05, 0.95)
    assert (first.task, first.versions, first.labelled) == ("binary", ("delay/1",), 190)
