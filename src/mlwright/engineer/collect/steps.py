"""Walking trees of steps: in a loop, and as texts."""

from collections.abc import Iterator

from mlwright.engineer.facts.configuration import Document, Plain

Keys = tuple[str | int, ...]


def dicts_below(document: Document, above: Keys) -> Iterator[tuple[Keys, dict[str, Plain]]]:
    """Every mapping at or below a path, with its own path, in the order of the text."""
    stack: list[tuple[Keys, Plain]] = [(above, document.get(*above))]
    while stack:
        keys, value = stack.pop()
        if isinstance(value, dict):
            yield keys, value
            stack.extend(((*keys, key), value[key]) for key in reversed(list(value)))
        elif isinstance(value, list):
            stack.extend(((*keys, at), value[at]) for at in range(len(value) - 1, -1, -1))


def strings(value: Plain) -> list[str]:
    """The texts among the elements of a list; nothing for what is no list."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def commands(*values: Plain) -> str:
    """Shell texts and lists of them as one text, a command a line."""
    found: list[str] = []
    for value in values:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            found += [
                line
                for each in value
                for line in (strings(each) if isinstance(each, list) else [each])
                if isinstance(line, str)
            ]
    return "\n".join(found)
