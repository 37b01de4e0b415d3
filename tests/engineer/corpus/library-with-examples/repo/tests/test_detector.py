import numpy as np

from wavelabels import Detector


def test_a_tone_is_told_from_silence():
    tone = np.sin(np.linspace(0, 8000, 16_000))
    detector = Detector().fit([tone, np.zeros(16_000)] * 3, [1, 0] * 3)
    assert detector.predict([tone]).tolist() == [1]
