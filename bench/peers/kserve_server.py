"""The KServe SDK's model server. Arguments: port, workers."""

import os
import sys

import joblib
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class Scores(Model):
    def __init__(self) -> None:
        super().__init__("gb")
        self.load()

    def load(self) -> bool:
        self.model = joblib.load(os.environ["BENCH_MODEL"])
        self.ready = True
        return True

    def predict(self, payload: InferRequest, headers: dict | None = None) -> InferResponse:
        scores = self.model.predict(payload.inputs[0].as_numpy())
        output = InferOutput(name="score", shape=[len(scores)], datatype="FP64", data=scores.tolist())
        return InferResponse(response_id=payload.id or "1", model_name="gb", infer_outputs=[output])


if __name__ == "__main__":
    server = ModelServer(
        http_port=int(sys.argv[1]), workers=int(sys.argv[2]), enable_grpc=False, access_log_format=None
    )
    server.start([Scores()])
