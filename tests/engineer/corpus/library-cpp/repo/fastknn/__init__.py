"""Nearest neighbours."""

import numpy as np

from fastknn._core import Index

__all__ = ["Neighbours"]


class Neighbours:
    """Keeps rows, and finds those that are near."""

    def fit(self, X: np.ndarray) -> "Neighbours":
        self._index = Index()
        for row in np.ascontiguousarray(X, dtype=np.float32):
            self._index.add(row)
        return self

    def kneighbors(self, X: np.ndarray, count: int = 5) -> np.ndarray:
        return np.stack([self._index.nearest(row, count) for row in X])
