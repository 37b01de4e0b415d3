import pandas as pd

from churn.features import FEATURES, add_features

ROW = {"tenure": 3, "monthly_charges": 20.0, "calls_to_support": 90, "tariff": "plus", "region": "north"}


def test_features_are_complete_and_bounded():
    made = add_features(pd.DataFrame([ROW]))
    assert list(made.columns) == FEATURES
    assert made["calls_to_support"].max() == 50


def test_unknown_tariffs_become_minus_one():
    assert add_features(pd.DataFrame([ROW | {"tariff": "new"}]))["tariff_code"][0] == -1
