"""The journey of drift: what the champion was released on, and how far served features have moved from it."""

from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO

import polars as pl

from mlwright.errors import NotFound
from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import DriftReport
from mlwright.model.registry import ModelVersion
from mlwright.model.windows import Window
from mlwright.platform.parts import Parts
from mlwright.platform.releases import ReleaseJourney
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.drift import drift, sketch


class DriftJourney:
    """Compares served features with the champion's reference."""

    def __init__(self, parts: Parts, releases: ReleaseJourney) -> None:
        self._parts = parts
        self._releases = releases

    def drift(self, endpoint: str) -> tuple[DriftReport, ...]:
        """The kept drift reports, oldest first."""
        with self._parts.read() as tx:
            return tuple(monitoring.list_drift(tx, EndpointName(endpoint)))

    def measure(self, endpoint: str, days: Sequence[Window]) -> tuple[DriftReport, ...]:
        """Compare what was served in each window with the champion's reference; windows without answers give none."""
        champion = self._releases.status(endpoint).champion
        reference = self._reference(endpoint, champion) if champion else None
        if reference is None:
            return ()
        reports: list[DriftReport] = []
        for day in days:
            served = self._parts.log.features(day, endpoint=endpoint)
            if served.is_empty():
                continue
            moved = drift(reference.sketches, served)
            reports.append(
                DriftReport(
                    endpoint=EndpointName(endpoint), window=day, reference=reference.window, features=moved
                )
            )
        return tuple(reports)

    def _reference(self, endpoint: str, version: ModelVersion) -> monitoring.Reference | None:
        """The features that the champion was judged on at its release, as sketches; made once a version."""
        name = EndpointName(endpoint)
        with suppress(NotFound), self._parts.read() as tx:
            return monitoring.get_reference(tx, name, version.ref)
        evidence = version.evaluation
        if evidence is None or evidence.holdout is None:
            return None
        holdout = pl.read_parquet(BytesIO(self._parts.artifacts.get_bytes(evidence.holdout)))
        columns = [each for each in (field.name for field in version.inputs) if each in holdout.columns]
        window = Window(start=evidence.start, end=evidence.end)
        with self._parts.write() as tx:
            monitoring.save_reference(tx, name, version.ref, sketch(holdout.select(columns)), window)
            return monitoring.get_reference(tx, name, version.ref)
