"""Which known packages files import, and which known calls they make: one look for many names."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.model.findings import Location


def imports_of(files: Iterable[PythonFile], packages: Mapping[str, str]) -> Iterator[tuple[str, Location]]:
    """The first import of each known package in each file: what the package is called here, and the place.

    Args:
        files: where to look.
        packages: dotted import names; what lies below one counts as it.
    """
    for file in files:
        seen: set[str] = set()
        for each in file.imports:
            name = each.name
            while name and name not in packages:
                name = name.rpartition(".")[0]
            if name and packages[name] not in seen:
                seen.add(packages[name])
                yield packages[name], file.at(each)


def calls_of(repository: Repository, names: Mapping[str, str]) -> Iterator[tuple[str, PythonFile, Call]]:
    """The calls of production code that have one of these names (shell patterns), with what the pattern stands for."""
    for file, call in repository.calls(*names):
        yield next(what for pattern, what in names.items() if fnmatchcase(call.name, pattern)), file, call
