"""What the prediction log is told of a batch."""

from collections.abc import Mapping, Sequence

from mlwright.model.batches import Array, Batch
from mlwright.ports.runtimes import numbers_of
from mlwright.stages.serving.blocks import PredictionBlock
from mlwright.stages.serving.fallback import Stopgap
from mlwright.stages.serving.generations import Generation
from mlwright.stages.serving.rows import Rows, plain_values
from mlwright.stages.serving.scoring import Scored


def served_entries(
    endpoint: str,
    generation: Generation,
    rows: Rows,
    scored: Sequence[Scored],
    split: Sequence[int],
    now: int,
) -> list[PredictionBlock]:
    """One block a variant, for all rows of the batch; the first holds the features and flags.

    Args:
        endpoint: its name.
        generation: the one that answered.
        rows: what was asked.
        scored: what each variant gave.
        split: the variant that answered each row.
        now: microseconds since 1970 UTC.
    """
    keys, times, flags = rows.keys or [], rows.times or [], _flags(rows)
    blocks = []
    alone = len(scored) == 1
    for index, (arm, result) in enumerate(zip(generation.arms, scored, strict=True)):
        scores, outputs = _given(result.outputs)
        features, matrix, names = _logged(generation, rows) if index == 0 else ({}, b"", ())
        blocks.append(
            PredictionBlock(
                endpoint=endpoint,
                variant=arm.name,
                model_version=arm.ref,
                generation=generation.route.generation,
                logged_at=now,
                latency_us=result.latency_us,
                prediction_ids=rows.ids,
                entity_keys=keys,
                event_times=times,
                served=[] if alone else [chosen == index for chosen in split],
                scores=scores,
                features=features,
                error=result.error,
                matrix=matrix,
                names=names,
                outputs=outputs,
                flags=flags if index == 0 else [],
            )
        )
    return blocks


def stopgap_entries(
    endpoint: str, generation: Generation, rows: Rows, stopgap: Stopgap, now: int
) -> list[PredictionBlock]:
    """A block for each version whose answers stand in; the first holds the features and flags."""
    whose = list(zip(stopgap.variants, stopgap.refs, strict=True))
    features, matrix, names = _logged(generation, rows)
    scores, outputs = _given(stopgap.outputs)
    blocks = []
    for index, (variant, ref) in enumerate(dict.fromkeys(whose)):
        blocks.append(
            PredictionBlock(
                endpoint=endpoint,
                variant=variant,
                model_version=ref,
                generation=generation.route.generation,
                logged_at=now,
                latency_us=0,
                prediction_ids=rows.ids,
                entity_keys=rows.keys or [],
                event_times=rows.times or [],
                served=[each == (variant, ref) for each in whose],
                scores=scores,
                features={} if index else features,
                matrix=b"" if index else matrix,
                names=() if index else names,
                outputs=outputs,
                flags=[] if index else _flags(rows),
                degraded=stopgap.why,
            )
        )
    return blocks


def _logged(generation: Generation, rows: Rows) -> tuple[dict[str, list[object]], bytes, tuple[str, ...]]:
    """What is kept of the inputs: those of the models, and the keys of feature views that were sent besides."""
    features, matrix, names = _features(rows.batch)
    for name in generation.intake.looked:
        parts = [ask.columns.get(name) for ask in rows.asks]
        if all(
            part is not None for part in parts
        ):  # one that was not sent belongs to a view that nobody asked
            features[name] = [value for part in parts if part is not None for value in plain_values(part)]
    return features, matrix, names


def _features(batch: Batch) -> tuple[dict[str, list[object]], bytes, tuple[str, ...]]:
    matrix = batch.matrix
    if matrix is None:
        return {name: plain_values(column) for name, column in batch.columns.items()}, b"", ()
    if batch.names and matrix.dtype.str in ("<f8", "<f4"):
        return {}, matrix.tobytes(), batch.names
    names = batch.names or tuple(f"column_{at}" for at in range(matrix.shape[1]))
    return {name: plain_values(matrix[:, at]) for at, name in enumerate(names)}, b"", ()


def _given(outputs: Mapping[str, Array]) -> tuple[list[float], dict[str, list[object]]]:
    """The scores, and the outputs where they are more than that."""
    if not outputs:
        return [], {}
    first = next(iter(outputs.values()))
    number = first.dtype.kind in "fiub" and (first.ndim == 1 or (first.ndim == 2 and first.shape[1] == 1))
    scores = numbers_of(first) if number else []
    if number and len(outputs) == 1:
        return scores, {}
    return scores, {name: plain_outputs(output) for name, output in outputs.items()}


def plain_outputs(output: Array) -> list[object]:
    """An output as values that the log can write: numbers, texts, lists of them."""
    if output.dtype.kind in "SV":
        return [str(each) for each in output.tolist()]
    values: list[object] = output.tolist()
    return values


def _flags(rows: Rows) -> list[str]:
    """One text a row; nothing where no row has any."""
    if not any(rows.flags):
        return []
    texts = [""] * rows.batch.rows
    for start, flags in zip(rows.starts, rows.flags, strict=True):
        for flag in flags:
            row = start + int(flag.partition("[")[2].partition("]")[0])
            texts[row] = f"{texts[row]}; {flag}" if texts[row] else flag
    return texts
