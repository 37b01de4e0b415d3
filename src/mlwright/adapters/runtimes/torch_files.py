"""PyTorch modules in MLflow Model folders, written and read. Importing this imports torch.

``data/model.pt2`` is an exported program, ``data/model.pth`` TorchScript or a pickle, as MLflow names them. What
``torch.export.load`` reads could bring pickles of its own: every record is held against torch's restricted reader
first (https://docs.pytorch.org/docs/stable/notes/serialization.html#weights-only).
"""

import importlib.util
import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mlwright.adapters.runtimes.folder import Package, failed, ours, plain, write_package
from mlwright.adapters.runtimes.torch_running import Graph, LoadedTorch, program_fields, torch
from mlwright.errors import MlwrightError, ModelUntrusted, UsageError
from mlwright.model.batches import batch_of
from mlwright.model.registry import Signature

_FLAVOR: Final = "pytorch"
_DATA: Final = "data"
_EXPORTED: Final = "model.pt2"
_PICKLED: Final = "model.pth"
_PICKLE_MODULE: Final = "pickle_module_info.txt"
_MODULES: Final = frozenset({"pickle", "cloudpickle", "dill", "mlflow.pytorch.pickle_module"})
_PLAIN_RECORD: Final = re.compile(rb"[\w.\-\s]{0,64}")


def accepts(model: object) -> bool:
    """Whether this is a module, a TorchScript module or an exported program."""
    return isinstance(model, torch.nn.Module | torch.export.ExportedProgram)


def save(
    model: Any,
    folder: Path,
    *,
    signature: Signature,
    example: Mapping[str, Sequence[object]],
    categories: Mapping[str, Sequence[str]],
) -> None:
    """Write a folder; see ``ModelRuntime.save``."""
    batch = batch_of(signature.inputs, example)
    data = folder / _DATA
    data.mkdir()
    if isinstance(model, torch.jit.ScriptModule):
        path = data / _PICKLED
        (data / _PICKLE_MODULE).write_text("mlflow.pytorch.pickle_module", encoding="utf-8")
        with _quietly():
            torch.jit.save(model.eval(), str(path))
        graph = Graph.of_module(_scripted(path))
    else:
        path = data / _EXPORTED
        program = model if isinstance(model, torch.export.ExportedProgram) else None
        if program is None:
            given = LoadedTorch(Graph.of_module(model.eval().cpu()), signature, categories).arguments(batch)
            program = _exported(model, given)
        torch.export.save(program, str(path))
        graph = Graph.of_program(_program(path))
    loaded = LoadedTorch(graph, signature, categories)
    answers = loaded.infer(batch)
    for each in signature.outputs:
        if answers[each.name].ndim != 1 + len(each.shape):
            raise UsageError(
                f"the module gives {each.name!r} in the form {list(answers[each.name].shape)}",
                why=f"the signature says {len(each.shape)} axes after the rows",
            )
    write_package(
        folder,
        flavor=_FLAVOR,
        conf={"model_data": _DATA, "pytorch_version": str(torch.__version__)},
        function={
            "loader_module": "mlflow.pytorch",
            "data": _DATA,
            "pickle_module_name": "mlflow.pytorch.pickle_module",
            "model_config": {"device": None},
        },
        signature=signature,
        example={name: plain(column) for name, column in example.items()},  # type: ignore[misc]
        answers=answers,
        requirements=("torch", "numpy"),
        own=ours(signature, categories),
    )


def load(package: Package) -> LoadedTorch:
    """Load a folder; see ``ModelRuntime.load``."""
    data = package.file(package.flavor(_FLAVOR).get("model_data"), _DATA)
    exported, pickled = data / _EXPORTED, data / _PICKLED
    path = pickled if pickled.is_file() else exported
    if not path.is_file():
        raise failed(f"neither {_EXPORTED} nor {_PICKLED} is in {data.name}/", data)
    try:
        graph = _graph(path, data, package)
    except MlwrightError:
        raise
    except Exception as error:  # a damaged file makes torch and zipfile raise all sorts of errors
        raise failed(f"{path.name} cannot be loaded", path, error) from error
    signature = package.signature or Signature(inputs=program_fields(graph, path), outputs=())
    return LoadedTorch(graph, signature, package.categories)


