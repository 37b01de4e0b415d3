"""Running the variants of an endpoint on one batch."""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from time import perf_counter

import numpy as np

from mlwright.errors import MlwrightError, ModelError
from mlwright.model.batches import Array, Batch
from mlwright.ports.spans import Scoring
from mlwright.stages.serving.asks import Answer, Outcome
from mlwright.stages.serving.generations import Arm
from mlwright.stages.serving.rows import Rows


class Scored:
    """What one variant gave: its outputs, or the reason why there are none."""

    __slots__ = ("error", "latency_us", "outputs")

    def __init__(self, outputs: Mapping[str, Array], latency_us: int, error: str | None = None) -> None:
        self.outputs = outputs
        self.latency_us = latency_us
        self.error = error


def score_champion(arm: Arm, batch: Batch, endpoint: str) -> Scored:
    """Run the model that answers.

    Raises:
        MlwrightError: it refuses the rows or fails; whatever else it raises becomes a ModelError.
    """
    try:
        return _run(arm, batch)
    except MlwrightError:
        raise
    except Exception as error:  # a model library may raise anything
        raise ModelError(
            f"the model behind endpoint {endpoint!r} failed",
            why=f"{type(error).__name__}: {error}",
            next_command="mlwright doctor",
        ) from error


def score(arm: Arm, batch: Batch, like: Mapping[str, Array]) -> Scored:
    """Run another model. It never raises; outputs of other names or shapes than ``like`` are an error of it."""
    started = perf_counter()
    try:
        scored = _run(arm, batch)
        theirs = {name: column.shape for name, column in scored.outputs.items()}
        ours = {name: column.shape for name, column in like.items()}
        if theirs != ours:
            raise ModelError(f"the outputs {_shown(theirs)} are not those of the champion, {_shown(ours)}")
    except Exception as error:  # noqa: BLE001 - a challenger must never hurt the answer, whatever it raises
        return Scored({}, round((perf_counter() - started) * 1e6), f"{type(error).__name__}: {error}")
    return scored


def merged(outputs: list[Mapping[str, Array]], split: list[int], rows: slice) -> dict[str, Array]:
    """The outputs of some rows, each from the variant that ``split`` names, which says one variant a row of these."""
    chosen = sorted(set(split))
    if len(chosen) == 1:
        return {name: column[rows] for name, column in outputs[chosen[0]].items()}
    found = {}
    for name in outputs[chosen[0]]:
        parts = [outputs[index][name][rows] for index in chosen]
        dtypes = {part.dtype for part in parts}
        dtype = dtypes.pop() if len(dtypes) == 1 else _common(parts)
        mixed = np.empty(parts[0].shape, dtype=dtype)
        for index, part in zip(chosen, parts, strict=True):
            mine = [each == index for each in split]
            mixed[mine] = part[mine]
        found[name] = mixed
    return found


def answers_of(
    arms: Sequence[Arm], rows: Rows, outputs: list[Mapping[str, Array]], split: list[int]
) -> list[Outcome]:
    """One answer an ask, each of its rows from the variant that the split names."""
    asks = rows.asks
    if len(asks) == len(split) and not rows.flags:
        cut = [[(name, list(output[:, None])) for name, output in given.items()] for given in outputs]
        ones, refs = [(arm.name,) for arm in arms], [(arm.ref,) for arm in arms]
        if all(len(given) < 2 for given in cut):
            name = cut[0][0][0]
            pieces = [given[0][1] if given else [] for given in cut]
            return [
                Answer(
                    id=ask.id,
                    rows=1,
                    outputs={name: pieces[index][at]},
                    variants=ones[index],
                    versions=refs[index],
                )
                for at, (ask, index) in enumerate(zip(asks, split, strict=True))
            ]
        return [
            Answer(
                id=ask.id,
                rows=1,
                outputs={name: piece[at] for name, piece in cut[index]},
                variants=ones[index],
                versions=refs[index],
            )
            for at, (ask, index) in enumerate(zip(asks, split, strict=True))
        ]
    answers: list[Outcome] = []
    for ask, start, flags in zip(asks, rows.starts, rows.flags or repeat(()), strict=False):
        mine = split[start : start + ask.rows]
        answers.append(
            Answer(
                id=ask.id,
                rows=ask.rows,
                outputs=merged(outputs, mine, slice(start, start + ask.rows)),
                variants=[arms[index].name for index in mine],
                versions=[arms[index].ref for index in mine],
                flags=flags,
            )
        )
    return answers


def tell_scorings(hear: Callable[[Scoring], None], arms: Sequence[Arm], scored: Sequence[Scored]) -> None:
    """Tell of what each variant did."""
    for arm, each in zip(arms, scored, strict=True):
        hear(Scoring(arm.name, arm.ref, each.latency_us / 1e6, each.error or ""))


def _common(parts: list[Array]) -> np.dtype[np.generic]:
    numbers = all(part.dtype.kind in "fiu" for part in parts)
    return np.result_type(*parts) if numbers else np.dtype(object)


def _run(arm: Arm, batch: Batch) -> Scored:
    started = perf_counter()
    outputs = arm.model.infer(arm.batch(batch))
    latency_us = round((perf_counter() - started) * 1e6)
    rows = batch.rows
    for name, output in outputs.items():
        if len(output) != rows:
            raise ModelError(f"the model gave {len(output)} values of {name!r} for {rows} rows")
    if not outputs:
        raise ModelError("the model gave nothing")
    return Scored(outputs, latency_us)


def _shown(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name}{list(shape)}" for name, shape in shapes.items())
