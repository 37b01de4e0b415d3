"""Estimators in folders that MLflow wrote: pickled, or stored with skops, of any number of outputs.

``predict_fn`` of the flavor ``python_function`` says which method answers. An estimator whose columns are all numbers
is handed a matrix; one that chooses columns by name, or holds code of others, gets a data frame, as MLflow would give
it (of pandas, where pandas is installed, otherwise of polars).
"""

import pickle
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import skops.io

from mlwright.adapters.runtimes.columns import MatrixEncoder, fits_matrix, is_matrix
from mlwright.adapters.runtimes.folder import MLMODEL, Package, failed, read_example
from mlwright.adapters.runtimes.outputs import empty, fields_like, named
from mlwright.adapters.runtimes.parts import estimators_in, few_threads, wants_openmp
from mlwright.adapters.runtimes.trust import check_trees, types_to_trust
from mlwright.errors import MlwrightError, SignatureMismatch
from mlwright.model.batches import DTYPES, NUMBERS, Array, Batch, Columns, batch_of
from mlwright.model.registry import Field, Signature

_METHODS: Final = frozenset(
    {
        "predict",
        "predict_proba",
        "predict_log_proba",
        "predict_joint_log_proba",
        "score_samples",
        "decision_function",
        "transform",
    }
)
_CHOOSERS: Final = frozenset({"ColumnTransformer", "FunctionTransformer"})


class LoadedPickled:
    """An estimator that MLflow stored, in memory."""

    def __init__(
        self, method: Any, signature: Signature, *, order: Sequence[str] | None, framed: bool, openmp: bool
    ) -> None:
        self.signature: Final = signature
        self.order: Final = order
        """The inputs in the order in which the estimator was fitted, where that is known."""
        self.method: Final = method
        """The estimator's bound method that answers."""
        self._encoder = None if framed else MatrixEncoder(signature, {}, names=order)
        self._openmp = openmp

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        """Answer rows; see ``LoadedModel.infer``.

        Raises:
            SignatureMismatch: the estimator refuses a value (such as a missing one).
        """
        outputs = self.signature.outputs
        if not batch.rows:
            return {each.name: empty(each) for each in outputs}
        return named(outputs, self.answer(batch))

    def answer(self, batch: Batch) -> object:
        """What the estimator's own method gives."""
        rows = self._encoder.encode(batch) if self._encoder else frame_of(self.signature, batch)
        try:
            if not self._openmp:
                return self.method(rows)
            with few_threads(batch.rows):
                return self.method(rows)
        except (ValueError, TypeError) as error:
            raise SignatureMismatch("the estimator refuses the values", why=str(error)) from error

    def close(self) -> None:
        """It holds nothing but memory."""


def load(package: Package) -> LoadedPickled:
    """Load a folder that MLflow wrote; see ``ModelRuntime.load``.

    Raises:
        ModelLoadFailed: a file is missing or damaged, or there is neither a signature nor anything else that says what
            the model takes.
        ModelUntrusted: a skops file asks for types that neither MLmodel nor our list names.
    """
    flavor = package.flavor("sklearn")
    path = package.file(flavor.get("pickled_model"), "model.pkl")
    estimator = _stored(flavor, path)
    chosen = str(package.flavors.get("python_function", {}).get("predict_fn") or "predict")
    if chosen not in _METHODS or not callable(getattr(estimator, chosen, None)):
        raise failed(f"{type(estimator).__name__} has no method {chosen!r} to answer with", path)
    parts = list(estimators_in(estimator))
    names = _names(estimator)
    signature = package.signature or Signature(inputs=_inputs(package, estimator, names, path), outputs=())
    framed = not fits_matrix(signature, {}) or any(_chooses(each) for each in parts)
    if framed and is_matrix(signature):
        framed = False  # it was fitted on a matrix, whatever it is made of
    if not framed:
        _quieten(parts)
    order = names if names and sorted(names) == sorted(signature.input_names) else None
    openmp = wants_openmp(parts)
    method = getattr(estimator, chosen)
    loaded = LoadedPickled(method, signature, order=order, framed=framed, openmp=openmp)
    if signature.outputs:
        return loaded
    outputs = _outputs(package, loaded, path)
    whole = Signature(inputs=signature.inputs, outputs=outputs)
    return LoadedPickled(method, whole, order=order, framed=framed, openmp=openmp)


