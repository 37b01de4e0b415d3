"""The runtime for plain Python functions: their source in the folder, their signature in their annotations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Final

import numpy as np

from mlwright.adapters.runtimes import function_shim
from mlwright.adapters.runtimes.folder import failed, lacking, ours, read_package, write_package
from mlwright.adapters.runtimes.function_code import CODE, Code, pack
from mlwright.errors import ModelError, ModelLoadFailed, SignatureMismatch, UsageError
from mlwright.model.batches import DTYPES, Array, Batch, array_of, batch_of
from mlwright.model.functions import Parameter, is_function, shape_of
from mlwright.model.registry import Field, Signature
from mlwright.ports.runtimes import LoadedModel

_SHIM: Final = "mlwright_function"


class FunctionRuntime:
    """Saves and loads functions, and classes with a method ``predict``; see :mod:`mlwright.model.functions`."""

    @property
    def flavor(self) -> str:
        """``mlwright_function``."""
        return "mlwright_function"

    def accepts(self, model: object) -> bool:
        """Whether this is a function written in Python, or a class with a method ``predict``."""
        return is_function(model)

    def save(
        self,
        model: object,
        folder: Path,
        *,
        signature: Signature,
        example: Mapping[str, Sequence[object]],
        categories: Mapping[str, Sequence[str]],
    ) -> None:
        """Write the folder; see ``ModelRuntime.save``. The levels of texts mean nothing to a function.

        Raises:
            UsageError: the signature is not that of its annotations, or its file cannot be stored alone.
            ModelLoadFailed: the stored copy cannot be imported.
            SignatureMismatch: it refuses the example.
            ModelError: its answer does not keep its annotations.
        """
        shape = shape_of(model)
        if shape.signature != signature:
            raise UsageError(
                "the signature is another than that of its annotations",
                where=getattr(model, "__qualname__", None),
                why=f"they say {_said(shape.signature)}, but {_said(signature)} was given",
            )
        assert callable(model)
        entry, packages = pack(model, folder)
        (folder / CODE / f"{_SHIM}.py").write_bytes(Path(function_shim.__file__).read_bytes())
        loaded = LoadedFunction(Code(folder / CODE, entry), folder / CODE, signature)
        try:
            answers = loaded.infer(batch_of(signature.inputs, example))
        finally:
            loaded.close()
        write_package(
            folder,
            flavor=self.flavor,
            conf={
                "code": CODE,
                "entry": entry,
                "columnwise": shape.columnwise,
                "arrays": {
                    each.field.name: DTYPES[each.field.type]
                    for each in shape.parameters
                    if each.holds == "array"
                },
            },
            function={"loader_module": _SHIM, "code": CODE},
            signature=signature,
            example=example,
            answers=answers,
            requirements=packages,
            own=ours(signature),
        )

    def lacks(self, folder: Path) -> tuple[str, ...]:
        """The packages that its file imports and that are not here, in any version: source is read by all of them."""
        return lacking(read_package(folder).requirements)

    def load(self, folder: Path) -> LoadedModel:
        """Load a folder; see ``ModelRuntime.load``. The code in it is run."""
        package = read_package(folder)
        conf = package.flavor(self.flavor)
        code, entry = package.file(conf.get("code"), CODE), str(conf.get("entry"))
        if package.signature is None:
            raise failed("the folder of a function has no signature", folder / "MLmodel")
        return LoadedFunction(Code(code, entry), code, package.signature)


class LoadedFunction:
    """A function in memory."""

    def __init__(self, code: Code, folder: Path, signature: Signature) -> None:
        self.signature: Final = signature
        self._code = code
        try:
            self._shape = shape_of(code.found)
            if self._shape.signature != signature:
                raise ModelLoadFailed(
                    f"MLmodel says {_said(signature)}, but the function {_said(self._shape.signature)}",
                    where=str(folder),
                )
            self._call = _callable(code.found, folder)
        except BaseException:
            code.close()
            raise
        self._name = code.found.__name__

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        """Answer rows; see ``LoadedModel.infer``.

        Raises:
            SignatureMismatch: a value is missing that the function needs, or it raised a ValueError.
            ModelError: it raised something else, or its answer does not keep its annotations.
        """
        answers = self._by_columns(batch) if self._shape.columnwise else self._by_rows(batch)
        return {each.name: self._output(each, answers[each.name], batch.rows) for each in self._shape.outputs}

    def close(self) -> None:
        """Forget its module."""
        self._code.close()

    def _by_rows(self, batch: Batch) -> Mapping[str, Any]:
        columns = [_values(each, batch) for each in self._shape.parameters]
        named = [each.field.name for each in self._shape.parameters if each.by_name]
        at = len(columns) - len(named)
        call = self._call
        found: list[Any] = []
        try:
            if named:
                for row in zip(*columns, strict=True):
                    found.append(call(*row[:at], **dict(zip(named, row[at:], strict=True))))
            else:
                for row in zip(*columns, strict=True):
                    found.append(call(*row))
        except Exception as error:
            raise self._raised(error, f" in row {len(found)}") from error
        if not self._shape.named:
            return {self._shape.outputs[0].name: found}
        read = _reader(found)
        try:
            return {each.name: [read(one, each.name) for one in found] for each in self._shape.outputs}
        except (KeyError, AttributeError) as error:
            raise self._broken(str(error)) from error

    def _by_columns(self, batch: Batch) -> Mapping[str, Any]:
        given = {each.field.name: _column(each, batch) for each in self._shape.parameters}
        positional = [given.pop(each.field.name) for each in self._shape.parameters if not each.by_name]
        try:
            found = self._call(*positional, **given)
        except Exception as error:
            raise self._raised(error, "") from error
        if not self._shape.named:
            return {self._shape.outputs[0].name: found}
        read = _reader([found])
        try:
            return {each.name: read(found, each.name) for each in self._shape.outputs}
        except (KeyError, AttributeError) as error:
            raise self._broken(str(error)) from error

    def _output(self, each: Field, found: Any, rows: int) -> Array:
        if not isinstance(found, list | np.ndarray):
            raise self._broken(f"{each.name!r} is a {type(found).__name__}")
        if len(found) != rows:
            raise self._broken(f"{each.name!r} has {len(found)} values for {rows} rows")
        if each.shape and not rows:
            return np.empty((0, 0))
        try:
            return array_of(each, found)
        except SignatureMismatch as error:
            raise self._broken(error.what.replace("the model takes", "the annotation says")) from error

    def _raised(self, error: Exception, where: str) -> ModelError:
        if isinstance(error, ModelError):
            return error
        kind = SignatureMismatch if isinstance(error, ValueError) else ModelError
        said = "refuses the values" if isinstance(error, ValueError) else f"raised {type(error).__name__}"
        return kind(f"{self._name} {said}{where}", why=str(error))

    def _broken(self, why: str) -> ModelError:
        return ModelError(f"the answer of {self._name} does not keep its annotation", why=why)


def _callable(found: Any, folder: Path) -> Callable[..., Any]:
    if not isinstance(found, type):
        return found  # type: ignore[no-any-return]
    try:
        prepared: Any = found(folder) if found.__init__ is not object.__init__ else found()  # type: ignore[misc]
    except Exception as error:
        raise ModelLoadFailed(
            f"{found.__name__} cannot be prepared", where=str(folder), why=f"{type(error).__name__}: {error}"
        ) from error
    return prepared.predict  # type: ignore[no-any-return]


def _values(each: Parameter, batch: Batch) -> Sequence[object]:
    """One value a row, as Python has it; for a missing one None or the default."""
    name = each.field.name
    stand_in = None if each.nullable or each.default is MISSING else each.default
    if not batch.has(name):
        default = None if each.default is MISSING else each.default
        return [default] * batch.rows
    column = batch.column(name)
    values: list[object] = column.tolist()
    missing = list(_missing(column, values))
    if missing and not each.nullable and each.default is MISSING:
        raise SignatureMismatch(
            f"row {missing[0]} of {name!r} is missing, but the function takes no None", where=name
        )
    for row in missing:
        values[row] = stand_in
    if missing and column.dtype.kind == "f" and each.field.type in ("long", "boolean"):
        whole = int if each.field.type == "long" else bool
        gaps = set(missing)
        values = [value if row in gaps else whole(value) for row, value in enumerate(values)]  # type: ignore[call-overload]
    return values


def _column(each: Parameter, batch: Batch) -> object:
    if not batch.has(each.field.name):
        if each.default is not MISSING:
            return each.default
        return None if each.holds == "array" else [None] * batch.rows
    if each.holds == "array":
        return batch.column(each.field.name).copy()  # a function may write into it
    column = batch.column(each.field.name)
    if each.field.type == "double" and not each.nullable:
        return column.tolist()  # NaN is a float
    return _values(each, batch)


def _missing(column: Array, values: Sequence[object]) -> Iterator[int]:
    if column.dtype.kind == "f":
        yield from np.flatnonzero(np.isnan(column)).tolist()
    elif column.dtype.kind in "OM":
        yield from (row for row, value in enumerate(values) if value is None)


def _reader(found: Sequence[Any]) -> Callable[[Any, str], Any]:
    return (lambda one, name: one[name]) if found and isinstance(found[0], Mapping) else getattr


def _said(signature: Signature) -> str:
    inputs = ", ".join(f"{each.name}: {each.type}" for each in signature.inputs)
    return f"({inputs}) → {', '.join(f'{each.name}: {each.type}' for each in signature.outputs)}"
