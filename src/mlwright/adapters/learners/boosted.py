"""Boosted trees and linear text models of scikit-learn."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Final

import numpy as np

from mlwright.ports.learner import Fitted, FittedTexts, Floats

_TREES: Final = 40
_LEAVES: Final = 15
_BINS: Final = 63
_RATE: Final = 0.15
_ALONE: Final = 500_000
"""Cells (rows × columns) up to which one thread is as fast: more of them wait for each other, and on a busy machine
they do little else. Sums do not depend on the number of processors then either."""


class BoostedLearner:
    """Histogram-based gradient boosting (Ke and others 2017), small enough to be fitted many times."""

    def classify(
        self,
        features: Floats,
        labels: Floats,
        *,
        categorical: Sequence[int] = (),
        weights: Floats | None = None,
        seed: int = 0,
    ) -> Fitted:
        """See ``Learner.classify``."""
        from sklearn.ensemble import HistGradientBoostingClassifier  # 1 s of scipy and scikit-learn

        if len(np.unique(labels)) < 2:
            return _Constant(float(labels[0]) if len(labels) else 0.5)
        model = HistGradientBoostingClassifier(**_shape(features, categorical, seed))
        with _threads(features):
            return _Boosted(model.fit(_filled(features), labels > 0.5, sample_weight=weights), proba=True)

    def regress(
        self,
        features: Floats,
        target: Floats,
        *,
        categorical: Sequence[int] = (),
        weights: Floats | None = None,
        seed: int = 0,
    ) -> Fitted:
        """See ``Learner.regress``."""
        from sklearn.ensemble import HistGradientBoostingRegressor  # 1 s of scipy and scikit-learn

        model = HistGradientBoostingRegressor(**_shape(features, categorical, seed))
        with _threads(features):
            return _Boosted(model.fit(_filled(features), target, sample_weight=weights), proba=False)

    def classify_texts(self, texts: Sequence[str], labels: Floats, *, seed: int = 0) -> FittedTexts:
        """See ``Learner.classify_texts``; words and pairs of words, hashed, and a logistic regression."""
        from sklearn.feature_extraction.text import HashingVectorizer  # 1 s of scipy and scikit-learn
        from sklearn.linear_model import LogisticRegression

        if len(np.unique(labels)) < 2:
            return _Constant(float(labels[0]) if len(labels) else 0.5)
        words = HashingVectorizer(n_features=2**16, ngram_range=(1, 2), alternate_sign=False)
        model = LogisticRegression(max_iter=200, random_state=seed)
        return _Texts(words, model.fit(words.transform(texts), labels > 0.5))


def _shape(features: Floats, categorical: Sequence[int], seed: int) -> dict[str, Any]:
    return {
        "max_iter": _TREES,
        "max_leaf_nodes": _LEAVES,
        "min_samples_leaf": max(20, len(features) // 400),
        "max_bins": _bins(features, categorical),
        "learning_rate": _RATE,
        "l2_regularization": 1.0,
        "early_stopping": False,
        "categorical_features": list(categorical) or None,
        "random_state": seed,
    }


def _bins(features: Floats, categorical: Sequence[int]) -> int:
    """As few as serve; a column of codes needs one for each."""
    codes = features[:, list(categorical)]
    known = codes[np.isfinite(codes)]
    return max(_BINS, int(known.max()) + 1) if len(known) else _BINS


def _filled(features: Floats) -> Floats:
    """A column without any value cannot be binned; as a constant it tells as little."""
    empty = np.isnan(features).all(axis=0)
    return np.where(empty, 0.0, features) if empty.any() else features


def _threads(features: Floats) -> AbstractContextManager[object]:
    """One OpenMP thread for what is small."""
    return _controller().limit(limits=1, user_api="openmp") if features.size <= _ALONE else nullcontext()


@cache
def _controller() -> Any:
    """Finds the libraries that have threads of their own: once, after scikit-learn is imported."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class _Boosted:
    def __init__(self, model: Any, *, proba: bool) -> None:
        self._model = model
        self._proba = proba

    def predict(self, features: Floats) -> Floats:
        if len(features) == 0:
            return np.empty(0)
        with _threads(features):
            found = (
                self._model.predict_proba(features)[:, 1] if self._proba else self._model.predict(features)
            )
        return np.asarray(found, dtype=np.float64)


class _Constant:
    def __init__(self, value: float) -> None:
        self._value = value

    def predict(self, features: Floats | Sequence[str]) -> Floats:
        return np.full(len(features), self._value)


class _Texts:
    def __init__(self, words: Any, model: Any) -> None:
        self._words = words
        self._model = model

    def predict(self, texts: Sequence[str]) -> Floats:
        return np.asarray(self._model.predict_proba(self._words.transform(texts))[:, 1], dtype=np.float64)
