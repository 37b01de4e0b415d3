"""One endpoint: its models, how rows find their variant, and what is written before an answer leaves."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from time import perf_counter

from mlwright.errors import (
    BadRequest,
    MlwrightError,
    ModelDown,
    ModelError,
    ModelLoadFailed,
    Overloaded,
    SignatureMismatch,
)
from mlwright.model.batches import Columns
from mlwright.model.endpoints import Route, Variant
from mlwright.model.features import FeatureView
from mlwright.model.instants import to_micros
from mlwright.model.predictions import FeedbackReceipt, LabelBlock
from mlwright.model.settings import EndpointSettings
from mlwright.ports.clock import Clock
from mlwright.ports.online_store import OnlineStore
from mlwright.ports.runtimes import LoadedModel, trouble_of
from mlwright.ports.spans import Scoring
from mlwright.stages.serving.asks import Answer, Ask, Outcome
from mlwright.stages.serving.blocks import PredictionBlock
from mlwright.stages.serving.building import built, count_restarts, curve_of, warmed
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.curve import Curve
from mlwright.stages.serving.entries import served_entries, stopgap_entries
from mlwright.stages.serving.fallback import Fallback
from mlwright.stages.serving.feedback import Repeats, check_labels
from mlwright.stages.serving.form import Form
from mlwright.stages.serving.generations import (
    Arm,
    Generation,
    Generations,
    Held,
    loaded,
)
from mlwright.stages.serving.journal import Recorder
from mlwright.stages.serving.recording import RecordPolicy
from mlwright.stages.serving.rows import MixedKinds, Rows, joined
from mlwright.stages.serving.scoring import Scored, answers_of, score, score_champion, tell_scorings
from mlwright.stages.serving.values import ValueChecks


class EndpointCore:
    """Answers one endpoint's asks. :meth:`apply` may run in one thread while others answer.

    Variants are scored one after the other and before the answer: what shadows is paid for in latency, never in
    correctness.
    """

    def __init__(
        self,
        spec: EndpointSettings,
        views: Sequence[FeatureView],
        online: OnlineStore | None,
        load: Callable[[Variant], LoadedModel],
        journal: Recorder,
        clock: Clock,
        *,
        checks: ValueChecks | None = None,
        record: RecordPolicy | None = None,
        counters: Counters | None = None,
        example: Callable[[Variant], Columns | None] | None = None,
    ) -> None:
        """
        Args:
            spec: the endpoint.
            views: the feature views that it may use.
            online: where their values are; None: they have to be sent.
            load: loads a variant's model.
            journal: where predictions and labels are logged.
            clock: the time of what is logged.
            checks: the values that may come in; else what ``spec`` says without a contract.
            record: what of the predictions is logged; else all of it.
            counters: shared with other processes; else this core's own.
            example: rows that a variant's model is known to answer, by column; None: it is warmed up without.
        """
        self.spec = spec
        self.counters = counters or Counters(spec.name)
        self.clock = clock
        self.curve: Curve | None = None
        """How long all variants together take; None before there are any, and where a model cannot be tried."""
        self._views = tuple(views)
        self._online = online
        self._load = load
        self._example = example
        self._journal = journal
        self.heard: Callable[[Scoring], None] | None = None
        """Told of each variant in each batch; None: nobody is."""
        self._checks = checks or ValueChecks((), spec.serving.edge)
        self._policy = None if record is None or record.everything else record
        self._refuse = spec.serving.record.when_full == "refuse"
        self._fallback = Fallback(spec.serving.fallback)
        self._generations = Generations()
        self._repeats = Repeats()
        self._applying = Lock()

    @property
    def route(self) -> Route | None:
        """The route in force."""
        now = self._generations.now
        return now.route if now else None

    @property
    def trouble(self) -> str | None:
        """Why the champion cannot answer now (its process is down); None: nothing is known to be wrong with it."""
        now = self._generations.now
        return trouble_of(now.arms[0].model) if now is not None and now.arms else None

    @property
    def has_fallback(self) -> bool:
        """Whether something may answer when the champion cannot."""
        return self._fallback.to != "none"

    @property
    def form(self) -> Form:
        """What clients send and get, as long as this route is in force.

        Raises:
            ModelLoadFailed: no route is in force yet, or one without variants.
        """
        now = self._generations.now
        if now is None or now.form is None:
            raise self._nothing_in_force(now)
        return now.form

    @property
    def checks(self) -> ValueChecks:
        """The values that may come in."""
        return self._checks

    def apply(self, route: Route) -> None:
        """Put a route in force: load and warm what is new, swap, and close what is no longer needed.

        Batches in flight end on the generation they began with; its models are closed after the last of them.

        Raises:
            ModelError: a model cannot be loaded or used; the route before stays in force.
        """
        with self._applying:
            now = self._generations.now
            if now is not None and now.route == route:
                return
            known = dict(loaded(now))
            fresh: list[Held] = []
            try:
                for variant in route.variants:
                    if (variant.model, variant.version) not in known:
                        held = warmed(variant, self._load, self._example, self.spec.name)
                        fresh.append(held)
                        count_restarts(held.model, variant, self.counters, self.spec.name)
                        known[variant.model, variant.version] = held
                new = self._built(route, known, now)
            except BaseException:
                for held in fresh:
                    with suppress(Exception):
                        held.model.close()
                raise
            if (
                fresh
                or now is None
                or {id(arm.held) for arm in new.arms} != {id(arm.held) for arm in now.arms}
            ):
                self.curve = curve_of(new.arms)
            self._generations.swap(new)
            self.counters.route(
                route.generation,
                [(arm.name, str(arm.variant.model), str(arm.variant.version)) for arm in new.arms],
            )

    def answer(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Answer asks in one batch: an outcome each, in their order. It never raises.

        Each row is answered by the variant that its entity belongs to. While there is more than one variant, every
        variant scores every row, so that losses can be compared in pairs. A variant other than the first that raises is
        logged with its error, and the first answers its rows. An answer leaves after its record. Who sends what cannot
        be served gets an error, and the others their answer.
        """
        generation = self._generations.enter()
        try:
            if generation is None or generation.form is None:
                return [self._nothing_in_force(generation)] * len(asks)
            return self._answered(generation, asks)
        except MlwrightError as error:
            return [error] * len(asks)
        except Exception as error:  # noqa: BLE001 - each ask gets its outcome, whatever happens
            return [_unexpected(self.spec.name, error)] * len(asks)
        finally:
            self._generations.leave(generation)

    def predict(self, ask: Ask) -> Answer:
        """Answer one ask, and count it: whoever calls :meth:`answer` counts what it hands out.

        Raises:
            BadRequest: columns differ in length, an input is missing, a time or key cannot be right.
            SignatureMismatch: a value has not the type that the champion's signature declares, or is outside the
                contract of the endpoint.
            ModelError: the model failed, or no route is in force.
            StorageError: the log could not be written; no answer leaves without its record.
        """
        started = perf_counter()
        [outcome] = self.answer([ask])
        if isinstance(outcome, Answer):
            self.counters.answered(outcome.rows, perf_counter() - started)
            return outcome
        self.counters.failed(outcome.code)
        raise outcome

    def degraded(self, ask: Ask, error: MlwrightError) -> Outcome:
        """The fallback's answer to an ask that no model scores; ``error`` itself where there is none.

        Args:
            ask: what was asked.
            error: why the model cannot answer: its queue is full, its process is down.
        """
        if self._fallback.to == "none":
            return error
        generation = self._generations.enter()
        try:
            if generation is None or generation.form is None:
                return error
            rows = self._admitted(generation, ask, to_micros(self.clock.now()))
            return self._stopgap(generation, rows, error)
        except MlwrightError as refusal:
            return refusal
        except Exception as raised:  # noqa: BLE001 - it never raises, as answer() never does
            return _unexpected(self.spec.name, raised)
        finally:
            self._generations.leave(generation)

    def feedback(self, block: LabelBlock) -> FeedbackReceipt:
        """Take labels. They are on disk when this returns; sending them again changes nothing.

        Raises:
            BadRequest: columns differ in length, a label is not a finite number, nothing is named.
            StorageError: the log could not be written.
        """
        check_labels(block)
        if block.labels:
            self._journal.append(block)
        self.counters.labels(len(block.labels))
        return FeedbackReceipt(
            endpoint=self.spec.name,
            accepted=len(block.labels),
            at=self.clock.now(),
            repeated=self._repeats.count(block),
        )

    def _nothing_in_force(self, generation: Generation | None) -> ModelLoadFailed:
        what = "has no model in force" if generation is None else "is unloaded"
        name = self.spec.name
        return ModelLoadFailed(f"endpoint {name!r} {what}", next_command=f"mlwright deploy {name}")

    def _built(
        self, route: Route, known: Mapping[tuple[str, int], Held], now: Generation | None
    ) -> Generation:
        return built(
            route, known, now, spec=self.spec, views=self._views, online=self._online, checks=self._checks
        )

    def _answered(self, generation: Generation, asks: Sequence[Ask]) -> list[Outcome]:
        if not asks:
            return []
        now = to_micros(self.clock.now())
        try:
            rows = generation.intake.rows(asks, now)
        except (BadRequest, SignatureMismatch, MixedKinds):
            return self._one_by_one(generation, asks, now)
        if generation.checks.clean(rows.batch):
            return self._served(generation, rows, now)
        return self._one_by_one(generation, asks, now)

    def _one_by_one(self, generation: Generation, asks: Sequence[Ask], now: int) -> list[Outcome]:
        """Make rows of each ask alone, so that nobody's error or type is another's; then score what goes together."""
        outcomes: dict[int, Outcome] = {}
        together: dict[tuple[object, ...], list[tuple[int, Rows]]] = {}
        for at, ask in enumerate(asks):
            try:
                rows = self._admitted(generation, ask, now)
            except MlwrightError as error:
                outcomes[at] = error
            except Exception as error:  # noqa: BLE001 - what this ask holds must not hurt the others
                outcomes[at] = _unexpected(self.spec.name, error)
            else:
                together.setdefault(rows.kind, []).append((at, rows))
        for members in together.values():
            served = self._served(generation, joined([rows for _, rows in members]), now)
            outcomes.update(zip((at for at, _ in members), served, strict=True))
        return [outcomes[at] for at in range(len(asks))]

    def _admitted(self, generation: Generation, ask: Ask, now: int) -> Rows:
        """The rows of one ask, with what the policy makes of values outside the contract."""
        intake, checks = generation.intake, generation.checks
        flags: list[str] = []
        try:
            rows = intake.rows([ask], now)
        except (BadRequest, SignatureMismatch) as error:
            if checks.edge.invalid == "impute" and not intake.faults(ask):
                ask, flags = checks.repaired(ask, dict(intake.columns(ask)))
                rows = intake.rows([ask], now)
            elif isinstance(error, SignatureMismatch):
                raise intake.mismatch(ask, error) from error
            else:
                raise
        rows.batch, more = checks.admitted(rows.batch)
        flags += more
        if flags:
            rows.flags = [flags]
            self.counters.flagged(len(flags))
        return rows

    def _served(self, generation: Generation, rows: Rows, now: int) -> list[Outcome]:
        """Score, record and answer rows that are fine. An error of the whole is everybody's."""
        arms, batch = generation.arms, rows.batch
        try:
            first = score_champion(arms[0], batch, self.spec.name)
        except MlwrightError as error:
            return self._failed(generation, rows, now, error)
        scored = [first, *(score(arm, batch, first.outputs) for arm in arms[1:])]
        if self.heard is not None:
            tell_scorings(self.heard, arms, scored)
        split = generation.split(rows.keys or rows.ids, known=rows.keys is not None)
        if any(each.error is not None for each in scored):
            split = [index if scored[index].error is None else 0 for index in split]
        try:
            self._record(served_entries(self.spec.name, generation, rows, scored, split, now))
        except MlwrightError as error:
            return [error] * len(rows.asks)
        self._count(arms, scored, split)
        outputs = [each.outputs for each in scored]
        self._fallback.remember(batch, outputs, split, arms)
        return answers_of(arms, rows, outputs, split)

    def _failed(self, generation: Generation, rows: Rows, now: int, error: MlwrightError) -> list[Outcome]:
        """The champion raised: each ask on its own, so that one row fails its own request only; then the fallback."""
        if len(rows.asks) > 1 and not isinstance(error, Overloaded | ModelDown):
            return [
                outcome
                for at in range(len(rows.asks))
                for outcome in self._served(generation, rows.alone(at), now)
            ]
        arm = generation.arms[0]
        self.counters.variant(arm.name, 0, 1)
        if self.heard is not None:
            self.heard(Scoring(arm.name, arm.ref, 0.0, error.code))
        if isinstance(error, SignatureMismatch):
            return [error] * len(rows.asks)
        return [self._stopgap(generation, rows.alone(at), error) for at in range(len(rows.asks))]

    def _stopgap(self, generation: Generation, rows: Rows, error: MlwrightError) -> Outcome:
        """The fallback's answer to one ask; the error itself where there is none."""
        stopgap = self._fallback.stopgap(generation, rows, error)
        if stopgap is None:
            return error
        now = to_micros(self.clock.now())
        try:
            self._record(stopgap_entries(self.spec.name, generation, rows, stopgap, now))
        except MlwrightError as unwritten:
            return unwritten
        self.counters.degraded(stopgap.why)
        return Answer(
            id=rows.asks[0].id,
            rows=rows.batch.rows,
            outputs=stopgap.outputs,
            variants=stopgap.variants,
            versions=stopgap.refs,
            degraded=stopgap.why,
            flags=rows.flags[0] if rows.flags else (),
        )

    def _record(self, blocks: Sequence[PredictionBlock]) -> None:
        if self._policy is not None:
            blocks = self._policy.apply(blocks)
        if blocks:
            self._journal.append(*blocks, refuse=self._refuse)

    def _count(self, arms: Sequence[Arm], scored: Sequence[Scored], split: Sequence[int]) -> None:
        for index, (arm, result) in enumerate(zip(arms, scored, strict=True)):
            rows = len(split) if len(arms) == 1 else split.count(index)
            self.counters.variant(arm.name, rows, result.error is not None)


def _unexpected(endpoint: str, error: Exception) -> ModelError:
    return ModelError(
        f"endpoint {endpoint!r} could not answer",
        why=f"{type(error).__name__}: {error}",
        next_command="mlwright doctor",
    )
