"""Reading a file whose shape may be wrong: what is there is given, what is not is left out."""

from collections.abc import Iterator, Mapping

from mlwright.errors import Fault, near_match


def unknown(where: str, kind: str, name: str, known: list[str]) -> Fault:
    """A name that the file does not have, with the nearest that it has."""
    have = f"; there is {', '.join(dict.fromkeys(known))}" if known else f"; the file has no {kind}"
    return Fault(where=where, what=f"no {kind} is named {name!r}{have}", near=near_match(name, known))


def names(raw: Mapping[str, object], kind: str) -> list[str]:
    """The names of all tables of a kind."""
    return [name for _, table in tables(raw, kind) if isinstance(name := table.get("name"), str)]


def tables(raw: Mapping[str, object], kind: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """The tables of a kind with their numbers."""
    listed = raw.get(kind)
    for number, table in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(table, dict):
            yield number, table


def texts(value: object) -> list[str]:
    """The texts of a list."""
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
