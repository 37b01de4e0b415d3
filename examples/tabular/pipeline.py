"""Train a model that says, when a subscription comes up for renewal, how likely the customer is to leave."""

from datetime import date

import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from mlwright import Fitted, Release, encode, evaluate, examples, gate, log, pipeline, register, split, step

INPUTS = ["plan", "months", "price", "tickets"]  # sent with the question
FEATURES = ["sessions", "minutes"]  # looked up by customer, as of the question


@step(retries=1)
def train(rows: pl.DataFrame, learning_rate: float = 0.1) -> Fitted:
    """Gradient-boosted trees; a text is a category, a null is a value of its own."""
    x = encode(rows, INPUTS + FEATURES)
    trees = HistGradientBoostingClassifier(
        categorical_features=x.categorical,
        learning_rate=learning_rate,
        max_iter=60,
        max_leaf_nodes=8,
        early_stopping=False,
        random_state=7,
    )
    return x.fitted(trees.fit(x.matrix, rows["churned"].to_numpy()))


def baseline(fit: pl.DataFrame, hold: pl.DataFrame) -> float:
    """What a table on the wall could say: how many left, by plan. Returns its AUC."""
    rates = fit.group_by("plan").agg(pl.col("churned").mean().alias("rate"))
    said = hold.join(rates, on="plan", how="left", maintain_order="left")["rate"].fill_null(
        fit["churned"].mean()
    )
    return float(roc_auc_score(hold["churned"], said))


@pipeline
def train_churn(
    start: date = date(2025, 1, 1), end: date = date(2026, 1, 1), holdout: str = "28d"
) -> Release:
    """Train on [start, end), judge on the last stretch, register what beats the baseline."""
    inputs = ["customer_id", *INPUTS]  # the customer is the key of the feature view
    rows = examples(endpoint="churn", dataset="renewals", inputs=inputs, start=start, end=end)
    fit, hold = split(rows, last=holdout, by="asked_at")
    scores = evaluate(train(fit), hold)
    simple = baseline(fit, hold)
    log(metrics={"baseline_auc": simple})
    gate(scores.auc > simple + 0.02, "beats the table of plans by 0.02 AUC")
    return register(train(rows), "churn", evidence=scores, trained_on=rows)
