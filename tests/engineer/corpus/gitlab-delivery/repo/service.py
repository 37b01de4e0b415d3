from typing import Literal

import pandas as pd
import skops.io
from fastapi import FastAPI
from pydantic import BaseModel, Field

from features import inputs

model = skops.io.load("model.skops")
app = FastAPI()


class Parcel(BaseModel):
    weight: float = Field(gt=0, le=40)
    stops: int = Field(ge=0)
    content: Literal["glass", "paper", "other"]


@app.get("/health")
def health():
    return {"ok": True}


@app.post("/damage")
def damage(parcel: Parcel):
    return {"risk": float(model.predict_proba(inputs(pd.DataFrame([parcel.model_dump()])))[0, 1])}
