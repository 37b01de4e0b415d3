"""What the runtimes of XGBoost and LightGBM have in common: a matrix in, one array out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from mlwright.adapters.runtimes.columns import MatrixEncoder, fits_matrix, width_of
from mlwright.adapters.runtimes.folder import MLMODEL, Package, failed, ours, write_package
from mlwright.adapters.runtimes.outputs import empty, fields_like, shaped
from mlwright.errors import SignatureMismatch, UsageError
from mlwright.model.batches import DTYPES, Array, Batch, batch_of
from mlwright.model.registry import Field, Signature

Predict = Callable[[Array], Array]
"""A matrix of float64, shape (rows, inputs), to one answer a row. Raises ValueError for a matrix that it refuses."""


class LoadedBooster:
    """A booster in memory. It answers on one thread: the server has a process for each core."""

    def __init__(
        self,
        predict: Predict,
        signature: Signature,
        categories: Mapping[str, Sequence[str]],
        names: Sequence[str] = (),
    ) -> None:
        self.signature: Final = signature
        order = names if sorted(names) == sorted(signature.input_names) else None
        self._encoder = MatrixEncoder(signature, categories, names=order)
        self._predict = predict
        self._output = signature.outputs[0]
        self._dtype = np.dtype(DTYPES[self._output.type])
        self._dims = 1 + len(self._output.shape)

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        """Answer rows; see ``LoadedModel.infer``.

        Raises:
            SignatureMismatch: the booster refuses the matrix.
        """
        output = self._output
        if not batch.rows:
            return {output.name: empty(output)}
        try:
            answer = self._predict(self._encoder.encode(batch))
        except ValueError as error:  # the error of either library is one
            raise SignatureMismatch("the booster refuses the values", why=str(error)) from error
        if answer.ndim == self._dims and answer.dtype.kind == self._dtype.kind:
            return {output.name: answer.astype(self._dtype, copy=False)}
        return {output.name: shaped(output, answer)}

    def close(self) -> None:
        """It holds nothing but memory."""


def loaded(package: Package, predict: Predict, width: int, names: Sequence[str]) -> LoadedBooster:
    """A booster with the signature of its folder or, where there is none, with what the booster itself says.

    Args:
        package: the folder.
        predict: the booster.
        width: how many inputs it takes.
        names: those with which it was fitted, if any.

    Raises:
        ModelLoadFailed: the signature has another number of inputs, or a text whose levels are not known.
    """
    where = package.folder / MLMODEL
    fields = tuple(Field(name=name, type="double") for name in names)
    whole = (Field(name="input", type="double", shape=(width,)),)
    signature = package.signature or Signature(inputs=fields or whole, outputs=())
    if width_of(signature) not in (-1, width):
        raise failed(f"the booster takes {width} inputs, the signature names {width_of(signature)}", where)
    if not fits_matrix(signature, package.categories):
        wrong = [each.name for each in signature.inputs if each.name not in package.categories]
        raise failed(f"a booster takes numbers, but not all of its inputs are: {', '.join(wrong)}", where)
    if len(signature.outputs) != 1:
        found = fields_like(predict(np.zeros((1, width))))
        signature = Signature(inputs=signature.inputs, outputs=found)
    return LoadedBooster(predict, signature, package.categories, names)


def save_booster(
    folder: Path,
    *,
    flavor: str,
    conf: Mapping[str, object],
    requirements: Sequence[str],
    model: LoadedBooster,
    example: Mapping[str, Sequence[object]],
    categories: Mapping[str, Sequence[str]],
    store: Callable[[], object],
) -> None:
    """Write a folder once the booster has answered to the example.

    Args:
        folder: where to.
        flavor: MLflow's name for the library.
        conf: the keys of that flavor.
        requirements: names of the packages to pin.
        model: the booster, with its signature.
        example: a few rows.
        categories: the levels of the text inputs alone.
        store: writes the booster itself.

    Raises:
        UsageError: it gives something else than the signature says.
        SignatureMismatch: the example does not fit the signature.
    """
    signature = model.signature
    answers = model.infer(batch_of(signature.inputs, example))
    check_answers(signature, answers)
    store()
    write_package(
        folder,
        flavor=flavor,
        conf=conf,
        function={"loader_module": f"mlflow.{flavor}", "data": conf["data"]},
        signature=signature,
        example=example,
        answers=answers,
        requirements=requirements,
        own=ours(signature, categories),
    )


def check_answers(signature: Signature, answers: Mapping[str, Array]) -> None:
    """Raise :class:`UsageError` where answers have another shape than the outputs of the signature."""
    for each in signature.outputs:
        given = answers[each.name].shape[1:]
        if len(given) != len(each.shape) or any(
            want not in (-1, got) for want, got in zip(each.shape, given, strict=True)
        ):
            raise UsageError(
                f"the model gives {list(given)} numbers a row for {each.name!r}, its signature says {list(each.shape)}",
                where=each.name,
                why="a model of several classes has a vector a row: declare the output with its shape",
            )
