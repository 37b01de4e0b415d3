"""From a route to a generation: models loaded, tried and measured, and what clients have to send for them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import numpy as np

from mlwright.errors import MlwrightError, ModelLoadFailed, SignatureMismatch
from mlwright.model.batches import DTYPES, REAL, WHOLE, Array, Batch, Columns, batch_of
from mlwright.model.endpoints import Route, Variant
from mlwright.model.features import FeatureView
from mlwright.model.registry import Field, Signature
from mlwright.model.settings import EndpointSettings
from mlwright.ports.online_store import OnlineStore
from mlwright.ports.runtimes import LoadedModel, Supervised
from mlwright.stages.serving.counters import RESTARTS, Counters
from mlwright.stages.serving.curve import Curve, measure
from mlwright.stages.serving.form import Form
from mlwright.stages.serving.generations import Arm, Generation, Held
from mlwright.stages.serving.inputs import Intake, as_sent
from mlwright.stages.serving.lookups import Views
from mlwright.stages.serving.slots import COUNT, Series
from mlwright.stages.serving.values import ValueChecks

CURVE_SIZES: Final = (1, 8, 64)
_NEUTRAL: Final[dict[str, object]] = {"string": None, "binary": None, "datetime": None, "boolean": False}


def built(
    route: Route,
    known: Mapping[tuple[str, int], Held],
    now: Generation | None,
    *,
    spec: EndpointSettings,
    views: Sequence[FeatureView],
    online: OnlineStore | None,
    checks: ValueChecks,
) -> Generation:
    """The generation of a route.

    Args:
        route: what is to be in force.
        known: its models in memory, by name and version.
        now: the generation in force, whose champion a fallback may keep.
        spec: the endpoint.
        views: the feature views that it may use.
        online: where their values are.
        checks: the values that may come in.
    """
    helds = [known[variant.model, variant.version] for variant in route.variants]
    fields = union([held.model for held in helds])
    arms = tuple(arm_of(variant, held, fields) for variant, held in zip(route.variants, helds, strict=True))
    sent = required_inputs(spec.entity, spec.timestamp, fields, views)
    names = tuple(each.name for each in sent)
    intake = Intake(
        fields=fields,
        sent=names,
        champion=len(arms[0].fields) if arms else 0,
        entity=spec.entity,
        timestamp=spec.timestamp,
        keyed=spec.keyed,
        views=Views(views, online, _wanted_by_challengers(helds, fields)),
        reject_extra=spec.serving.edge.extra == "reject",
        whole=tuple(each.name for each in fields if each.type in WHOLE or each.type == "boolean"),
        plain=plain_type(fields, names),
        looked=_looked(views, fields, spec.entity),
    )
    sharing = [index for index, variant in enumerate(route.variants) if variant.share > 0]
    return Generation(
        route=route,
        arms=arms,
        form=_form(spec, route, arms[0], sent) if arms else None,
        intake=intake,
        checks=checks.bound(fields),
        previous=_previous(arms, fields, now) if spec.serving.fallback.to == "previous" else None,
        only=sharing[0] if len(sharing) == 1 else None,
    )


def _looked(views: Sequence[FeatureView], fields: Sequence[Field], entity: str) -> tuple[str, ...]:
    """The keys of views that nothing else logs, each once."""
    held = {entity, *(each.name for each in fields)}
    keys = (name for view in views for name in view.entity if name not in held)
    return tuple(dict.fromkeys(keys))


def _wanted_by_challengers(helds: Sequence[Held], fields: Sequence[Field]) -> set[str]:
    optional = {each.name for each in fields if not each.required}
    return {
        each.name
        for held in helds[1:]
        for each in held.model.signature.inputs
        if each.required and each.name in optional
    }


def _form(spec: EndpointSettings, route: Route, champion: Arm, sent: tuple[Field, ...]) -> Form:
    edge = spec.serving.edge
    imputed = edge.impute if edge.invalid == "impute" else {}
    return Form(
        endpoint=spec.name,
        model=str(champion.variant.model),
        version=str(champion.variant.version),
        generation=route.generation,
        inputs=tuple(replace(each, required=each.required and each.name not in imputed) for each in sent),
        outputs=champion.model.signature.outputs,
        entity=spec.entity,
        timestamp=spec.timestamp,
        keyed=spec.keyed,
        extra=spec.serving.edge.extra,
    )


def _previous(arms: Sequence[Arm], fields: tuple[Field, ...], now: Generation | None) -> Arm | None:
    """The champion before this one, with rows made for this one."""
    if now is None or not now.arms or not arms:
        return None
    before = now.arms[0] if now.arms[0].held is not arms[0].held else now.previous
    if before is None or before.held is arms[0].held:
        return None
    return arm_of(before.variant, before.held, fields)


def plain_type(fields: Sequence[Field], sent: Sequence[str]) -> str | None:
    """The type of the matrix that holds all fields as they are declared; None where there is no such matrix."""
    types = {each.type for each in fields}
    plain = len(types) == 1 and types <= REAL and not any(each.shape for each in fields)
    return DTYPES[types.pop()] if plain and tuple(each.name for each in fields) == tuple(sent) else None


def required_inputs(
    entity: str, timestamp: str, needed: Sequence[Field], views: Sequence[FeatureView]
) -> tuple[Field, ...]:
    """What clients send besides entity and timestamp: inputs and keys of feature views that no view provides."""
    provided = {feature for view in views for feature in view.features} | {entity, timestamp}
    fields = {each.name: each for each in needed if each.name not in provided}
    wanted = {each.name for each in needed}
    for view in views:
        for key in view.entity if wanted.intersection(view.features) else ():
            if key not in (entity, timestamp):
                fields.setdefault(key, Field(name=key, type="string"))
    return tuple(fields.values())


def arm_of(variant: Variant, held: Held, fields: tuple[Field, ...]) -> Arm:
    """A variant's arm, in a generation whose models take ``fields``."""
    inputs = held.model.signature.inputs
    own = [(each.name, each.type, each.shape) for each in inputs]
    all_of_it = [(each.name, each.type, each.shape) for each in fields]
    return Arm(
        variant,
        held,
        variant.name,
        ref_of(variant),
        inputs,
        own == all_of_it or not own,
        set(own) <= set(all_of_it),
    )


