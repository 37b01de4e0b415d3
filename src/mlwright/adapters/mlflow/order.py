"""The order in which runs are told: each after its parent."""

from collections.abc import Mapping, Sequence


def parents_first(ids: Sequence[str], parents: Mapping[str, str]) -> list[str]:
    """The ids in their order, but none before its parent. A ring of parents is told as it stands."""
    known = set(ids)
    result: dict[str, None] = {}
    for id in ids:
        line = []
        each: str | None = id
        while each is not None and each in known and each not in result and each not in line:
            line.append(each)
            each = parents.get(each)
        result.update(dict.fromkeys(reversed(line)))
    return list(result)
