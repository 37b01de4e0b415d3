"""The source of a model function: put into a model's folder, and imported from there."""

import ast
import inspect
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, reduce
from importlib.metadata import packages_distributions
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from mlwright.errors import Fault, ModelLoadFailed, UsageError

CODE: Final = "code"
FILES: Final = "FILES"
"""The variable of a module that lists the files beside it that its function reads."""

_loads = count(1)


def pack(model: Callable[..., object] | type, folder: Path) -> tuple[str, tuple[str, ...]]:
    """Copy the module of a function, and the files that it lists, into ``code/``.

    Returns:
        Where to find it, as ``module:name``, and the packages that the module imports.

    Raises:
        UsageError: it cannot be found by name in a file, or the file needs others of its folder.
    """
    name = model.__qualname__
    try:
        source = Path(inspect.getsourcefile(model) or "")
    except TypeError:
        source = Path("")
    if not source.is_file():
        raise UsageError(
            "its source is in no file", where=name, why="a model function is stored as the file that holds it"
        )
    where = f"{source.name}:{name}"
    if "<" in name:
        raise UsageError(
            "it has no name at the top of its file",
            where=where,
            why="a lambda or an inner function cannot be imported",
        )
    faults: list[Fault] = []
    packages = tuple(sorted(_packages(source, faults)))
    listed = getattr(inspect.getmodule(model), FILES, ())
    files = [
        each
        for each in (listed if isinstance(listed, list | tuple) else (listed,))
        if _is_beside(source, each, faults)
    ]
    if faults:
        raise UsageError("its file cannot be stored alone", where=where, faults=faults)
    code = folder / CODE
    code.mkdir()
    module = source.stem if source.stem.isidentifier() else "model"
    for origin, target in [(source, f"{module}.py"), *((source.parent / each, each) for each in files)]:
        (code / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, code / target)
    return f"{module}:{name}", packages


class Code:
    """An imported function or class, under a module name that no other model has."""

    def __init__(self, code: Path, entry: str) -> None:
        module, _, name = entry.partition(":")
        self.module: Final = _imported(code / f"{module}.py")
        try:
            self.found: Final[Any] = reduce(getattr, name.split("."), self.module)
        except AttributeError as error:
            self.close()
            raise ModelLoadFailed(f"{module}.py has no {name!r}", where=str(code)) from error

    def close(self) -> None:
        """Forget the module."""
        sys.modules.pop(self.module.__name__, None)


def _imported(path: Path) -> ModuleType:
    # Two versions of one model are in memory while traffic moves: neither may find the other's module.
    name = f"mlwright_function_{next(_loads)}_{path.stem}"
    spec = spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ModelLoadFailed(f"the file {path.name!r} that MLmodel names is missing", where=str(path))
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and type hints look their module up there
    try:
        # Compiled here, for an import would leave bytecode in a folder whose digest is known.
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        raise ModelLoadFailed(
            f"{path.name} cannot be imported", where=str(path), why=f"{type(error).__name__}: {error}"
        ) from error
    return module


def _packages(source: Path, faults: list[Fault]) -> Iterator[str]:
    try:
        tree = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError) as error:
        faults.append(Fault(where=source.name, what=f"is not Python: {error}"))
        return
    for root, line in sorted(_roots(tree).items()):
        known = _distributions().get(root)
        if known:
            yield known[0]
        elif root not in sys.stdlib_module_names:
            what = f"imports {root or 'a module of its own package'}, which is no installed package"
            faults.append(Fault(where=f"line {line}", what=f"{what}: a model function is one file"))


def _roots(tree: ast.AST) -> dict[str, int]:
    """The packages that a file imports, and the line of the first import; an empty name is a relative import."""
    found: dict[str, int] = {}
    for each in ast.walk(tree):
        if isinstance(each, ast.Import):
            for alias in each.names:
                found.setdefault(alias.name.partition(".")[0], each.lineno)
        elif isinstance(each, ast.ImportFrom):
            found.setdefault("" if each.level else (each.module or "").partition(".")[0], each.lineno)
    return found


@cache
def _distributions() -> Mapping[str, Sequence[str]]:
    return packages_distributions()  # reads every installed package: 50 ms, only when a function is saved


def _is_beside(source: Path, each: object, faults: list[Fault]) -> bool:
    root = source.parent.resolve()
    path = (root / str(each)).resolve()
    if not isinstance(each, str) or not path.is_relative_to(root):
        faults.append(Fault(where=FILES, what=f"{each!r} is not a file below {root.name}/"))
    elif not path.is_file():
        faults.append(Fault(where=FILES, what=f"there is no file {each!r} beside {source.name}"))
    else:
        return True
    return False
