"""The runtime for every other flavor of MLflow: its own ``mlflow.pyfunc`` in this process, if all it needs is here."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from mlwright.adapters.runtimes.folder import MLMODEL, failed, lacking, name_of, read_package
from mlwright.adapters.runtimes.schemas import COLUMNS
from mlwright.errors import MissingExtra, ModelError, SignatureMismatch, UsageError
from mlwright.model.batches import DTYPES, Array, Batch
from mlwright.model.registry import Field, Signature
from mlwright.ports.runtimes import LoadedModel

_MLFLOW: Final = ("mlflow", "mlflow-skinny")
_NOTHING: Final = Signature(inputs=(), outputs=())


class PyfuncRuntime:
    """Loads what no other runtime knows: statsmodels, Prophet, a ``PythonModel`` of somebody's own.

    :meth:`load` imports mlflow and pandas, which takes two to four seconds and 150 MB. A folder of this flavor may
    hold pickles and code: both are run, as by MLflow.
    """

    @property
    def flavor(self) -> str:
        """``python_function``."""
        return "python_function"

    def accepts(self, model: object) -> bool:
        """Nothing: MLflow saves its own flavors."""
        return False

    def save(
        self,
        model: object,
        folder: Path,
        *,
        signature: Signature,
        example: Mapping[str, Sequence[object]],
        categories: Mapping[str, Sequence[str]],
    ) -> None:
        """It saves nothing.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"a {type(model).__name__} is not saved by mlwright",
            why="save it with mlflow.pyfunc.save_model, and register the folder",
            next_command="mlwright models register FOLDER --name NAME",
        )

    def lacks(self, folder: Path) -> tuple[str, ...]:
        """mlflow where it is not here, and every requirement that is not; a pickled model's own in their versions."""
        package = read_package(folder)
        conf = package.flavor(self.flavor)
        others = [each for each in package.requirements if name_of(each) not in _MLFLOW]
        exact = {name_of(each) for each in others} if _is_pickled(conf) else ()
        needed = () if find_spec("mlflow") is not None else ("mlflow-skinny",)
        pandas = () if find_spec("pandas") is not None else ("pandas",)
        return (*needed, *pandas, *lacking(others, exact=exact))

    def load(self, folder: Path) -> LoadedModel:
        """Load a folder; see ``ModelRuntime.load``.

        Raises:
            MissingExtra: mlflow is not installed.
        """
        package = read_package(folder)
        package.flavor(self.flavor)
        try:
            from mlflow import pyfunc  # costs 2 to 4 s, see above
        except ModuleNotFoundError as error:
            raise MissingExtra.needed(f"a model of {', '.join(sorted(package.flavors))}", "mlflow") from error
        try:
            model = pyfunc.load_model(str(folder))
        except Exception as error:  # its own errors, and whatever the model's library raises
            raise failed("mlflow cannot load the model", folder / MLMODEL, error) from error
        return LoadedPyfunc(model, package.signature or _NOTHING)


class LoadedPyfunc:
    """A model of MLflow in memory. It is called as its users call it: with a data frame, or with arrays."""

    def __init__(self, model: Any, signature: Signature) -> None:
        self.signature: Final = signature
        self._model = model
        self._tensors = any(each.shape or each.type not in COLUMNS for each in signature.inputs)
        # MLflow gives one tensor without a name as it is, and several by name
        self._alone = self._tensors and _unnamed(model)

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        """Answer rows; see ``LoadedModel.infer``. Parameters of MLflow's signatures keep their defaults.

        Raises:
            SignatureMismatch: MLflow or the model refuses the values.
            ModelError: the model raised, or answers in a form that has no rows.
        """
        given = self._arrays(batch) if self._tensors else _frame(batch, self.signature.inputs)
        try:
            found = self._model.predict(given)
        except Exception as error:
            kind = SignatureMismatch if _is_refusal(error) else ModelError
            said = "refuses the values" if kind is SignatureMismatch else f"raised {type(error).__name__}"
            raise kind(f"the model {said}", why=str(error)) from error
        return _named_arrays(found, batch.rows, self.signature.outputs)

    def close(self) -> None:
        """Let go of the model."""
        del self._model

    def _arrays(self, batch: Batch) -> object:
        arrays = {
            each.name: batch.column(each.name) for each in self.signature.inputs if batch.has(each.name)
        }
        return next(iter(arrays.values())) if self._alone and len(arrays) == 1 else arrays


