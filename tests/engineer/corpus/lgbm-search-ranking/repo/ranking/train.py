"""Train the ranker and compare it with popularity."""

import sys

import lightgbm as lgb
import mlflow
import pandas as pd
from sklearn.metrics import ndcg_score
from sklearn.model_selection import GroupShuffleSplit

from ranking.features import CATEGORIES, build

SETTINGS = {"n_estimators": 800, "learning_rate": 0.05, "num_leaves": 63, "random_state": 11}


def cut(clicks: pd.DataFrame, share: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep all searches of a user on one side."""
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=11)
    first, second = next(splitter.split(clicks, groups=clicks["user_id"]))
    return clicks.iloc[first].sort_values("search"), clicks.iloc[second].sort_values("search")


def mean_ndcg(clicks: pd.DataFrame, scores) -> float:
    parts = clicks.assign(score=scores).groupby("search")
    return parts.apply(lambda part: ndcg_score([part["clicked"]], [part["score"]], k=10)).mean()


def train(fit: pd.DataFrame, check: pd.DataFrame, settings: dict) -> lgb.LGBMRanker:
    model = lgb.LGBMRanker(**settings)
    return model.fit(
        build(fit),
        fit["clicked"],
        group=fit.groupby("search").size(),
        eval_set=[(build(check), check["clicked"])],
        eval_group=[check.groupby("search").size()],
        categorical_feature=CATEGORIES,
        callbacks=[lgb.early_stopping(50)],
    )


def main(path: str) -> None:
    clicks = pd.read_parquet(path)
    rest, test = cut(clicks, 0.2)
    fit, check = cut(rest, 0.2)
    with mlflow.start_run():
        mlflow.log_params(SETTINGS)
        model = train(fit, check, SETTINGS)
        scores = model.predict(build(test))
        mlflow.log_metric("ndcg_10", mean_ndcg(test, scores))
        mlflow.log_metric("baseline_ndcg_10", mean_ndcg(test, test["popularity_28d"]))
        for language, part in test.assign(score=scores).groupby("query_language"):
            mlflow.log_metric(f"ndcg_10_{language}", mean_ndcg(part, part["score"]))
        mlflow.lightgbm.log_model(model.booster_, "ranker")


if __name__ == "__main__":
    main(sys.argv[1])
