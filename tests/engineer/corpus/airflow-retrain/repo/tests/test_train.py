import pandas as pd

from churn.train import cut


def test_the_last_month_is_held_out():
    fit, held = cut(pd.DataFrame({"month": [1, 1, 2, 3, 3]}))
    assert held["month"].tolist() == [3, 3]
    assert 3 not in fit["month"].tolist()
