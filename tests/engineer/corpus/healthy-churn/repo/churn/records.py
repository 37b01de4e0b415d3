"""What was asked and answered, and the truth that comes back a month later."""

import json
import time
from pathlib import Path

FOLDER = Path("records")


def log_prediction(prediction_id: str, features: dict, score: float, model_version: str) -> None:
    """Append one prediction."""
    row = {"id": prediction_id, "at": time.time(), "features": features, "score": score, "model_version": model_version}
    with (FOLDER / "predictions.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def record_label(prediction_id: str, churned: bool) -> None:
    """Append one label."""
    with (FOLDER / "labels.jsonl").open("a") as file:
        file.write(json.dumps({"id": prediction_id, "churned": churned}) + "\n")
