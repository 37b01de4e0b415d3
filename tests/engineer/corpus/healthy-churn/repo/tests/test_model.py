import pandas as pd

from churn.features import add_features
from churn.train import train

SETTINGS = {"learning_rate": 0.1, "max_iter": 20, "seed": 13}


def customers(rows: int = 400) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "tenure": range(rows),
            "monthly_charges": [20.0] * rows,
            "calls_to_support": [number % 7 for number in range(rows)],
            "tariff": ["basic", "plus"] * (rows // 2),
            "region": ["north"] * rows,
            "churned": [number % 7 > 4 for number in range(rows)],
        }
    )


def test_the_model_learns_what_can_be_learned():
    rows = customers()
    model = train(rows, SETTINGS)
    assert model.score(add_features(rows), rows["churned"]) > 0.95


def test_the_same_seed_gives_the_same_model():
    rows = customers()
    first, second = (train(rows, SETTINGS).predict_proba(add_features(rows)) for _ in range(2))
    assert (first == second).all()
