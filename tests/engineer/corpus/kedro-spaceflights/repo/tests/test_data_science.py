import pandas as pd
import pytest

from spaceflights.data_science import evaluate_model, split_data, train_model


@pytest.fixture
def rows():
    return pd.DataFrame({"engines": range(50), "crew": range(50), "price": [100 * each for each in range(50)]})


def test_a_line_is_found(rows):
    parts = split_data(rows, {"features": ["engines", "crew"], "test_size": 0.2, "random_state": 3})
    model = train_model(parts[0], parts[2])
    assert evaluate_model(model, parts[1], parts[3])["r2"] == pytest.approx(1)
