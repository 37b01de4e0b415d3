"""What one pipeline run offers to the code of its pipeline, and what it records while that code runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from io import BytesIO

import numpy as np
import polars as pl

from mlwright.errors import DataError, SignatureMismatch
from mlwright.model.fitted import Fitted, Release
from mlwright.model.ids import Digest, ModelName, RunId
from mlwright.model.instants import to_micros
from mlwright.model.ledger import Edge, Node
from mlwright.model.registry import Evaluation
from mlwright.model.settings import EndpointSettings
from mlwright.model.tracking import DatasetVersion, Metric
from mlwright.platform.data import DataJourney
from mlwright.platform.held_out import held_out_metrics
from mlwright.platform.parts import Parts, node
from mlwright.platform.registering import checks_of, keep_checks
from mlwright.ports.runtimes import scores_of
from mlwright.stages.ledger import store as ledger
from mlwright.stages.pipelines.define import Step
from mlwright.stages.pipelines.engine import Checkpoints, StepCall, StepRunner
from mlwright.stages.pipelines.store import find_checkpoint, save_checkpoint
from mlwright.stages.pipelines.usercode import code_digest
from mlwright.stages.pipelines.values import restore_result, store_result
from mlwright.stages.pipelines.workbench import Scores
from mlwright.stages.registry import store as registry
from mlwright.stages.tracking import store as tracking


class RunBench:
    """What one run offers to the code of its pipeline."""

    def __init__(self, parts: Parts, data: DataJourney, run: RunId) -> None:
        self._parts = parts
        self._data = data
        self._run = run
        self._gates = 0
        self._calls = 0
        self._asked: list[EndpointSettings] = []
        self._steps = StepRunner(
            executor=parts.executor,
            checkpoints=Checkpoints(self._find, self._keep),
            code=code_digest(parts.settings.root),
            on_call=self._record_call,
        )

    def run_step(self, step: Step[..., object], arguments: Mapping[str, object]) -> object:
        """Run one call of a step."""
        return self._steps.run(step, arguments)

    def record_gate(self, what: str, *, passed: bool) -> None:
        """Record that a gate was asked."""
        self._gates += 1
        with self._parts.write() as tx:
            tracking.set_tags(
                tx, self._run, {f"gate.{self._gates}": f"{'passed' if passed else 'failed'}: {what}"}
            )

    def examples(
        self, endpoint: str, dataset: str, inputs: Sequence[str], start: datetime, end: datetime
    ) -> pl.DataFrame:
        """Rows to learn from; the data sets behind them are recorded as inputs of the run."""
        rows = self._data.examples(endpoint, dataset, inputs, start, end)
        self._asked.append(self._parts.endpoint(endpoint))
        used = [dataset] + [
            view.dataset
            for view in self._parts.settings.feature_views
            if view.name in self._parts.endpoint(endpoint).features
        ]
        versions = [self._data.load(name).version for name in dict.fromkeys(used)]
        with self._parts.write() as tx:
            tracking.add_datasets(tx, self._run, versions)
            edges = [
                Edge(effect=node("run", self._run), relation="read", cause=_dataset_node(each))
                for each in versions
            ]
            edges += [
                Edge(effect=_dataset_node(each), relation="checked by", cause=node("contract", each.contract))
                for each in versions
            ]
            edges.append(
                Edge(effect=node("run", self._run), relation="ran", cause=node("code", self._steps.code))
            )
            ledger.add_edges(tx, edges)
        return rows

    def evaluate(self, fitted: Fitted, holdout: pl.DataFrame) -> Scores:
        """Measure a model through the same save, load and predict that serve it."""
        digest, flavor = self._parts.shelf.put(fitted, holdout)
        model = self._parts.shelf.load(digest, flavor)
        names = model.signature.input_names
        missing = [name for name in names if name not in holdout.columns]
        if missing:
            raise SignatureMismatch(f"the held-out rows have no column {', '.join(missing)}")
        scores = scores_of(model, holdout.select(names).to_dict(as_series=False))
        scored = holdout.with_columns(pl.Series("score", scores, dtype=pl.Float64))
        settings = self._endpoint_of(holdout)
        labels = scored[settings.truth.column].cast(pl.Float64).to_numpy()
        metrics = held_out_metrics(labels, np.asarray(scores), scored, settings)
        shown = {f"holdout_{name}": value for name, value in metrics.items()}
        self.log({}, {**shown, "holdout_rows": float(scored.height)})
        return Scores(metrics=metrics, rows=scored.height, holdout=scored)

    def log(self, params: Mapping[str, object], metrics: Mapping[str, float]) -> None:
        """Record params and metrics of the run."""
        now_ms = to_micros(self._parts.clock.now()) // 1000
        with self._parts.write() as tx:
            if params:
                tracking.log_params(tx, self._run, {name: str(value) for name, value in params.items()})
            if metrics:
                measured = [
                    Metric(key=key, value=float(value), step=0, at_ms=now_ms)
                    for key, value in metrics.items()
                ]
                tracking.log_metrics(tx, self._run, measured)

    def register(self, fitted: Fitted, model: str, evidence: Scores, trained_on: pl.DataFrame) -> Release:
        """Store a model as a new version, with its evidence and its lineage."""
        digest, flavor = self._parts.shelf.put(fitted, trained_on)
        buffer = BytesIO()
        evidence.holdout.write_parquet(buffer)
        holdout = self._parts.artifacts.put_bytes(buffer.getvalue())
        stamp = self._endpoint_of(evidence.holdout).timestamp
        if stamp not in trained_on.columns:
            raise DataError(
                f"the rows that the model was trained on have no column {stamp!r}", where="trained_on"
            )
        now = self._parts.clock.now()
        checks = checks_of(self._parts, digest)
        with self._parts.write() as tx:
            version = registry.create_version(
                tx,
                ModelName(model),
                digest,
                run=self._run,
                at=now,
                signature=fitted.signature,
                flavor=flavor,
                trained_from=_edge_instant(trained_on[stamp].min()),
                trained_to=_edge_instant(trained_on[stamp].max()),
                evaluation=Evaluation(
                    metrics=dict(evidence.metrics),
                    rows=evidence.rows,
                    start=_edge_instant(evidence.holdout[stamp].min()),
                    end=_edge_instant(evidence.holdout[stamp].max()),
                    holdout=holdout,
                ),
                tags={},
                actor=self._parts.actor,
            )
            keep_checks(self._parts, tx, version, checks)
            self._parts.audit(tx, "register", f"model:{version.ref}", run=self._run, digest=digest)
            ledger.add_edges(
                tx,
                [
                    Edge(effect=node("model", version.ref), relation="made by", cause=node("run", self._run)),
                    Edge(
                        effect=node("model", version.ref),
                        relation="stored as",
                        cause=node("artifact", digest),
                    ),
                ],
            )
            tracking.set_tags(tx, self._run, {"model": version.ref})
        return Release(model=model, version=version.version, metrics=dict(evidence.metrics))

    def _endpoint_of(self, rows: pl.DataFrame) -> EndpointSettings:
        """The endpoint whose label and instant the rows have; the one that the run made examples for comes first."""
        asked = (*self._asked, *self._parts.settings.endpoints)
        known = [each for each in asked if each.label is not None]
        for each in known:
            if each.truth.column in rows.columns and each.timestamp in rows.columns:
                return each
        raise DataError(
            "the held-out rows have the label and the instant of no endpoint",
            why="; ".join(f"{each.name} has {each.truth.column!r} and {each.timestamp!r}" for each in known)
            or "mlwright.toml has no endpoint",
        )

    def _find(self, key: str) -> tuple[object, Digest] | None:
        with self._parts.read() as tx:
            found = find_checkpoint(tx, key)
        if found is None or not self._parts.artifacts.exists(found[1]):
            return None
        kind, digest = found
        return restore_result(kind, digest, self._parts.artifacts), digest

    def _keep(self, key: str, step: str, value: object) -> Digest | None:
        stored = store_result(value, self._parts.artifacts)
        if stored is None:
            return None
        kind, digest = stored
        with self._parts.write() as tx:
            save_checkpoint(
                tx, key, step=step, kind=kind, digest=digest, run=self._run, at=self._parts.clock.now()
            )
        return digest

    def _record_call(self, call: StepCall) -> None:
        self._calls += 1
        said = f"{call.step} {call.outcome} in {call.seconds:.2f} s"
        with self._parts.write() as tx:
            tracking.set_tags(tx, self._run, {f"step.{self._calls}": said})


def _dataset_node(version: DatasetVersion) -> Node:
    return node("dataset", f"{version.name}@{version.digest}")


def _edge_instant(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise DataError(f"expected instants, found {value!r}")
    return value
