import os

import lightgbm as lgb
from fastapi import FastAPI
from pydantic import BaseModel

model = lgb.Booster(model_file=os.environ["MODEL"])
app = FastAPI()


class Pair(BaseModel):
    text_match: float
    popularity: float


@app.get("/health")
def health():
    return {"trees": model.num_trees()}


@app.post("/rank")
def rank(pairs: list[Pair]) -> list[float]:
    return model.predict([[pair.text_match, pair.popularity] for pair in pairs]).tolist()
