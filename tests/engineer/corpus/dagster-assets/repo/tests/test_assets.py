import pandas as pd

from returns.assets import weights_are_possible


def test_a_parcel_of_a_ton_is_impossible():
    assert not weights_are_possible(pd.DataFrame({"weight": [1.0, 1000.0]})).passed
