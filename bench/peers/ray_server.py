"""Ray Serve. Arguments: port, replicas."""

import os
import signal
import sys

import joblib
import numpy as np
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=int(sys.argv[2]), max_ongoing_requests=100)
class Scores:
    def __init__(self, path: str) -> None:
        self.model = joblib.load(path)

    async def __call__(self, request: Request) -> dict:
        tensor = (await request.json())["inputs"][0]
        rows = np.array(tensor["data"]).reshape(tensor["shape"])
        return {"outputs": [{"name": "score", "datatype": "FP64", "data": self.model.predict(rows).tolist()}]}


if __name__ == "__main__":
    ray.init(include_dashboard=False, logging_level="warning", num_cpus=8)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Scores.bind(os.environ["BENCH_MODEL"]), route_prefix="/infer")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()
