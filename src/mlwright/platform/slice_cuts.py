"""Where the numbers of sliced columns are cut, the same for quality and for drift."""

from collections.abc import Mapping, Sequence
from json import dumps, loads

import polars as pl

from mlwright.model.registry import ModelVersion
from mlwright.model.settings import EndpointSettings
from mlwright.platform.parts import Parts
from mlwright.platform.same_rows import holdout_of
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring.slicing import slice_edges


def slice_cuts(
    parts: Parts, settings: EndpointSettings, champion: ModelVersion | None, rows: pl.DataFrame
) -> Mapping[str, Sequence[float]]:
    """By the hold-out of the champion of the first look, and the same ever after.

    Args:
        parts: the project's.
        settings: of the endpoint; ``monitor.slices`` names the columns.
        champion: of now.
        rows: what was served: columns that the hold-out does not have are cut by these.
    """
    name = f"slice-edges:{settings.name}"
    with parts.read() as tx:
        mark = ledger.get_mark(tx, name)
    kept: dict[str, list[float]] = loads(mark) if mark else {}
    fresh = [each for each in settings.monitor.slices if each not in kept]
    if not fresh:
        return kept
    held = champion is not None and champion.evaluation is not None and champion.evaluation.holdout
    reference = holdout_of(parts, champion) if held and champion else rows
    found = slice_edges(reference, fresh)
    found |= slice_edges(rows, [each for each in fresh if each not in reference.columns])
    kept |= {each: list(found.get(each, ())) for each in fresh if each in rows.columns or each == "hour"}
    with parts.write() as tx:
        ledger.set_mark(tx, name, dumps(kept, sort_keys=True))
    return kept
