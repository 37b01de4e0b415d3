"""Measuring models in processes of their own, where nothing else is in memory or takes the processor.

Open wire: the MLflow Model folder on disk, and the Open Inference Protocol v2 over HTTP.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlwright.model.batches import Columns
from mlwright.model.conversions import Footprint
from mlwright.model.endpoints import Route
from mlwright.model.profiles import Served
from mlwright.model.settings import EndpointSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send to a serving process, and for how long."""

    requests: Sequence[Columns]
    """What one request each sends, by name: one row."""
    types: dict[str, str]
    """The type of each column, as ``Field.type`` names it."""
    shapes: dict[str, tuple[int, ...]]
    """The shape of one row, where it is not one value."""
    answer: float | None
    """The first number of the right answer to the first request; None where it is not a number."""
    connections: Sequence[int]
    seconds: float
    """For each number of connections."""


class Measuring(Protocol):
    """Starts processes, measures them and ends them."""

    def footprint(self, folder: Path) -> Footprint:
        """Load one model folder in a new process, have it answer its example, and look at the memory.

        Raises:
            ModelLoadFailed: the process does not load it, or it has no example that it answers.
        """
        ...

    def serve(
        self,
        settings: Settings,
        endpoint: EndpointSettings,
        route: Route,
        load: Load,
        say: Callable[[str], None],
    ) -> Served:
        """Serve a route in a new process that logs into a folder of its own, and send it requests over HTTP.

        Args:
            settings: the project: its database and artifacts are read.
            endpoint: what is served, under its name.
            route: what answers.
            load: what is sent.
            say: is told of each step.

        Raises:
            ModelLoadFailed: the process does not serve it, or gives a wrong answer.
        """
        ...
