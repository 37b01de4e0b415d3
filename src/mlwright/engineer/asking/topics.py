"""Questions that findings answer: which findings belong to them, advice with its source, and what to type next."""

from collections.abc import Mapping
from typing import Final

from mlwright.engineer.asking.topic import Topic
from mlwright.engineer.asking.topics_operation import OPERATION
from mlwright.engineer.asking.topics_training import TRAINING

TOPICS: Final[Mapping[str, Topic]] = {**TRAINING, **OPERATION}
"""Intents without code of their own."""
