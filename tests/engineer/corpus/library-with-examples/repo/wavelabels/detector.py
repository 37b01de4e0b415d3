"""Events by the energy of bands."""

import numpy as np
from scipy.signal import spectrogram
from sklearn.linear_model import LogisticRegression


class Detector:
    """Learns from labelled recordings which bands tell an event."""

    def __init__(self, rate: int = 16_000) -> None:
        self.rate = rate

    def fit(self, recordings: list[np.ndarray], labels: list[int]) -> "Detector":
        self.model_ = LogisticRegression(max_iter=500).fit(self._bands(recordings), labels)
        return self

    def predict(self, recordings: list[np.ndarray]) -> np.ndarray:
        return self.model_.predict(self._bands(recordings))

    def _bands(self, recordings: list[np.ndarray]) -> np.ndarray:
        return np.stack([np.log1p(spectrogram(each, self.rate)[2]).mean(axis=1) for each in recordings])
