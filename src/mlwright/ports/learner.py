"""The small models that drift and diagnosis fit: domain classifiers, refits, surrogates.

Open wire: none; a learner is a library in this process. Outgrown: any library.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Fitted(Protocol):
    """A fitted model of a table."""

    def predict(self, features: Floats) -> Floats:
        """The probability of class 1, or the expected value, for each row.

        Args:
            features: shape (n, k), columns as in the fit; NaN is missing, a level never seen counts as missing.

        Returns:
            Shape (n,).
        """
        ...


class FittedTexts(Protocol):
    """A fitted model of documents."""

    def predict(self, texts: Sequence[str]) -> Floats:
        """The probability of class 1 for each document, shape (n,)."""
        ...


class Learner(Protocol):
    """Fits small models: deterministic for a seed, at home with missing values, seconds on 100,000 rows."""

    def classify(
        self,
        features: Floats,
        labels: Floats,
        *,
        categorical: Sequence[int] = (),
        weights: Floats | None = None,
        seed: int = 0,
    ) -> Fitted:
        """Fit the probability of class 1.

        Args:
            features: shape (n, k); NaN is missing. Values of categorical columns are codes 0, 1, … 254.
            labels: shape (n,), 0 or 1. With one class only, the answer is that class's probability, 0 or 1.
            categorical: which columns hold codes without an order.
            weights: shape (n,), each at least 0.
            seed: of whatever is drawn.
        """
        ...

    def regress(
        self,
        features: Floats,
        target: Floats,
        *,
        categorical: Sequence[int] = (),
        weights: Floats | None = None,
        seed: int = 0,
    ) -> Fitted:
        """Fit the expected value of ``target``, shape (n,); the rest as in :meth:`classify`."""
        ...

    def classify_texts(self, texts: Sequence[str], labels: Floats, *, seed: int = 0) -> FittedTexts:
        """Fit the probability of class 1 by the words of documents."""
        ...
