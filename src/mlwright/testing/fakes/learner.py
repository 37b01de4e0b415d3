"""A learner of smooth relations in closed form: ridge and logistic regression on ranks, squares and products."""

from collections.abc import Sequence

import numpy as np

from mlwright.ports.learner import Fitted, FittedTexts, Floats

_PAIRED = 8
_RIDGE = 1e-3


class SmoothLearner:
    """Learns additive and pairwise relations, levels and missing values; in numpy, in milliseconds."""

    def classify(
        self,
        features: Floats,
        labels: Floats,
        *,
        categorical: Sequence[int] = (),
        weights: Floats | None = None,
        seed: int = 0,
    ) -> Fitted:
        """See ``Learner.classify``; nothing is drawn."""
        if len(np.unique(labels)) < 2:
            return _Smooth(None, np.array([labels[0] if len(labels) else 0.5]), odds=False)
        basis = _Basis(features, categorical)
        return _Smooth(basis, _logistic(basis.of(features), labels, _weights(weights, labels)), odds=True)

    def regress(
        self,
        features: Floats,
        target: Floats,
        *,
        categorical: Sequence[int] = (),
        weights: Floats | None = None,
        seed: int = 0,
    ) -> Fitted:
        """See ``Learner.regress``; nothing is drawn."""
        if len(target) == 0:
            return _Smooth(None, np.zeros(1), odds=False)
        basis = _Basis(features, categorical)
        return _Smooth(basis, _ridge(basis.of(features), target, _weights(weights, target)), odds=False)

    def classify_texts(self, texts: Sequence[str], labels: Floats, *, seed: int = 0) -> FittedTexts:
        """See ``Learner.classify_texts``: naive Bayes over words."""
        return _Words(texts, labels)


def _weights(weights: Floats | None, like: Floats) -> Floats:
    return (
        np.ones(len(like)) if weights is None else weights * (len(like) / max(float(weights.sum()), 1e-300))
    )


def _ridge(x: Floats, y: Floats, w: Floats) -> Floats:
    penalty = _RIDGE * len(x) * np.eye(x.shape[1])
    penalty[0, 0] = 1e-9
    return np.asarray(np.linalg.solve((x * w[:, None]).T @ x + penalty, x.T @ (w * y)), dtype=np.float64)


def _logistic(x: Floats, y: Floats, w: Floats) -> Floats:
    """Newton's method; the ridge keeps separated classes finite."""
    beta: Floats = np.zeros(x.shape[1])
    penalty = _RIDGE * len(x) * np.eye(x.shape[1])
    penalty[0, 0] = 1e-6
    for _ in range(25):
        chance = _sigmoid(x @ beta)
        curved = (x * (w * np.maximum(chance * (1 - chance), 1e-6))[:, None]).T @ x + penalty
        step = np.linalg.solve(curved, x.T @ (w * (y - chance)) - penalty @ beta)
        beta = np.asarray(beta + step / max(1.0, float(np.abs(step).max()) / 4), dtype=np.float64)
        if np.abs(step).max() < 1e-8:
            break
    return beta


def _sigmoid(odds: Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(-np.clip(odds, -30, 30)))
    return found


class _Basis:
    """Turns a table into columns that a linear model can use."""

    def __init__(self, features: Floats, categorical: Sequence[int]) -> None:
        self._levels = {at: np.unique(features[:, at][np.isfinite(features[:, at])]) for at in categorical}
        self._numbers = [at for at in range(features.shape[1]) if at not in self._levels]
        self._scales = {}
        for at in self._numbers:
            known = features[:, at][np.isfinite(features[:, at])]
            low, middle, high = np.quantile(known, [0.16, 0.5, 0.84]) if len(known) else (0.0, 0.0, 0.0)
            spread = (high - low) / 2 or float(known.std() if len(known) else 0) or 1.0
            self._scales[at] = (float(middle), float(spread))

    def of(self, features: Floats) -> Floats:
        """Constant, numbers with squares and bends, products of the first eight, levels, missing."""
        parts, scaled = [np.ones(len(features))], []
        for at in self._numbers:
            middle, spread = self._scales[at]
            missing = ~np.isfinite(features[:, at])
            value = np.clip((np.where(missing, middle, features[:, at]) - middle) / spread, -6, 6)
            scaled.append(value)
            parts += [value, value**2 / 3, np.abs(value), np.maximum(value - 1, 0), np.maximum(-1 - value, 0)]
            parts.append(missing.astype(np.float64))
        for one in range(min(len(scaled), _PAIRED)):
            parts += [scaled[one] * scaled[two] / 2 for two in range(one)]
        for at, levels in self._levels.items():
            parts += [(features[:, at] == level).astype(np.float64) for level in levels]
        return np.column_stack(parts)


class _Smooth:
    def __init__(self, basis: _Basis | None, beta: Floats, *, odds: bool) -> None:
        self._basis = basis
        self._beta = beta
        self._odds = odds

    def predict(self, features: Floats) -> Floats:
        """See ``Fitted.predict``."""
        if self._basis is None:
            return np.full(len(features), float(self._beta[0]))
        found: Floats = self._basis.of(features) @ self._beta
        return _sigmoid(found) if self._odds else found


class _Words:
    def __init__(self, texts: Sequence[str], labels: Floats) -> None:
        self._constant = float(labels[0]) if len(np.unique(labels)) < 2 and len(labels) else None
        positive = float(np.sum(labels > 0.5))
        rows = (len(labels) - positive, positive)
        self._prior = float(np.log((rows[1] + 1) / (rows[0] + 1)))
        counts: dict[str, list[int]] = {}
        for text, label in zip(texts, labels, strict=True):
            for word in set(text.lower().split()):
                counts.setdefault(word, [0, 0])[int(label > 0.5)] += 1
        self._odds = {
            word: float(np.log((seen[1] + 1) / (rows[1] + 2)) - np.log((seen[0] + 1) / (rows[0] + 2)))
            for word, seen in counts.items()
        }

    def predict(self, texts: Sequence[str]) -> Floats:
        """See ``FittedTexts.predict``."""
        if self._constant is not None:
            return np.full(len(texts), self._constant)
        odds = [
            self._prior + sum(self._odds.get(word, 0.0) for word in set(text.lower().split()))
            for text in texts
        ]
        return _sigmoid(np.array(odds, dtype=np.float64))
