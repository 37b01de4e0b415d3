"""What is known of a query, a user and an item when results are ranked."""

import numpy as np
import pandas as pd

CATEGORIES = ["user_id", "item_id", "query_language"]
NUMBERS = ["price_log", "popularity_28d", "text_match"]
FEATURES = CATEGORIES + NUMBERS


def build(clicks: pd.DataFrame) -> pd.DataFrame:
    """Inputs of the ranker, ids as categories so that the trees may split on them."""
    made = clicks.assign(price_log=np.log1p(clicks["price"]))
    made[CATEGORIES] = made[CATEGORIES].astype("category")
    return made[FEATURES]
