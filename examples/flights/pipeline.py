"""Train a model that says, two hours before departure, how likely a flight is to arrive over 15 minutes late."""

from datetime import datetime

import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from mlwright import Fitted, Release, encode, evaluate, examples, gate, log, pipeline, register, split, step

INPUTS = ["carrier", "origin", "dest", "minute_of_day", "weekday", "distance"]
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


@step(retries=1)
def train(rows: pl.DataFrame, learning_rate: float = 0.05, trees: int = 100, leaves: int = 15) -> Fitted:
    x = encode(rows, INPUTS + WEATHER)
    model = HistGradientBoostingClassifier(
        categorical_features=x.categorical,
        learning_rate=learning_rate,
        max_iter=trees,
        max_leaf_nodes=leaves,
        min_samples_leaf=200,
        early_stopping=False,
        random_state=13,
    )
    return x.fitted(model.fit(x.matrix, rows["late"].to_numpy()))


def baseline(fit: pl.DataFrame, hold: pl.DataFrame) -> float:
    """What a table on a wall could say: how often this carrier was late at this hour. Returns its AUC."""
    hour = (pl.col("minute_of_day") // 60).alias("hour")
    known = fit.group_by("carrier", hour).agg(pl.col("late").mean().alias("rate"))
    asked = hold.with_columns(hour).join(known, on=["carrier", "hour"], how="left", maintain_order="left")
    return float(roc_auc_score(hold["late"], asked["rate"].fill_null(fit["late"].mean())))


@pipeline
def train_delay(start: datetime, end: datetime, holdout: str = "14d") -> Release:
    rows = examples(endpoint="delay", dataset="flights", inputs=INPUTS, start=start, end=end)
    fit, hold = split(rows, last=holdout, by="predict_at")
    scores = evaluate(train(fit), hold)
    simple = baseline(fit, hold)
    log(metrics={"baseline_auc": simple})
    gate(scores.auc > simple + 0.02, "beats the carrier-and-hour table by 0.02 AUC")
    return register(train(rows), "flight-delay", evidence=scores, trained_on=rows)