def ref_of(variant: Variant) -> str:
    """``model/version``."""
    return f"{variant.model}/{variant.version}"


def union(models: Sequence[LoadedModel]) -> tuple[Field, ...]:
    """What any of the models takes, the champion's first. What only a challenger needs is not required of clients."""
    fields: dict[str, Field] = {}
    for at, model in enumerate(models):
        for each in model.signature.inputs:
            if at and each.name not in fields:
                each = Field(name=each.name, type=each.type, required=False, shape=each.shape)
            fields.setdefault(each.name, each)
    return tuple(fields.values())


def warmed(
    variant: Variant,
    load: Callable[[Variant], LoadedModel],
    example: Callable[[Variant], Columns | None] | None,
    endpoint: str,
) -> Held:
    """Load a model and run it once: on its example where it has one that it answers, else on rows that say nothing.

    Raises:
        ModelError: it cannot be loaded, or does not run.
    """
    model = None
    try:
        model = load(variant)
        held = Held(model)
        if example is not None:
            held.example = _answered(model, example, variant)
        if held.example is None and model.signature.inputs:
            with suppress(SignatureMismatch):  # it ran, and takes no missing values: no reason to refuse it
                model.infer(neutral(model.signature, 1))
    except Exception as error:  # a model library may raise anything
        if model is not None:
            with suppress(Exception):
                model.close()
        if isinstance(error, MlwrightError):
            raise
        raise ModelLoadFailed(
            f"{ref_of(variant)} cannot be used behind endpoint {endpoint!r}",
            why=f"{type(error).__name__}: {error}",
            next_command="mlwright doctor",
        ) from error
    return held


def _answered(
    model: LoadedModel, example: Callable[[Variant], Columns | None], variant: Variant
) -> Batch | None:
    """The rows of the example, where the model answers them."""
    with suppress(Exception):  # what somebody once wrote down as an example is no reason to refuse a model
        columns = example(variant)
        if columns:
            inputs = model.signature.inputs
            if inputs:
                batch = batch_of(inputs, columns)
            else:
                sent = {name: as_sent(list(column)) for name, column in columns.items()}
                batch = Batch(len(next(iter(sent.values()))), sent)
            model.infer(batch)
            return batch if batch.rows else None
    return None


def count_restarts(model: LoadedModel, variant: Variant, counters: Counters, endpoint: str) -> None:
    """Have the starts of a model's process counted, where it has one."""
    if isinstance(model, Supervised):
        series = Series(RESTARTS, COUNT, (("endpoint", endpoint), ("model", ref_of(variant))))
        block = counters.slots.block(series)

        def count() -> None:
            block.counts[block.at[0]] += 1

        model.on_restart(count)


def neutral(signature: Signature, rows: int, text: str | None = None) -> Batch:
    """Rows that say nothing: zeros, False and missing values (or ``text`` for texts)."""
    columns: dict[str, Array] = {}
    for each in signature.inputs:
        shape = (rows, *(1 if size < 0 else size for size in each.shape))
        if each.shape or each.type not in _NEUTRAL:
            columns[each.name] = np.zeros(shape, dtype=DTYPES.get(each.type, "float64"))
        else:
            value = text if each.type == "string" else _NEUTRAL[each.type]
            columns.update(batch_of([each], {each.name: [value] * rows}).columns)
    return Batch(rows, columns)


def curve_of(arms: Sequence[Arm]) -> Curve | None:
    """Measure all variants together, as an ask pays for all of them; None where there are no rows and none can be made
    up."""
    if not arms or not all(arm.fields or arm.held.example for arm in arms):
        return None
    for text in (None, ""):  # a model may refuse missing texts
        with suppress(Exception):  # what a model says to rows that mean nothing is no reason not to serve
            return _measured(arms, text)
    return None


def _rows(arm: Arm, size: int, text: str | None) -> Batch:
    """So many rows: those of the example again and again, or rows that say nothing."""
    example = arm.held.example
    if example is None:
        return neutral(arm.model.signature, size, text)
    return example.taken(np.resize(np.arange(example.rows), size))


def _measured(arms: Sequence[Arm], text: str | None) -> Curve:
    batches = {size: [_rows(arm, size, text) for arm in arms] for size in CURVE_SIZES}

    def infer(rows: int) -> None:
        for arm, batch in zip(arms, batches[rows], strict=True):
            arm.model.infer(batch)

    elsewhere = any(isinstance(arm.model, Supervised) for arm in arms)
    return replace(measure(infer, CURVE_SIZES), elsewhere=elsewhere)
