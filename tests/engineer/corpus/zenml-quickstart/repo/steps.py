from typing import Annotated

import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import recall_score, roc_auc_score
from sklearn.model_selection import train_test_split
from zenml import log_metadata, step


@step
def load() -> tuple[Annotated[pd.DataFrame, "train"], Annotated[pd.DataFrame, "test"]]:
    frame = load_breast_cancer(as_frame=True).frame
    train, test = train_test_split(frame, test_size=0.2)
    return train, test


@step
def fit(train: pd.DataFrame) -> ClassifierMixin:
    model = RandomForestClassifier(n_estimators=200)
    model.fit(train.drop(columns=["target"]), train["target"])
    return model


@step
def evaluate(model: ClassifierMixin, test: pd.DataFrame) -> float:
    X, y = test.drop(columns=["target"]), test["target"]
    auc = roc_auc_score(y, model.predict_proba(X)[:, 1])
    log_metadata({"auc": auc, "recall": recall_score(y, model.predict(X))})
    return auc
