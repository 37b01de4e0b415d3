import joblib
import numpy as np
import pandas as pd
import uvicorn
from fastapi import FastAPI, Request

app = FastAPI(title="house prices", debug=True)


def features(frame):
    frame = frame.copy()
    frame["age"] = 2024 - frame["built"]
    frame["rooms_per_area"] = frame["rooms"] / frame["area"].clip(lower=1)
    frame["log_area"] = np.log1p(frame["area"])
    frame["has_garden"] = frame["garden"].fillna(0) > 0
    return frame[["age", "rooms_per_area", "log_area", "has_garden"]]


@app.post("/price")
async def price(request: Request):
    body = await request.json()
    model = joblib.load("model.joblib")
    return {"price": float(model.predict(features(pd.DataFrame([body])))[0])}


if __name__ == "__main__":
    uvicorn.run("app.main:app", host="0.0.0.0", port=8000, reload=True)
