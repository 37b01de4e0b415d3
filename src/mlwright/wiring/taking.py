"""Taking in the files of a version that a client registered by its address."""

from collections.abc import Callable

from mlwright.model.settings import Settings
from mlwright.platform.tracking.proofs import Proved
from mlwright.ports.clock import Clock
from mlwright.wiring.tracking import open_tracking


def taking_in(settings: Settings, clock: Clock) -> Callable[[str], Proved]:
    """Looks at the files of a version that a client registered, and runs nothing of the model."""

    def take_in(ref: str) -> Proved:
        with open_tracking(
            database=settings.database,
            artifacts=settings.artifacts,
            state=settings.state,
            clock=clock,
            proves=True,
        ) as tracking:
            return tracking.proofs.run(ref, level="files")

    return take_in
