"""What a team writes by hand: FastAPI, a pydantic body, the model called in the handler. Run by uvicorn."""

import os

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["BENCH_MODEL"])


class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Body(BaseModel):
    inputs: list[Tensor]


@app.post("/infer")
async def infer(body: Body) -> dict[str, object]:
    rows = np.array(body.inputs[0].data).reshape(body.inputs[0].shape)
    scores = model.predict(rows).tolist()
    return {"outputs": [{"name": "score", "shape": [len(scores)], "datatype": "FP64", "data": scores}]}
