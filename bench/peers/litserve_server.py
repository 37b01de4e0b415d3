"""LitServe, one process a worker. Arguments: port, workers."""

import os
import sys

import joblib
import litserve
import numpy as np


class Scores(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = joblib.load(os.environ["BENCH_MODEL"])

    def decode_request(self, request: dict) -> np.ndarray:
        tensor = request["inputs"][0]
        return np.array(tensor["data"]).reshape(tensor["shape"])

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict(rows)

    def encode_response(self, scores: np.ndarray) -> dict:
        return {"outputs": [{"name": "score", "datatype": "FP64", "data": scores.tolist()}]}


if __name__ == "__main__":
    server = litserve.LitServer(Scores(), accelerator="cpu", workers_per_device=int(sys.argv[2]))
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False, log_level="warning")
