"""The whole pipeline on a small file: validate, split, train, gate, register."""

import pandas as pd

from churn.train import main


def test_the_pipeline_runs_end_to_end(tmp_path, monkeypatch, small_customers: pd.DataFrame):
    path = tmp_path / "customers.parquet"
    small_customers.to_parquet(path)
    main(str(path))
    assert (tmp_path / "models" / "churn.skops").exists()
