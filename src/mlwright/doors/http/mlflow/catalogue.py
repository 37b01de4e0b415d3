"""Every call of the MLflow protocol that this door answers, by subject."""

from typing import Final

from mlwright.doors.http.mlflow import (
    artifacts,
    experiments,
    logged_models,
    metrics,
    models,
    runs,
    search,
    traces,
    ui,
    versions,
    webhooks,
)
from mlwright.doors.http.mlflow.call import Call, StreamCall

CALLS: Final[tuple[Call, ...]] = (
    *experiments.CALLS,
    *runs.CALLS,
    *metrics.CALLS,
    *logged_models.CALLS,
    *search.CALLS,
    *models.CALLS,
    *versions.CALLS,
    *webhooks.CALLS,
    *artifacts.CALLS,
    *traces.CALLS,
    *ui.CALLS,
)

STREAMS: Final[tuple[StreamCall, ...]] = (*artifacts.STREAMS, *traces.STREAMS, *ui.STREAMS)
