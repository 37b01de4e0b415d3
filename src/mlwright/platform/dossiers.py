"""Journeys of what is known of a version: its evidence, its card, its bill of materials, and how two differ."""

from io import BytesIO

import numpy as np
import polars as pl
from sqlalchemy import Connection

from mlwright import __version__
from mlwright.errors import MlwrightError, NotFound
from mlwright.model.dossiers import Change, RowsMetric, VersionComparison
from mlwright.model.evidence import Evidence
from mlwright.model.ids import RunId
from mlwright.model.ledger import Node
from mlwright.model.monitoring import Estimate
from mlwright.model.registry import ModelVersion
from mlwright.model.tracking import Run
from mlwright.platform.comparing import changes, signature_breaks
from mlwright.platform.parts import Parts
from mlwright.platform.releases import ReleaseJourney
from mlwright.platform.same_rows import SameRows, endpoint_of, same_rows
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring.no_worse import Difference, calibration_difference, metric_difference
from mlwright.stages.monitoring.statistics import auc_clustered, brier_clustered, normal_interval
from mlwright.stages.registry import evidence as proofs
from mlwright.stages.registry import store as registry
from mlwright.stages.registry.bom import bill_of_materials
from mlwright.stages.registry.card import card_text
from mlwright.stages.registry.dossier import Dossier, Measured, model_files, thin
from mlwright.stages.registry.survey import survey
from mlwright.stages.tracking import store as tracking
from mlwright.stages.tracking.logged_models import read_logged_models
from mlwright.stages.tracking.records import read_records
from mlwright.stages.tracking.runs import find_run

LEVEL = 0.95


class DossierJourney:
    """What is known of a version, put together for people and for other programs."""

    def __init__(self, parts: Parts, releases: ReleaseJourney) -> None:
        self._parts = parts
        self._releases = releases

    def evidence(self, ref: str, *, everything: bool = False) -> tuple[Evidence, ...]:
        """What was found out about a version, the newest first.

        Args:
            ref: the version.
            everything: all of it; else the newest of each kind, of each gate, and of each approval.

        Raises:
            NotFound: there is no such version.
        """
        with self._parts.read() as tx:
            version = registry.resolve(tx, ref)
            found = proofs.list_evidence(tx, version.model, version.version)
        return found if everything else thin(found)

    def card(self, ref: str) -> str:
        """The model card in Markdown: facts, and a TODO for every judgement.

        Raises:
            NotFound: there is no such version.
        """
        return card_text(self._gather(ref))

    def bom(self, ref: str) -> dict[str, object]:
        """The bill of materials, a CycloneDX 1.6 document.

        Raises:
            NotFound: there is no such version.
        """
        return bill_of_materials(self._gather(ref), at=self._parts.clock.now(), tool=__version__)

    def compare(self, before: str, after: str) -> VersionComparison:
        """How two versions differ: what they were made of, what they take and give, and how well they do.

        Args:
            before, after: the versions; differences are those of ``after``.

        Raises:
            NotFound: there is no such version.
        """
        one, other = self._gather(before), self._gather(after)
        metrics, why = self._on_same_rows(one.version, other.version)
        breaks = signature_breaks(one.version, other.version)
        return VersionComparison(
            before=one.version,
            after=other.version,
            params=changes(_params(one), _params(other)),
            data=changes(_data(one), _data(other)),
            environment=changes(_environment(one), _environment(other)),
            packages=changes(_packages(one), _packages(other)),
            metrics=changes(_metrics(one), _metrics(other), equal=True),
            same_rows=metrics,
            not_compared=why,
            signature=changes(_fields(one.version), _fields(other.version)),
            compatible=None if breaks is None else not breaks,
            breaks=breaks or (),
            evidence=changes(_evidence(one), _evidence(other), equal=True),
            size=Change(name="bytes", before=_size(one), after=_size(other)),
        )

    def _gather(self, ref: str) -> Dossier:
        with self._parts.read() as tx:
            version = registry.resolve(tx, ref)
            found = proofs.list_evidence(tx, version.model, version.version)
            logged = read_logged_models(tx, [version.logged_model]) if version.logged_model else []
            run = self._run(tx, version)
            inputs = read_records(tx, [find_run(tx, run.id).number])[0].inputs if run is not None else ()
            names = [f"{each.dataset.name}@{each.dataset.digest}" for each in inputs]
            checked = [
                edge.cause.id
                for name in names
                for edge in ledger.trace(tx, Node(kind="dataset", id=name), depth=1).causes
                if edge.relation == "checked by"
            ]
        folder = self._parts.shelf.fetch(version.digest) if version.digest else None
        try:
            target = endpoint_of(self._parts, version).truth.column
        except MlwrightError:
            target = None
        return Dossier(
            version=version,
            run=run,
            inputs=inputs,
            logged_model=logged[0] if logged else None,
            survey=survey(folder) if folder else None,
            files=model_files(folder) if folder else (),
            evidence=thin(found),
            measured=self._measured(version),
            target=target,
            contracts=tuple(sorted(set(checked))),
        )

    def _run(self, tx: Connection, version: ModelVersion) -> Run | None:
        try:
            return tracking.get_run(tx, RunId(version.run)) if version.run else None
        except NotFound:
            return None

    def _measured(self, version: ModelVersion) -> tuple[Measured, ...]:
        """The metrics on the held-out rows with intervals, where the project knows what the columns mean."""
        own = version.evaluation
        if own is None or own.holdout is None or not self._parts.artifacts.exists(own.holdout):
            return ()
        try:
            settings = endpoint_of(self._parts, version)
        except MlwrightError:
            return ()
        rows = pl.read_parquet(BytesIO(self._parts.artifacts.get_bytes(own.holdout)))
        if not {settings.truth.column, settings.timestamp, "score"} <= set(rows.columns):
            return ()
        labels = rows[settings.truth.column].cast(pl.Float64).to_numpy()
        scores, days = rows["score"].to_numpy(), rows[settings.timestamp].dt.epoch("d").to_numpy()
        count = len(np.unique(days))
        found = []
        for name, measure in (("auc", auc_clustered), ("brier", brier_clustered)):
            result = measure(labels, scores, days)
            if result is not None:
                low, high = normal_interval(*result, LEVEL, clusters=count)
                estimate = Estimate(value=result[0], lower=low, upper=high, level=LEVEL)
                found.append(Measured(name=name, estimate=estimate, rows=len(rows), days=count))
        return tuple(found)

    def _on_same_rows(
        self, before: ModelVersion, after: ModelVersion
    ) -> tuple[tuple[RowsMetric, ...], str | None]:
        try:
            rows = same_rows(self._parts, self._releases.load, after, before, min_rows=1)
            # Each bound alone holds at (1 + level) / 2, so that both together hold at the level.
            each_bound = (1 + LEVEL) / 2
            found = {name: metric_difference(rows.pair, name, each_bound) for name in ("auc", "brier")} | {
                "calibration": calibration_difference(rows.pair, each_bound)
            }
        except MlwrightError as error:
            return (), error.what
        return tuple(_rows_metric(name, each, rows) for name, each in found.items()), None


