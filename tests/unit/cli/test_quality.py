"""How realised quality is drawn and exported: what is measured, what is a guess, what is not ripe."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf

import polars as pl
import pytest
from rich.console import Console

from mlwright.doors.cli.quality import Monitored, monitored, write_rows
from mlwright.errors import UsageError
from mlwright.model.monitoring import (
    Calibration,
    Estimate,
    Maturity,
    MaturityCurve,
    OutcomeWorth,
    Performance,
    Worth,
)
from mlwright.model.windows import Window

START, DAY = datetime(2013, 4, 1, tzinfo=UTC), timedelta(days=1)


def near(value, half=0.01):
    return Estimate(value=value, lower=value - half, upper=value + half, assumption="days are independent")


RIPE = Performance(
    endpoint="delay",
    window=Window(start=START, end=START + DAY),
    predictions=900,
    labelled=873,
    matured=True,
    positive_rate=0.24,
    mean_score=0.2,
    metrics={"auc": near(0.71), "brier": near(0.15), "recall": near(0.4)},
    expected={"auc": replace(near(0.76), assumption="an estimate without labels")},
    calibration=Calibration(bins=(), error=0.05, slope=0.8, intercept=-0.1),
    maturity=Maturity(arrived=0.97),
    worth=Worth(
        currency="EUR",
        total=near(-120.5, 20.0),
        per_prediction=near(-0.138),
        outcomes=(OutcomeWorth(name="false_negative", count=87, money=-261.0),),
    ),
    versions=("flight-delay/1",),
)
YOUNG = replace(
    RIPE,
    window=Window(start=START + DAY, end=START + 2 * DAY),
    matured=False,
    labelled=450,
    maturity=Maturity(arrived=0.5, due=0.55, final=near(874.0, 15.0), early_mean=0.15, final_mean=0.24),
)
CURVE = MaturityCurve(
    endpoint="delay",
    at=START + 2 * DAY,
    window=Window(start=START - 30 * DAY, end=START + 2 * DAY),
    predictions=27_000,
    labelled=25_000,
    delays=(3600.0, 7200.0, 90_000.0),
    shares=(0.3, 0.6, 0.97),
    errors=(0.01, 0.01, 0.01),
    means=(0.15, 0.2, 0.24),
)


def drawn(found):
    console = Console(width=250, highlight=False)
    with console.capture() as shown:
        console.print(monitored(found))
    return " ".join(shown.get().split())


def test_windows_say_how_ripe_they_are_and_which_number_is_a_guess() -> None:
    text = drawn(Monitored(performance=(RIPE,), young=(YOUNG,), maturity=CURVE, verdict="AUC of delay: fine"))
    assert "AUC expected (estimate)" in text
    assert "900 873 ripe 0.24 0.2 0.710 [0.700, 0.720] 0.150 [0.140, 0.160]" in text
    assert "900 450 young, 50% of 55% due" in text
    assert (
        "half of those that come within 2.0 h, nine of ten within 1.0 d; 97.0% of predictions get one" in text
    )
    assert "has 450 labels of 900 and will have about 874 (859 to 889)" in text
    assert "are 0.150 on average where they come as early as these, all labels 0.240" in text
    assert "recall 0.400 [0.390, 0.410] –" in text
    assert "expected an estimate without labels" in text
    assert "slope 0.800 (1 is right), intercept -0.100" in text
    assert "-120.50 [-140.50, -100.50] EUR" in text
    assert "false_negative 87 times, -261.00 EUR" in text
    assert "95%: days are independent" in text
    assert "by the rule of the alerts AUC of delay: fine" in text


def test_other_tasks_and_slices() -> None:
    number = replace(
        RIPE, task="regression", positive_rate=None, expected={}, metrics={"mae": near(12.5), "r2": near(0.4)}
    )
    slices = tuple(replace(number, part=f"carrier={each}") for each in ("AA", "B6"))
    text = drawn(Monitored(performance=(number,), slices=slices, metric="mae"))
    assert "slices and variants" in text
    assert "carrier=B6" in text
    assert "MAE RMSE bias" in text
    assert "estimate" not in text
    assert "positive" not in text
    assert "no window has matured yet" in drawn(Monitored(performance=()))


def test_rows_of_an_export(tmp_path) -> None:
    part = replace(
        RIPE, part="carrier=AA", metrics={"auc": replace(near(0.7), upper=inf)}, expected={}, worth=None
    )
    table, text = tmp_path / "q.parquet", tmp_path / "q.csv"
    assert write_rows((RIPE, part), table) == write_rows((RIPE, part), text) == 13
    rows = pl.read_parquet(table)
    assert rows.schema["from"] == pl.Datetime("us", "UTC")
    assert rows.group_by("kind").len().sort("kind").rows() == [
        ("calibration", 6),
        ("expected", 1),
        ("realised", 4),
        ("worth", 2),
    ]
    assert rows.filter(pl.col("metric") == "auc")["value"].to_list() == [0.71, 0.76, 0.7]
    said = pl.read_csv(text)
    assert said["from"][0] == "2013-04-01T00:00:00Z"
    assert said["value"].to_list() == rows["value"].to_list()
    assert write_rows((), tmp_path / "none.csv") == 0
    with pytest.raises(UsageError, match=r"writes .csv or .parquet, not .xlsx"):
        write_rows((RIPE,), tmp_path / "q.xlsx")