def _graph(path: Path, data: Path, package: Package) -> Graph:
    if path.name == _EXPORTED:
        return Graph.of_program(_program(path))
    if _is_script(path):
        return Graph.of_module(_scripted(path))
    named = data / _PICKLE_MODULE
    reader = named.read_text("utf-8").strip() if named.is_file() else "pickle"
    if reader not in _MODULES:
        raise failed(f"it was pickled by {reader!r}, which is none of {', '.join(sorted(_MODULES))}", named)
    if reader == "mlflow.pytorch.pickle_module" and importlib.util.find_spec("mlflow") is None:
        reader = "cloudpickle"  # what MLflow's module reads with
    try:
        # A file that holds tensors alone needs no code; a module is refused by this, and then read as what it is.
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - whatever it refuses is tried below
        pickles = importlib.import_module(reader)
        # mlwright: accept model.loads_trusted -- only registered versions, whose digest is verified, come here
        found = torch.load(path, map_location="cpu", weights_only=False, pickle_module=pickles)
    if not isinstance(found, torch.nn.Module):
        raise failed(f"{path.name} holds a {type(found).__name__} and not a module", path)
    return Graph.of_module(found)


def _is_script(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return any("/code/" in each for each in names) and any(each.endswith("/constants.pkl") for each in names)


def _scripted(path: Path) -> Any:
    with _quietly():
        return torch.jit.load(str(path), map_location="cpu")


@contextmanager
def _quietly() -> Iterator[None]:
    """TorchScript is no longer developed, and says so at every call; it still reads and writes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def of_any_length(given: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[dict[int, Any], ...]]:
    """Arguments to export a module with, and what says of each that its first axis may have any length."""
    # An axis of the length 1 in the example is taken for fixed: two rows or more say that it is not.
    several = tuple(torch.cat([each, each]) if len(each) == 1 else each for each in given)
    return several, tuple({0: torch.export.Dim.DYNAMIC} for _ in several)


def _exported(module: Any, given: Sequence[Any]) -> Any:
    several, rows = of_any_length(given)
    try:
        return torch.export.export(module, several, dynamic_shapes=rows)
    except Exception as error:
        raise UsageError(
            f"{type(module).__name__} cannot be exported",
            why=f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}",
            next_command="python -c 'import torch; help(torch.export.export)'",
        ) from error


def _program(path: Path) -> Any:
    _check_records(path)
    return torch.export.load(str(path))


def _check_records(path: Path) -> None:
    """Refuse a program with a record that is neither text, JSON, raw tensor nor readable by the restricted reader.

    Raises:
        ModelUntrusted: one is.
        ModelLoadFailed: the archive does not begin where its file begins.
    """
    with zipfile.ZipFile(path) as archive:
        if min((each.header_offset for each in archive.infolist()), default=1):
            raise failed(f"{path.name} is cut short", path)  # what is left may end with an archive inside it
        configs = [each for each in archive.namelist() if each.endswith("_config.json")]
        raw = {name for each in configs for name in _raw_tensors(each, archive.read(each))}
        for name in archive.namelist():
            if name not in raw and not name.endswith("/") and not _is_harmless(archive.read(name)):
                raise ModelUntrusted(
                    f"the record {name!r} is neither data nor a tensor",
                    where=str(path),
                    why="loading it could run code that nobody here has looked at",
                    next_command="mlwright doctor",
                )


def _raw_tensors(name: str, text: bytes) -> list[str]:
    """The records that a table of weights or constants says are bytes of tensors, which nothing unpickles."""
    held = json.loads(text)
    entries = held.get("config", {}) if isinstance(held, dict) else {}
    beside = name.rpartition("/")[0]
    return [
        f"{beside}/{each['path_name']}"
        for each in entries.values()
        if isinstance(each, dict)
        and each.get("use_pickle") is False
        and isinstance(each.get("path_name"), str)
    ]


def _is_harmless(record: bytes) -> bool:
    if _PLAIN_RECORD.fullmatch(record):
        return True
    try:
        json.loads(record)
    except (ValueError, RecursionError):
        pass
    else:
        return True
    try:
        torch.load(io.BytesIO(record), map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - whatever it refuses is not harmless
        return False
    return True
