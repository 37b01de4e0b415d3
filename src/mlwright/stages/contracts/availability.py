"""Refuse columns whose value comes from after the prediction."""

from collections.abc import Sequence

from mlwright.errors import Fault, NotAvailableAtPrediction, NotFound, near_match
from mlwright.model.contracts import Availability, Contract


def require_available(contract: Contract, columns: Sequence[str], *, where: str) -> None:
    """Refuse columns that the contract says are known only later.

    Args:
        contract: says of each column when it is known.
        columns: what a model is about to be given.
        where: who asks, for the message ("step train", "feature view weather_at_origin").

    Raises:
        NotAvailableAtPrediction: a column is known only later; the faults name each of them and why.
        NotFound: the contract does not know a column, so nobody can say when its value is known.
    """
    later = [
        column
        for name in columns
        if (column := contract.column(name)) is not None and column.availability is Availability.LATER
    ]
    unknown = [name for name in columns if contract.column(name) is None]
    known = [column.name for column in contract.columns]
    strange = [
        Fault(where=name, what="is not in the contract", near=near_match(name, known)) for name in unknown
    ]
    if later:
        raise NotAvailableAtPrediction(
            f"{', '.join(column.name for column in later)} cannot be used: not known at prediction time",
            where=where,
            why=f"the contract {contract.id}@{contract.version} says availableAt: later",
            next_command=f"leave out {', '.join(column.name for column in later)} and run again",
            faults=[
                *(
                    Fault(where=column.name, what=column.description or "known only after the prediction")
                    for column in later
                ),
                *strange,
            ],
        )
    if strange:
        raise NotFound(
            f"the contract of {contract.dataset} does not know {', '.join(unknown)}",
            where=where,
            why="a column without a contract may come from the future",
            next_command=f"add the column to {contract.source or 'the contract'} and run again",
            faults=strange,
        )
