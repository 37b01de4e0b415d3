import pandas as pd

from ranking.features import FEATURES, build


def test_free_items_have_a_finite_price():
    row = {"user_id": 1, "item_id": 2, "query_language": "de", "price": 0.0, "popularity_28d": 3, "text_match": 0.4}
    made = build(pd.DataFrame([row]))
    assert list(made.columns) == FEATURES
    assert made["price_log"].iloc[0] == 0
