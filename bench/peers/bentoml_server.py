"""BentoML. Run by: bentoml serve bentoml_server:Scores."""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=int(os.environ.get("BENCH_WORKERS", "1")))
class Scores:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["BENCH_MODEL"])

    @bentoml.api(route="/infer")
    def infer(self, inputs: list[dict]) -> dict:
        rows = np.array(inputs[0]["data"]).reshape(inputs[0]["shape"])
        return {"outputs": [{"name": "score", "datatype": "FP64", "data": self.model.predict(rows).tolist()}]}
