"""What runs beside the answering of calls in the tracking process, each on a thread of its own."""

from collections.abc import Callable
from typing import Final, TypeAlias

from mlwright.doors.http.mlflow.artifact_uploads import clear_uploads
from mlwright.doors.http.mlflow.proving import start_proofs
from mlwright.doors.http.mlflow.webhooks import start_deliveries
from mlwright.platform.tracking.facade import TrackingPlatform

Stop: TypeAlias = Callable[[], None]

BACKGROUND: Final[tuple[Callable[[TrackingPlatform], Stop], ...]] = (
    start_deliveries,
    start_proofs,
    clear_uploads,
)
"""Each is started with the façade and returns what ends it; the tracking process calls both."""
