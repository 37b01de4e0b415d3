"""The features, defined once: training and the service import this. docs/add-a-feature.md says how to add one."""

import pandas as pd

FEATURES = ["tenure", "monthly_charges", "calls_to_support", "tariff_code", "region_code"]
TARIFFS = {"basic": 0, "plus": 1, "family": 2}


def add_features(customers: pd.DataFrame) -> pd.DataFrame:
    """Model inputs from customer rows; unknown tariffs become -1."""
    made = customers.copy()
    made["tariff_code"] = made["tariff"].map(TARIFFS).fillna(-1)
    made["region_code"] = made["region"].str[:2].map(hash_region)
    made["calls_to_support"] = made["calls_to_support"].clip(0, 50)
    made["monthly_charges"] = made["monthly_charges"].clip(0, 1000)
    return made[FEATURES]


def hash_region(region: str) -> int:
    """A stable small number for a region."""
    return sum(ord(letter) for letter in region) % 97
