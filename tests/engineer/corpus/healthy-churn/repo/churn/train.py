"""Train the churn model: validate, split by date, fit, compare with the baseline, gate, register."""

import argparse
import logging
import sys

import mlflow
import pandas as pd
import skops.io
import yaml
from mlflow.models import infer_signature
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import brier_score_loss, roc_auc_score

from churn.features import FEATURES, add_features
from churn.policy import check_policy
from churn.schema import CUSTOMERS

log = logging.getLogger(__name__)


def split(customers: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The last month is held out."""
    cut = customers["month"].max()
    return customers[customers["month"] < cut], customers[customers["month"] == cut]


def train(fit: pd.DataFrame, settings: dict) -> HistGradientBoostingClassifier:
    """Fit on everything but the held-out month."""
    model = HistGradientBoostingClassifier(
        learning_rate=settings["learning_rate"], max_iter=settings["max_iter"], random_state=settings["seed"]
    )
    return model.fit(add_features(fit), fit["churned"])


def gate(auc: float, baseline_auc: float) -> None:
    """A model that is not better than the baseline is not registered."""
    if auc < baseline_auc + 0.05:
        log.error("the model does not beat the baseline: %.3f against %.3f", auc, baseline_auc)
        sys.exit(1)


def main(path: str) -> None:
    settings = yaml.safe_load(open("config/train.yaml"))
    customers = CUSTOMERS.validate(pd.read_parquet(path))
    check_policy(FEATURES)
    fit, held = split(customers)
    with mlflow.start_run():
        mlflow.log_params(settings)
        model = train(fit, settings)
        scores = model.predict_proba(add_features(held))[:, 1]
        auc = roc_auc_score(held["churned"], scores)
        baseline = DummyClassifier(strategy="prior").fit(add_features(fit), fit["churned"])
        baseline_auc = roc_auc_score(held["churned"], baseline.predict_proba(add_features(held))[:, 1])
        mlflow.log_metrics({"auc": auc, "baseline_auc": baseline_auc, "brier": brier_score_loss(held["churned"], scores)})
        gate(auc, baseline_auc)
        skops.io.dump(model, "models/churn.skops")
        signature = infer_signature(add_features(held), scores)
        mlflow.sklearn.log_model(model, name="model", signature=signature, registered_model_name="churn")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    main(parser.parse_args().data)
