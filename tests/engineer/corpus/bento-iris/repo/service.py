from __future__ import annotations

import bentoml
import numpy as np
from pydantic import BaseModel, Field


class Flower(BaseModel):
    sepal_length: float = Field(gt=0, lt=20)
    sepal_width: float = Field(gt=0, lt=20)
    petal_length: float = Field(gt=0, lt=20)
    petal_width: float = Field(gt=0, lt=20)


@bentoml.service(resources={"cpu": "1"}, traffic={"timeout": 5, "max_concurrency": 32})
class Iris:
    stored = bentoml.models.BentoModel("iris:latest")

    def __init__(self) -> None:
        self.model = bentoml.sklearn.load_model(self.stored)

    @bentoml.api
    def predict(self, flower: Flower) -> int:
        row = np.array([[flower.sepal_length, flower.sepal_width, flower.petal_length, flower.petal_width]])
        return int(self.model.predict(row)[0])