def frame_of(signature: Signature, batch: Batch) -> object:
    """The rows as a data frame with the columns of the signature; of pandas, where that is installed."""
    columns = {each.name: batch.column(each.name) for each in signature.inputs if batch.has(each.name)}
    if find_spec("pandas") is not None:
        import pandas  # costs 0.4 s; models that want it bring it

        return pandas.DataFrame(columns)
    import polars  # costs 0.1 s

    return polars.DataFrame(
        {
            name: polars.Series(column.tolist(), dtype=polars.String) if column.dtype == object else column
            for name, column in columns.items()
        }
    )


def _stored(flavor: Mapping[str, object], path: Path) -> Any:
    try:
        if flavor.get("serialization_format") == "skops" or path.suffix == ".skops":
            data = path.read_bytes()
            listed = flavor.get("skops_trusted_types")
            trusted = types_to_trust(data, where=str(path), more=listed if isinstance(listed, list) else ())
            held = skops.io.loads(data, trusted=trusted)
            check_trees(held, where=str(path))
            return held
        with path.open("rb") as file:
            return pickle.load(file)  # of a registered version: see SklearnRuntime.load
    except MlwrightError:
        raise
    except Exception as error:  # a damaged file makes pickle, skops and zipfile raise all sorts of errors
        raise failed(f"{path.name} cannot be loaded", path, error) from error


def _names(estimator: Any) -> tuple[str, ...]:
    try:
        return tuple(map(str, getattr(estimator, "feature_names_in_", ())))
    except (AttributeError, TypeError):  # a pipeline asks its first step, which may have none
        return ()


def _inputs(package: Package, estimator: Any, names: tuple[str, ...], path: Path) -> tuple[Field, ...]:
    """What a model without a signature takes: as its example shows, or numbers by the names it was fitted with."""
    example = read_example(package)
    if example is not None and not (len(example) == 1 and "input" in example):
        return tuple(Field(name=name, type=_type(list(column))) for name, column in example.items())
    columns = any(_chooses(each) for each in estimators_in(estimator))
    if names and not columns:
        return tuple(Field(name=name, type="double") for name in names)
    count = getattr(estimator, "n_features_in_", None)
    if count is None or columns:
        what = "the model has no signature, and nothing else says what its inputs are"
        hint = "log it with signature=infer_signature(inputs, predictions) or input_example=…"
        raise failed(what, package.folder / MLMODEL, ValueError(hint))
    return (Field(name="input", type="double", shape=(int(count),)),)


def _type(column: list[object]) -> str:
    kinds = {type(each) for each in column if each is not None}
    if kinds <= {bool} and kinds:
        return "boolean"
    return "double" if kinds <= {int, float} else "string"


def _outputs(package: Package, loaded: LoadedPickled, path: Path) -> tuple[Field, ...]:
    """What a model without a signature gives: as it answers to its example, or to a row of zeros."""
    inputs = loaded.signature.inputs
    example = read_example(package)
    columns: Columns = example if example is not None else {each.name: _zero(each) for each in inputs}
    try:
        return fields_like(loaded.answer(batch_of(inputs, columns)))
    except (MlwrightError, ValueError) as error:
        raise failed(
            "the model has no signature, and does not answer to a row of zeros", path, error
        ) from error


def _zero(each: Field) -> Array:
    if each.type in NUMBERS:
        return np.zeros((1, *(max(size, 1) for size in each.shape)), dtype=DTYPES[each.type])
    return np.array([""], dtype=object)


def _chooses(part: Any) -> bool:
    """Whether an estimator may look at column names: it chooses by them, or is not of scikit-learn."""
    own = type(part).__module__.split(".")[0] in ("sklearn", "xgboost", "lightgbm")
    return not own or type(part).__name__ in _CHOOSERS


def _quieten(parts: Sequence[Any]) -> None:
    """Forget column names, which a matrix has not, and thread pools, which cost more than they save on a few rows."""
    for part in parts:
        vars(part).pop("feature_names_in_", None)
        if isinstance(vars(part).get("n_jobs"), int):
            part.n_jobs = 1
