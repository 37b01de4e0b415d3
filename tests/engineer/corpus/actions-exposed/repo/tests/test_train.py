import pandas as pd

from train import train


def test_a_line_is_learned():
    _, error = train(pd.DataFrame({"area": range(100), "rent": [10 * each for each in range(100)]}))
    assert error < 1
