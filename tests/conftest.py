"""What all tests share: readable failures of the shipped exams, and hypothesis without a stopwatch."""

from pathlib import Path

import hypothesis
import pytest

pytest.register_assert_rewrite("mlwright.testing.conformance")

# The machine is shared and slow at times: a deadline would fail a test for what its neighbour does.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds ./dev."""
    return Path(__file__).parents[1]
