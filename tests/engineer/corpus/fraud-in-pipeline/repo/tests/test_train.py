import numpy as np
import pandas as pd

from fraud.train import train


def test_a_clear_difference_is_learned():
    kind = np.repeat(["no", "yes"], [180, 20])
    frame = pd.DataFrame({"amount": np.where(kind == "yes", 900.0, 20.0) + np.arange(200), "kind": kind})
    model, found = train(frame)
    assert found > 0.9
    assert model.predict(pd.DataFrame({"amount": [950.0]})).tolist() == [1]