def _rows_metric(name: str, found: Difference, rows: SameRows) -> RowsMetric:
    return RowsMetric(
        name=name,
        difference=Estimate(
            value=found.value, lower=found.lower, upper=found.upper, level=LEVEL, assumption=rows.assumption
        ),
        rows=found.rows,
        days=found.days,
        held_out_by=rows.held_out_by,
    )


def _params(one: Dossier) -> dict[str, object]:
    return {**(one.logged_model.params if one.logged_model else {}), **(one.run.params if one.run else {})}


def _data(one: Dossier) -> dict[str, object]:
    version = one.version
    found: dict[str, object] = {each.dataset.name: each.dataset.digest for each in one.inputs}
    return found | {"trained from": version.trained_from, "trained to": version.trained_to}


def _environment(one: Dossier) -> dict[str, object]:
    version, ran = one.version, one.run.environment if one.run else None
    found: dict[str, object] = {"flavor": version.flavor, "python": one.survey.python if one.survey else None}
    if ran is not None:
        found |= {"code": ran.code_digest, "commit": ran.git_commit, "system": ran.system, "seed": ran.seed}
        found |= {"uncommitted changes": ran.git_dirty, "trained with python": ran.python}
    return found


def _packages(one: Dossier) -> dict[str, object]:
    return {each.name: each.version or each.wanted or "any" for each in one.packages()}


def _metrics(one: Dossier) -> dict[str, object]:
    own = one.version.evaluation
    if own is not None:
        return {**own.metrics, "held-out rows": own.rows}
    return {**one.run.metrics} if one.run else {}


def _fields(version: ModelVersion) -> dict[str, object]:
    return {
        f"{kind} {each.name}": each.type + ("" if each.required else ", may be missing")
        for kind, fields in (("input", version.inputs), ("output", version.outputs))
        for each in fields
    }


def _evidence(one: Dossier) -> dict[str, object]:
    found: dict[str, object] = {}
    for each in one.evidence:
        name = each.details.get("gate") or each.details.get("role")
        found[f"{each.kind}: {name}" if name else each.kind] = str(each.outcome)
    return found


def _size(one: Dossier) -> int | None:
    return sum(each.size for each in one.files) if one.files else None
