"""Load, train, evaluate, and register where the AUC is high enough."""

from kfp import compiler, dsl
from kfp.dsl import Dataset, Input, Metrics, Model, Output

PACKAGES = ["pandas==2.2.3", "xgboost==2.1.4", "scikit-learn==1.6.1"]


@dsl.component(base_image="python:3.11-slim", packages_to_install=PACKAGES)
def split(path: str, train: Output[Dataset], test: Output[Dataset]):
    import pandas as pd
    from sklearn.model_selection import train_test_split

    flights = pd.read_parquet(path)
    first, second = train_test_split(flights, test_size=0.2, random_state=0)
    first.to_parquet(train.path)
    second.to_parquet(test.path)


@dsl.component(base_image="python:3.11-slim", packages_to_install=PACKAGES)
def fit(path: str, model: Output[Model], metrics: Output[Metrics]) -> float:
    import pandas as pd
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import train_test_split
    from xgboost import XGBClassifier

    flights = pd.read_parquet(path)
    X, y = flights.drop(columns=["late"]), flights["late"]
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
    booster = XGBClassifier(n_estimators=2000, early_stopping_rounds=20, random_state=0)
    booster.fit(X_train, y_train, eval_set=[(X_test, y_test)])
    auc = roc_auc_score(y_test, booster.predict_proba(X_test)[:, 1])
    metrics.log_metric("auc", auc)
    booster.save_model(model.path)
    return auc


@dsl.component(base_image="python:3.11-slim", packages_to_install=["google-cloud-aiplatform==1.85.0"])
def register(model: Input[Model]):
    from google.cloud import aiplatform

    aiplatform.Model.upload(display_name="delays", artifact_uri=model.uri)


@dsl.pipeline(name="delays")
def delays(path: str, needed: float = 0.7):
    fitted = fit(path=path)
    fitted.set_retry(2)
    with dsl.If(fitted.outputs["Output"] >= needed):
        register(model=fitted.outputs["model"])


if __name__ == "__main__":
    compiler.Compiler().compile(delays, "delays.yaml")
