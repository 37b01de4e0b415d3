"""One endpoint: its models, how rows find their variant, and what is written before an answer leaves."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from mlwright.errors import MlwrightError, ModelError, ModelLoadFailed, SignatureMismatch
from mlwright.model.endpoints import Route, Variant
from mlwright.model.features import FeatureView
from mlwright.model.instants import to_micros
from mlwright.model.predictions import (
    FeedbackReceipt,
    LabelBlock,
    PredictAnswer,
    PredictionBlock,
    PredictRequest,
)
from mlwright.model.registry import Field
from mlwright.model.settings import EndpointSettings
from mlwright.ports.clock import Clock
from mlwright.ports.online_store import OnlineStore
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.inputs import Columns, check_labels, check_request, gather, required_inputs
from mlwright.stages.serving.journal import Journal

_MOST_REMEMBERED: Final = 100_000
_NEUTRAL: Final[dict[str, object]] = {"string": None, "long": 0, "double": 0.0, "boolean": False}


@dataclass(frozen=True, slots=True)
class _Live:
    """Everything one generation needs; requests in flight keep the one they started with."""

    route: Route
    models: tuple[LoadedModel, ...]
    needed: tuple[Field, ...]
    chosen: dict[str, int] = field(default_factory=dict)

    def split(self, keys: Sequence[str]) -> list[int]:
        """The index of the variant that answers each key."""
        if sum(variant.share > 0 for variant in self.route.variants) == 1:
            only = next(i for i, variant in enumerate(self.route.variants) if variant.share > 0)
            return [only] * len(keys)
        chosen = self.chosen
        if len(chosen) > _MOST_REMEMBERED:
            chosen.clear()
        split = []
        for key in keys:
            index = chosen.get(key)
            if index is None:
                index = self.route.variants.index(self.route.variant_of(key))
                chosen[key] = index
            split.append(index)
        return split


@dataclass(frozen=True, slots=True)
class _Scored:
    """What one variant gave: scores, or the reason why there are none."""

    scores: list[float]
    latency_us: int
    error: str | None = None


class EndpointCore:
    """Answers one endpoint's requests. :meth:`apply` may run in one thread while others predict.

    Variants are scored one after the other and before the answer: what shadows is paid for in latency, never
    in correctness.
    """

    def __init__(
        self,
        spec: EndpointSettings,
        views: Sequence[FeatureView],
        online: OnlineStore | None,
        load: Callable[[Variant], LoadedModel],
        journal: Journal,
        clock: Clock,
    ) -> None:
        self.spec = spec
        self.counters = Counters()
        self._views = tuple(views)
        self._online = online
        self._load = load
        self._journal = journal
        self.clock = clock
        self._live: _Live | None = None

    @property
    def route(self) -> Route | None:
        """The route in force."""
        return self._live.route if self._live else None

    def apply(self, route: Route) -> None:
        """Put a route in force: load and warm what is new, swap, drop what is no longer needed.

        Raises:
            ModelError: a model cannot be loaded or used; the route before stays in force.
        """
        live = self._live
        if live is not None and live.route == route:
            return
        known: dict[tuple[str, int], LoadedModel] = {}
        if live is not None:
            for variant, model in zip(live.route.variants, live.models, strict=True):
                known[variant.model, variant.version] = model
        for variant in route.variants:
            if (variant.model, variant.version) not in known:
                known[variant.model, variant.version] = self._warm(variant)
        models = [known[variant.model, variant.version] for variant in route.variants]
        needed: dict[str, Field] = {}
        for model in models:
            for each in model.signature.inputs:
                needed.setdefault(each.name, each)
        self._live = _Live(route=route, models=tuple(models), needed=tuple(needed.values()))

    def inputs(self) -> tuple[Field, ...]:
        """What a client has to send, by name and type: entity (string), timestamp (long, microseconds since
        1970 UTC), keys of the feature views, and the model inputs that no feature view provides.
        """
        return required_inputs(self.spec.entity, self.spec.timestamp, self._in_force().needed, self._views)

    def predict(self, request: PredictRequest) -> PredictAnswer:
        """Score the rows, log every variant's block, then answer.

        Each row is answered by the variant that its entity belongs to. While there is more than one variant,
        every variant scores every row, so that losses can be compared in pairs. A variant other than the
        first that raises is logged with its error, and the first answers its rows.

        Raises:
            BadRequest: columns differ in length, an input is missing, a time or key cannot be right.
            SignatureMismatch: a value does not have the type that the champion's signature declares.
            ModelLoadFailed: no route is in force yet.
            StorageError: the log could not be written; no answer leaves without its record.
        """
        started = perf_counter()
        try:
            answer = self._answer(request)
        except BaseException:
            self.counters.failed()
            raise
        self.counters.answered(request.rows, perf_counter() - started)
        return answer

    def feedback(self, block: LabelBlock) -> FeedbackReceipt:
        """Take labels. They are on disk when this returns; sending them again changes nothing.

        Raises:
            BadRequest: columns differ in length, a label is not a finite number, nothing is named.
            StorageError: the log could not be written.
        """
        check_labels(block)
        if block.labels:
            self._journal.append(block)
        self.counters.labels += len(block.labels)
        return FeedbackReceipt(endpoint=self.spec.name, accepted=len(block.labels), at=self.clock.now())

    def _in_force(self) -> _Live:
        if self._live is None:
            raise ModelLoadFailed(
                f"endpoint {self.spec.name!r} has no model in force",
                next_command=f"mlwright deploy {self.spec.name}",
            )
        return self._live

    def _warm(self, variant: Variant) -> LoadedModel:
        ref = f"{variant.model}/{variant.version}"
        try:
            model = self._load(variant)
            with suppress(SignatureMismatch):  # it ran, and takes no missing values: no reason to refuse it
                model.predict({each.name: [_NEUTRAL.get(each.type)] for each in model.signature.inputs})
        except MlwrightError:
            raise
        except Exception as error:  # a model library may raise anything
            raise ModelLoadFailed(
                f"{ref} cannot be used behind endpoint {self.spec.name!r}",
                why=f"{type(error).__name__}: {error}",
                next_command="mlwright doctor",
            ) from error
        return model

    def _answer(self, request: PredictRequest) -> PredictAnswer:
        live = self._in_force()
        spec = self.spec
        check_request(request, spec.entity, spec.timestamp)
        columns = gather(
            request,
            live.needed,
            self._views,
            self._online,
            entity=spec.entity,
            timestamp=spec.timestamp,
        )
        rows = request.rows
        scored = [_score_champion(live.models[0], columns, rows, spec.name)]
        scored += [_score(model, columns, rows) for model in live.models[1:]]
        split = [index if scored[index].error is None else 0 for index in live.split(request.entity_keys)]
        ids = [f"{request.id}.{row}" for row in range(rows)]
        self._journal.append(*self._blocks(live, request, columns, scored, split, ids))
        self._count(live, scored, split)
        variants = live.route.variants
        names = [variant.name for variant in variants]
        refs = [_ref(variant) for variant in variants]
        return PredictAnswer(
            prediction_ids=ids,
            scores=[scored[index].scores[row] for row, index in enumerate(split)],
            variants=[names[index] for index in split],
            model_versions=[refs[index] for index in split],
        )

    def _blocks(
        self,
        live: _Live,
        request: PredictRequest,
        columns: Columns,
        scored: Sequence[_Scored],
        split: Sequence[int],
        ids: list[str],
    ) -> list[PredictionBlock]:
        logged_at = to_micros(self.clock.now())
        return [
            PredictionBlock(
                endpoint=self.spec.name,
                variant=variant.name,
                model_version=_ref(variant),
                generation=live.route.generation,
                logged_at=logged_at,
                latency_us=result.latency_us,
                prediction_ids=ids,
                entity_keys=request.entity_keys,
                event_times=request.event_times,
                served=[chosen == index for chosen in split],
                scores=result.scores,
                features=columns if index == 0 else {},
                error=result.error,
            )
            for index, (variant, result) in enumerate(zip(live.route.variants, scored, strict=True))
        ]

    def _count(self, live: _Live, scored: Sequence[_Scored], split: Sequence[int]) -> None:
        counters = self.counters
        for index, (variant, result) in enumerate(zip(live.route.variants, scored, strict=True)):
            name = variant.name
            counters.variant_rows[name] = counters.variant_rows.get(name, 0) + split.count(index)
            if result.error is not None:
                counters.variant_errors[name] = counters.variant_errors.get(name, 0) + 1


def _ref(variant: Variant) -> str:
    return f"{variant.model}/{variant.version}"


def _run(model: LoadedModel, columns: Mapping[str, Sequence[object]], rows: int) -> _Scored:
    started = perf_counter()
    scores = model.predict({name: columns[name] for name in model.signature.input_names})
    latency_us = round((perf_counter() - started) * 1e6)
    if len(scores) != rows:
        raise ModelError(f"the model gave {len(scores)} scores for {rows} rows")
    return _Scored(scores, latency_us)


def _score_champion(model: LoadedModel, columns: Columns, rows: int, endpoint: str) -> _Scored:
    try:
        return _run(model, columns, rows)
    except MlwrightError:
        raise
    except Exception as error:  # a model library may raise anything
        raise ModelError(
            f"the model behind endpoint {endpoint!r} failed",
            why=f"{type(error).__name__}: {error}",
            next_command="mlwright doctor",
        ) from error


def _score(model: LoadedModel, columns: Columns, rows: int) -> _Scored:
    started = perf_counter()
    try:
        return _run(model, columns, rows)
    except Exception as error:  # noqa: BLE001 - a challenger must never hurt the answer, whatever it raises
        latency_us = round((perf_counter() - started) * 1e6)
        return _Scored([float("nan")] * rows, latency_us, f"{type(error).__name__}: {error}")
