"""Minutes until a driver arrives."""

from datetime import datetime

import mlflow.sklearn
import pandas as pd
from arrival_features import arrival_features
from fastapi import FastAPI
from pydantic import BaseModel, Field

model = mlflow.sklearn.load_model("models:/arrivals@champion")
app = FastAPI()


class Trip(BaseModel):
    distance_km: float = Field(gt=0, lt=500)
    begun_at: datetime


@app.get("/health")
def health() -> dict:
    return {"ready": model is not None}


@app.post("/arrival")
def arrival(trip: Trip) -> dict:
    row = pd.DataFrame([trip.model_dump()])
    return {"minutes": float(model.predict(arrival_features(row))[0])}
