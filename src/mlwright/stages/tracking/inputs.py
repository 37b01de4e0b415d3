"""What runs used and made: data sets and models in the database. The caller owns every transaction."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select, tuple_

from mlwright.errors import UsageError
from mlwright.model.tracking import DatasetInput, ModelOutput
from mlwright.stages.tracking.experiments import insert
from mlwright.stages.tracking.names import NAME_LIMIT, check_length
from mlwright.stages.tracking.runs import RunKey
from mlwright.stages.tracking.tables import datasets, inputs, model_inputs, outputs

_TEXT_LIMIT: Final = 16 << 20
_AT_ONCE: Final = 1000


def add_inputs(tx: Connection, run: RunKey, used: Sequence[DatasetInput]) -> None:
    """Record which data sets a run used. What was recorded of the same data set before stays.

    Raises:
        UsageError: a data set has no name or no digest, or a text is too long.
    """
    for each in used:
        _check(each)
    # Of several with one name and digest the first counts.
    first = {(each.dataset.name, each.dataset.digest): each for each in reversed(used)}
    for start in range(0, len(first), _AT_ONCE):
        keys = sorted(first)[start : start + _AT_ONCE]
        tx.execute(
            insert(tx, datasets).on_conflict_do_nothing(),
            [
                {
                    "experiment": run.experiment,
                    "name": known.name,
                    "digest": known.digest,
                    "source_type": known.source_type,
                    "source": known.source,
                    "schema": known.schema,
                    "profile": known.profile,
                }
                for known in (first[key].dataset for key in keys)
            ],
        )
        query = select(datasets.c.number, datasets.c.name, datasets.c.digest).where(
            datasets.c.experiment == run.experiment, tuple_(datasets.c.name, datasets.c.digest).in_(keys)
        )
        rows = [
            {"run": run.number, "dataset": number, "tags": first[name, digest].tags}
            for number, name, digest in tx.execute(query.order_by(datasets.c.number)).all()
        ]
        tx.execute(insert(tx, inputs).on_conflict_do_nothing(), rows)


def add_model_inputs(tx: Connection, run: RunKey, models: Sequence[str]) -> None:
    """Record which logged models a run used; the same one again changes nothing."""
    rows = [{"run": run.number, "model": model} for model in sorted(set(models))]
    if rows:
        tx.execute(insert(tx, model_inputs).on_conflict_do_nothing(), rows)


def add_outputs(tx: Connection, run: RunKey, made: Sequence[ModelOutput]) -> None:
    """Record which logged models a run made, and at which step; the same again changes nothing."""
    rows = [
        {"run": run.number, "model": model, "step": step}
        for model, step in sorted({(each.model, each.step) for each in made})
    ]
    if rows:
        tx.execute(insert(tx, outputs).on_conflict_do_nothing(), rows)


def _check(used: DatasetInput) -> None:
    known = used.dataset
    for what, text in (("name", known.name), ("digest", known.digest)):
        if not text:
            raise UsageError(f"Dataset {what} cannot be None")
        check_length(what, text, NAME_LIMIT)
    for what, long in (("source", known.source), ("schema", known.schema), ("profile", known.profile)):
        check_length(what, long or "", _TEXT_LIMIT)
    for key, value in used.tags.items():
        check_length("key", key, NAME_LIMIT)
        check_length("value", value, _TEXT_LIMIT)
