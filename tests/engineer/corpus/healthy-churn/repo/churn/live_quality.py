"""Each night: join labels to predictions, compute the live AUC, and tell Prometheus."""

import pandas as pd
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway
from sklearn.metrics import roc_auc_score


def live_metric(predictions: pd.DataFrame, labels: pd.DataFrame) -> float:
    """AUC of the predictions whose label has come."""
    joined = predictions.merge(labels, on="id")
    return float(roc_auc_score(joined["churned"], joined["score"]))


def main() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("churn_live_auc", "AUC of matured predictions", registry=registry)
    gauge.set(live_metric(pd.read_json("records/predictions.jsonl", lines=True), pd.read_json("records/labels.jsonl", lines=True)))
    push_to_gateway("pushgateway:9091", job="churn-live-quality", registry=registry)


if __name__ == "__main__":
    main()
