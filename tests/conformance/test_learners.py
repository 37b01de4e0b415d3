import pytest

from mlwright.adapters.learners.boosted import BoostedLearner
from mlwright.ports.learner import Learner
from mlwright.testing.conformance.learners import LearnerConformance
from mlwright.testing.fakes.learner import SmoothLearner


class TestSmoothLearner(LearnerConformance):
    @pytest.fixture
    def learner(self) -> Learner:
        return SmoothLearner()


class TestBoostedLearner(LearnerConformance):
    @pytest.fixture
    def learner(self) -> Learner:
        return BoostedLearner()
