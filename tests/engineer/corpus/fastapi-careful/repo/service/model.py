"""The model, loaded at the first call and kept."""

from functools import lru_cache

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from service.settings import Settings

LABELS = ("negative", "neutral", "positive")


@lru_cache(maxsize=1)
def session() -> ort.InferenceSession:
    return ort.InferenceSession(Settings().model_path, providers=["CPUExecutionProvider"])


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file("/models/tokenizer.json")


def score(text: str) -> dict[str, float]:
    ids = np.array([tokenizer().encode(text).ids])
    (logits,) = session().run(None, {"input_ids": ids})
    weights = np.exp(logits[0] - logits[0].max())
    return dict(zip(LABELS, (weights / weights.sum()).tolist()))
