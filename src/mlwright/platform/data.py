"""Journeys with data: check contracts, load data sets, keep feature views, make examples to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from mlwright.errors import DataError, NotFound, near_match
from mlwright.model.contracts import Contract, ContractReport, Rule, RuleKind, RuleResult
from mlwright.model.features import FeatureView
from mlwright.model.tracking import DatasetVersion
from mlwright.platform.freshness import note_newest
from mlwright.platform.parts import Parts
from mlwright.stages.contracts.availability import require_available
from mlwright.stages.contracts.check import admit, require
from mlwright.stages.contracts.digest import content_digest
from mlwright.stages.contracts.sources import read_source
from mlwright.stages.features.join import point_in_time
from mlwright.stages.features.materialize import to_feature_rows
from mlwright.stages.pipelines.usercode import call_function


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedDataset:
    """A data set in memory: the rows that its contract admits, what was found, and its version."""

    frame: pl.DataFrame
    report: ContractReport
    contract: Contract | None
    version: DatasetVersion


class DataJourney:
    """Data in: checked, versioned, joined as of the instant of each prediction."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._loaded: dict[str, LoadedDataset] = {}

    def load(self, dataset: str) -> LoadedDataset:
        """Read a data set, check its contract and digest what the contract admits. Read once a process.

        Raises:
            DataError: the source cannot be read.
            ContractInvalid: the contract file is not valid.
        """
        if dataset in self._loaded:
            return self._loaded[dataset]
        settings = self._parts.dataset(dataset)
        root = self._parts.settings.root
        contract = self._parts.read_contract(settings.contract) if settings.contract else None
        frame = read_source(
            settings.source, root, lambda path, name: call_function(path, root, name), contract=contract
        )
        if contract is not None:
            frame, report = admit(contract, frame)
        else:
            report = _no_contract(dataset, frame)
        version = DatasetVersion(
            name=dataset,
            digest=content_digest(frame),
            rows=frame.height,
            contract=f"{contract.id}@{contract.version}" if contract else "none",
        )
        self._loaded[dataset] = LoadedDataset(frame=frame, report=report, contract=contract, version=version)
        return self._loaded[dataset]

    def forget(self) -> None:
        """Let go of what was read, so that the next look reads the sources again; for processes that live long."""
        self._loaded.clear()

    def check(self, dataset: str | None = None) -> tuple[ContractReport, ...]:
        """Check the contracts of one data set or of all. Broken rules are in the reports, nothing is raised."""
        names = [dataset] if dataset else [each.name for each in self._parts.settings.datasets]
        return tuple(self.load(name).report for name in names)

    def materialize(self, view: str | None = None) -> dict[str, int]:
        """Write feature views to the online store; returns how many rows each view has now."""
        views = self._parts.settings.feature_views
        if view is not None:
            views = (self._view(view),)
        written: dict[str, int] = {}
        for each in views:
            loaded = self.load(each.dataset)
            require(loaded.report)
            rows = to_feature_rows(each, loaded.frame)
            written[each.name] = self._parts.online.write(each, rows)
            if rows.times:
                with self._parts.write() as tx:
                    note_newest(tx, each.name, max(rows.times))
        return written

    def examples(
        self, endpoint: str, dataset: str, inputs: Sequence[str], start: datetime, end: datetime
    ) -> pl.DataFrame:
        """Rows to learn from, as the endpoint would have seen them; see :func:`mlwright.examples`."""
        settings = self._parts.endpoint(endpoint)
        loaded = self.load(dataset)
        require(loaded.report)
        if loaded.contract is not None:
            require_available(loaded.contract, list(inputs), where=f"examples(endpoint={endpoint!r})")
        label = settings.truth
        wanted = [settings.entity, settings.timestamp, *inputs, label.column]
        if label.observed:
            wanted.append(label.observed)
        _require_columns(loaded.frame, wanted, dataset)
        at = pl.col(settings.timestamp)
        # Of events younger than the horizon only the labels that come early are known, and they are not like the
        # others (who cancels at once, which flight is short): learning from them would learn the delay.
        ripe = end - label.horizon
        rows = loaded.frame.select(list(dict.fromkeys(wanted))).filter(
            (at >= start) & (at < ripe) & pl.col(label.column).is_not_null()
        )
        if label.observed:
            # A label that arrived after `end` was not there to learn from; using it would flatter the past.
            rows = rows.filter(pl.col(label.observed) < end).drop(label.observed)
        for name in settings.features:
            view = self._view(name)
            rows = point_in_time(rows, view, self.load(view.dataset).frame, at=settings.timestamp)
        if rows.is_empty():
            raise DataError(
                f"no labelled rows in [{start:%Y-%m-%d}, {end:%Y-%m-%d})", where=f"dataset {dataset}"
            )
        return rows

    def _view(self, name: str) -> FeatureView:
        view = self._parts.settings.view(name)
        if view is None:
            known = [each.name for each in self._parts.settings.feature_views]
            raise NotFound.named("feature view", name, known, "mlwright features")
        return view


def _require_columns(frame: pl.DataFrame, wanted: Sequence[str], dataset: str) -> None:
    for name in wanted:
        if name not in frame.columns:
            near = near_match(name, frame.columns)
            hint = f"; did you mean {near!r}?" if near else ""
            raise DataError(f"there is no column {name!r}{hint}", where=f"dataset {dataset}")


def _no_contract(dataset: str, frame: pl.DataFrame) -> ContractReport:
    rule = Rule(id="contract", kind=RuleKind.PRESENT, columns=(), remedy="profile one and review it")
    result = RuleResult(rule=rule, passed=True, measured=0.0, failing_rows=0, detail="no contract is set")
    return ContractReport(
        dataset=dataset, contract="none", rows=frame.height, admitted=frame.height, results=(result,)
    )
