"""Importing a project's own files, and the digest of its code."""

import importlib
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from blake3 import blake3

from mlwright.errors import MlwrightError, NotFound, PipelineInvalid
from mlwright.model.ids import Digest
from mlwright.stages.pipelines.define import Pipeline

_SKIPPED = {".git", ".venv", ".tools", ".mlwright", "__pycache__", "node_modules"}


_digests: dict[Path, Digest] = {}
"""The code of each project as this process last imported it."""


def load_module(path: Path, root: Path) -> ModuleType:
    """Import a Python file of a project, with the project's folder first on the path.

    A project whose code changed since is imported anew, with all its modules: a process that runs for weeks must not
    train with the code of its first day under the digest of today's.

    Raises:
        PipelineInvalid: there is no such file, or importing it raised; the message has its line.
    """
    if not path.is_file():
        raise PipelineInvalid("there is no such file", where=str(path), next_command="mlwright init")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    _forget_old_code(root)
    name = f"mlwright_project_{blake3(str(path.resolve()).encode()).hexdigest(8)}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PipelineInvalid("this is not a Python file", where=str(path))
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _without_bytecode():
            spec.loader.exec_module(module)
    except MlwrightError:
        del sys.modules[name]
        raise
    except BaseException as error:
        del sys.modules[name]
        line = next(
            (f.lineno for f in traceback.extract_tb(error.__traceback__)[::-1] if f.filename == str(path)), 1
        )
        raise PipelineInvalid(
            f"{type(error).__name__}: {error}",
            where=f"{path}:{line}",
            why="the file raised while it was imported",
        ) from error
    return module


def _forget_old_code(root: Path) -> None:
    code = code_digest(root)
    if _digests.get(root, code) != code:
        importlib.invalidate_caches()
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and _is_own_code(Path(file), root):
                del sys.modules[name]
    _digests[root] = code


@contextmanager
def _without_bytecode() -> Iterator[None]:
    """Leave no bytecode of project code behind: it is taken for fresh by its second and size, and may be neither."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _is_own_code(path: Path, root: Path) -> bool:
    return path.is_relative_to(root) and not _SKIPPED.intersection(path.relative_to(root).parts)


def call_function(path: Path, root: Path, name: str) -> object:
    """Call a function of a project's file without arguments, for a data set's ``source = "data.py:flights"``.

    Raises:
        NotFound: the file has no such function; the nearest is suggested.
    """
    module = load_module(path, root)
    function: Callable[[], object] | None = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise NotFound.named(f"function in {path.name}", name, known)
    return function()


def load_pipelines(files: Sequence[str], root: Path) -> dict[str, Pipeline[..., object]]:
    """All pipelines that a project's files define, by name.

    Raises:
        PipelineInvalid: a file cannot be imported, or two pipelines have one name.
    """
    found: dict[str, Pipeline[..., object]] = {}
    for file in files:
        for value in vars(load_module(root / file, root)).values():
            if isinstance(value, Pipeline):
                if value.name in found and found[value.name] is not value:
                    raise PipelineInvalid(f"two pipelines are named {value.name!r}", where=file)
                found[value.name] = value
    return found


def code_digest(root: Path) -> Digest:
    """Digest of all Python files of a project.

    A step's checkpoint depends on all of them, not on the step's own lines: a helper that changed must never leave a
    stale result behind.
    """
    hasher = blake3()
    for path in sorted(root.rglob("*.py")):
        if _is_own_code(path, root):
            hasher.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return Digest("blake3:" + hasher.hexdigest())