def _frame(batch: Batch, inputs: Sequence[Field]) -> Any:
    import pandas  # imported with mlflow already

    if not inputs:
        names = batch.names if batch.matrix is not None else tuple(batch.columns)
        return pandas.DataFrame({name: batch.column(name) for name in names})
    columns = {}
    for each in inputs:
        if batch.has(each.name):
            columns[each.name] = _typed(batch.column(each.name), each)
    return pandas.DataFrame(columns)


def _typed(column: Array, each: Field) -> Array:
    """The column in the type that MLflow asks for, where no missing value is in the way."""
    wanted = DTYPES[each.type]
    if each.type == "datetime":
        return column.astype("datetime64[ns]")
    if column.dtype.kind == "f" and wanted[:1] in "iub" and not np.isnan(column).any():
        return column.astype(wanted)
    return column.astype(wanted) if column.dtype.kind == "f" and wanted.startswith("float") else column


def _named_arrays(found: Any, rows: int, outputs: Sequence[Field]) -> Mapping[str, Array]:
    columns = _columns_of(found, rows)
    if outputs:
        if set(columns) >= {each.name for each in outputs}:
            columns = {each.name: columns[each.name] for each in outputs}
        elif len(columns) == len(outputs):
            columns = dict(zip((each.name for each in outputs), columns.values(), strict=True))
        elif len(outputs) == 1 and outputs[0].shape and len(outputs[0].shape) == 1:
            columns = {outputs[0].name: np.column_stack(list(columns.values()))}
        else:
            named = ", ".join(each.name for each in outputs)
            raise ModelError(f"the model answers with {', '.join(columns)}, but its signature names {named}")
    arrays = {name: np.asarray(each) for name, each in columns.items()}
    for each in outputs:
        array = arrays[each.name]
        if not each.shape and array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if each.type in DTYPES and DTYPES[each.type] != "object" and array.dtype.kind in "fiub":
            array = array.astype(DTYPES[each.type], copy=False)
        arrays[each.name] = array
    wrong = [name for name, array in arrays.items() if not array.ndim or len(array) != rows]
    if wrong:
        shape = list(arrays[wrong[0]].shape)
        raise ModelError(f"the model's output {wrong[0]!r} has the shape {shape} for {rows} rows")
    return {name: _plain(array) for name, array in arrays.items()}


def _columns_of(found: Any, rows: int) -> dict[str, Any]:
    if hasattr(found, "columns") and hasattr(found, "to_numpy"):
        if list(found.columns) == list(range(len(found.columns))):  # a frame without names is a matrix
            return {"output": found.to_numpy()}
        return {str(name): found[name].to_numpy() for name in found.columns}
    if hasattr(found, "to_numpy"):  # a series
        return {"output": found.to_numpy()}
    if isinstance(found, Mapping):
        return {str(name): _listed(each, rows) for name, each in found.items()}
    if isinstance(found, list) and found and all(isinstance(each, Mapping) for each in found):
        names = dict.fromkeys(name for each in found for name in each)
        return {str(name): [each.get(name) for each in found] for name in names}
    return {"output": found.toarray() if hasattr(found, "toarray") else _listed(found, rows)}


def _listed(found: Any, rows: int) -> Any:
    """A single value for one row is a column of one."""
    single = isinstance(found, str | bytes) or not hasattr(found, "__len__")
    return [found] if single and rows == 1 else found


def _plain(array: Array) -> Array:
    return array.astype(object) if array.dtype.kind in "US" else array


def _is_pickled(conf: Mapping[str, object]) -> bool:
    return any(key in conf for key in ("python_model", "cloudpickle_version", "pickle_module_name"))


def _unnamed(model: Any) -> bool:
    schema = getattr(model.metadata, "get_input_schema", lambda: None)()
    return schema is not None and schema.is_tensor_spec() and not schema.has_input_names()


def _is_refusal(error: Exception) -> bool:
    """MLflow refuses a data frame with an error of its own, which says INVALID_PARAMETER_VALUE."""
    return isinstance(error, ValueError) or getattr(error, "error_code", None) in (
        "INVALID_PARAMETER_VALUE",
        "BAD_REQUEST",
    )
