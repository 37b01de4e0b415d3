"""Parcels, the model, and what must hold of both."""

from datetime import timedelta

import pandas as pd
from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    RetryPolicy,
    asset,
    asset_check,
    build_last_update_freshness_checks,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FEATURES = ["weight", "value", "days_to_deliver"]


@asset(retry_policy=RetryPolicy(max_retries=2))
def parcels() -> pd.DataFrame:
    return pd.read_parquet("s3://acme-parcels/2026-10/parcels.parquet")


@asset_check(asset=parcels)
def weights_are_possible(parcels: pd.DataFrame) -> AssetCheckResult:
    return AssetCheckResult(passed=bool(parcels["weight"].between(0, 40).all()))


freshness = build_last_update_freshness_checks(assets=[parcels], lower_bound_delta=timedelta(days=32))


@asset
def model(context: AssetExecutionContext, parcels: pd.DataFrame):
    cut = parcels["sent_on"].quantile(0.9)
    past, held = parcels[parcels["sent_on"] < cut], parcels[parcels["sent_on"] >= cut]
    fitted = make_pipeline(StandardScaler(), LogisticRegression(random_state=0)).fit(past[FEATURES], past["returned"])
    auc = roc_auc_score(held["returned"], fitted.predict_proba(held[FEATURES])[:, 1])
    context.add_output_metadata({"auc": auc, "rows": len(past)})
    return fitted
