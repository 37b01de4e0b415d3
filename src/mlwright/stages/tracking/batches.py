"""What one call may record at once, as the MLflow protocol has it."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from mlwright.errors import UsageError
from mlwright.model.tracking import Metric
from mlwright.stages.tracking.names import check_key

METRICS_LIMIT: Final = 100_000
"""Metrics of one call. MLflow stops at 1,000, into which its client cuts; a larger call is cheaper for both sides."""
PAIRS_LIMIT: Final = 10_000
"""Params or tags of one call; MLflow stops at 100."""


def check_metrics(metrics: Sequence[Metric], *, several: bool = True) -> None:
    """Check the points of one call.

    Args:
        metrics: the points.
        several: whether the fault says which one it is.

    Raises:
        UsageError: a key cannot be one, an instant is before 1970, or half of a data set is named.
    """
    keys: set[str] = set()
    for place, each in enumerate(metrics):
        if each.key not in keys:
            check_key(f"metrics[{place}].name" if several else "name", each.key)
            keys.add(each.key)
        if each.at_ms < 0:
            where = f"metrics[{place}].timestamp" if several else "timestamp"
            raise UsageError(
                f"Invalid value {each.at_ms} for parameter '{where}' supplied: metric '{each.key}'"
                f" (value={each.value}). Timestamp must be a nonnegative long (64-bit integer) "
            )
        if (each.dataset is None) != (each.dataset_digest is None):
            raise UsageError("Both dataset_name and dataset_digest must be provided if one is provided")


def check_batch(
    metrics: Sequence[Metric], params: Sequence[tuple[str, str]], tags: Sequence[tuple[str, str]]
) -> None:
    """Check how much one call records, and that no param is there twice; their keys are checked where they are written.

    Raises:
        UsageError: it is too much, or one of it cannot be recorded.
    """
    for name, limit, given in (
        ("metrics", METRICS_LIMIT, metrics),
        ("params", PAIRS_LIMIT, params),
        ("tags", PAIRS_LIMIT, tags),
    ):
        if len(given) > limit:
            raise UsageError(
                f"A batch logging request can contain at most {limit} {name}. Got {len(given)} {name}."
                f" Please split up {name} across multiple requests and try again."
            )
    twice = [key for key, count in Counter(key for key, _ in params).items() if count > 1]
    if twice:
        raise UsageError(
            f"Duplicate parameter keys have been submitted: {twice}. Please ensure the request contains only one"
            " param value per param key."
        )
    check_metrics(metrics)
