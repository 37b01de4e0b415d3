"""The articles and their vectors."""

import json
from pathlib import Path

import numpy as np

ARTICLES = json.loads(Path(__file__).with_name("articles.json").read_text())
VECTORS = np.array([each["vector"] for each in ARTICLES])


def nearest(vector: list[float], count: int = 3) -> list[str]:
    order = np.argsort(-(VECTORS @ np.array(vector)))[:count]
    return [ARTICLES[at]["text"] for at in order]
