"""The service: checks rows against the schema of training, scores, keeps what was asked and answered."""

import logging
import math
import uuid
from contextlib import asynccontextmanager

import pandas as pd
import skops.io
from fastapi import FastAPI, HTTPException
from prometheus_client import Counter, Histogram, make_asgi_app
from pydantic import BaseModel, Field

from churn.features import add_features
from churn.records import log_prediction, record_label
from churn.schema import CUSTOMERS

log = logging.getLogger(__name__)
MODEL_VERSION = "3.2.0"
LATENCY = Histogram("predict_seconds", "time of one prediction")
INVALID = Counter("invalid_rows_total", "rows that were refused", ["field"])
models = {}


class Customer(BaseModel):
    tenure: int = Field(ge=0, le=1200)
    monthly_charges: float = Field(ge=0)
    calls_to_support: int = Field(ge=0)
    tariff: str
    region: str


class Truth(BaseModel):
    prediction_id: str
    churned: bool


@asynccontextmanager
async def lifespan(app: FastAPI):
    models["churn"] = skops.io.load("models/churn.skops", trusted=[])
    yield


app = FastAPI(lifespan=lifespan)
app.mount("/metrics", make_asgi_app())


@app.get("/health/ready")
def ready():
    if "churn" not in models:
        raise HTTPException(503)
    return {"model_version": MODEL_VERSION}


@app.post("/predict")
def predict(customer: Customer):
    row = pd.DataFrame([customer.model_dump()])
    CUSTOMERS.validate(row)
    with LATENCY.time():
        score = float(models["churn"].predict_proba(add_features(row))[0, 1])
    if not math.isfinite(score):
        raise HTTPException(500, "the score is not a number")
    prediction_id = str(uuid.uuid4())
    log_prediction(prediction_id, customer.model_dump(), score, MODEL_VERSION)
    return {"prediction_id": prediction_id, "score": score, "model_version": MODEL_VERSION}


@app.post("/feedback")
def feedback(truth: Truth):
    record_label(truth.prediction_id, truth.churned)
    return {"kept": True}
