"""A YAML file as plain values, with the line of every place in it."""

from pathlib import Path

import yaml

from mlwright.errors import ContractInvalid, Fault

Place = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """Leaves dates as the text they are, which is what ODCS means by them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Document:
    """A parsed YAML file that knows where each of its values stands."""

    def __init__(self, path: Path) -> None:
        """Read and parse.

        Raises:
            ContractInvalid: the file is missing, is not YAML, is not a mapping, or has a key twice.
        """
        self.path = path
        self._lines: dict[Place, int] = {}
        self._faults: list[Fault] = []
        node, value = self._parse(_read(path))
        if not isinstance(value, dict):
            raise _invalid(path, [Fault(where="(root)", what="a contract is a mapping of keys")])
        self._walk(node, ())
        if self._faults:
            raise _invalid(path, self._faults)
        self.value: dict[str, object] = value

    def where(self, place: Place) -> str:
        """The place as a YAML path with its line: ``schema[0].properties[2].name (line 14)``."""
        return f"{path_text(place)} (line {self.line(place)})"

    def line(self, place: Place) -> int:
        """The 1-based line of the place, or of the nearest place above it that is in the file."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def _parse(self, text: str) -> tuple[yaml.Node | None, object]:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return node, loader.construct_document(node) if node is not None else None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            at = f"{self.path}:{mark.line + 1}:{mark.column + 1}" if mark else str(self.path)
            raise ContractInvalid(
                f"not valid YAML: {error.problem or error.context}",
                where=at,
                next_command=f"correct {self.path.name}, then run again",
            ) from error
        except yaml.YAMLError as error:
            raise ContractInvalid(
                "not valid YAML", where=str(self.path), why=str(error).partition("\n")[0]
            ) from error
        finally:
            loader.dispose()

    def _walk(self, node: yaml.Node | None, place: Place) -> None:
        if node is None:
            return
        self._lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = (*place, str(key.value))
                line = key.start_mark.line + 1
                if inner in self._lines:
                    what = f"the key appears twice, first on line {self._lines[inner]}"
                    self._faults.append(Fault(where=f"{path_text(inner)} (line {line})", what=what))
                self._lines[inner] = line
                self._walk(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self._walk(value, (*place, number))


def path_text(place: Place) -> str:
    """Write a place as ``schema[0].properties[2].name``; the empty place is ``(root)``."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "(root)"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ContractInvalid(
            "there is no such contract file",
            where=str(path),
            next_command="correct 'contract' of this dataset in mlwright.toml",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ContractInvalid("the contract file cannot be read", where=str(path), why=str(error)) from error


def _invalid(path: Path, faults: list[Fault]) -> ContractInvalid:
    return ContractInvalid(
        f"not a valid ODCS v3.1 contract: {len(faults)} fault{'s' if len(faults) != 1 else ''}",
        where=str(path),
        why="the standard is at https://bitol-io.github.io/open-data-contract-standard/v3.1.0",
        next_command=f"correct {path.name}, then run again",
        faults=faults,
    )


def refuse(document: Document, faults: list[Fault]) -> None:
    """Raise ContractInvalid with these faults, if there are any."""
    if faults:
        raise _invalid(document.path, faults)
