"""The exam of :class:`mlwright.ports.runtimes.ModelRuntime`.

::

    class TestMyRuntime(ModelRuntimeConformance):
        @pytest.fixture
        def runtime(self) -> ModelRuntime: ...

        @pytest.fixture
        def fitted(self) -> Fitted: ...      # (model, signature, example, categories)

The fitted model should have inputs of every type that the runtime supports, among them a ``string`` one with
``categories``; its example should have three rows or more.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import yaml

from mlwright.errors import ModelLoadFailed, SignatureMismatch
from mlwright.model.batches import NUMBERS, Array, Batch, batch_of
from mlwright.model.registry import Signature
from mlwright.ports.runtimes import LoadedModel, ModelRuntime, scores_of
from mlwright.testing.conformance.gaps import Conformance

Columns: TypeAlias = Mapping[str, Sequence[object]]
Fitted: TypeAlias = tuple[object, Signature, Columns, Mapping[str, Sequence[str]]]

_WRONG: dict[str, object] = {"string": 7, "long": 1.5, "double": "many", "boolean": "perhaps"}


class ModelRuntimeConformance(Conformance):
    """What every runtime promises. Subclasses supply the fixtures ``runtime`` and ``fitted``."""

    @pytest.fixture
    def folder(self, runtime: ModelRuntime, fitted: Fitted, tmp_path: Path) -> Path:
        """A saved model."""
        model, signature, example, categories = fitted
        folder = tmp_path / "saved"
        folder.mkdir()
        runtime.save(model, folder, signature=signature, example=example, categories=categories)
        return folder

    @pytest.fixture
    def loaded(self, runtime: ModelRuntime, folder: Path) -> LoadedModel:
        """The saved model, loaded."""
        return runtime.load(folder)

    @pytest.fixture
    def example(self, fitted: Fitted) -> Columns:
        """The example rows."""
        return fitted[2]

    def test_accepts_its_own_models_only(self, runtime: ModelRuntime, fitted: Fitted) -> None:
        """``accepts`` answers for any object and does not raise."""
        assert runtime.accepts(fitted[0])
        for stranger in (None, 3, "model", {}, object(), int):
            assert not runtime.accepts(stranger)

    def test_folder_is_an_mlflow_model(self, runtime: ModelRuntime, folder: Path, fitted: Fitted) -> None:
        """Other tools read the flavor, the signature, the requirements and the example from it."""
        described = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
        assert runtime.flavor in described["flavors"]
        inputs = yaml.safe_load(described["signature"]["inputs"])
        assert [(each["name"], each["type"]) for each in inputs] == [
            (each.name, each.type) for each in fitted[1].inputs
        ]
        assert (folder / "requirements.txt").is_file()
        assert (folder / described["saved_input_example_info"]["artifact_path"]).is_file()

    def test_signature_survives(self, loaded: LoadedModel, fitted: Fitted) -> None:
        """The loaded model has the signature that was saved."""
        assert loaded.signature == fitted[1]

    def test_own_folder_lacks_nothing(self, runtime: ModelRuntime, folder: Path) -> None:
        """What was saved here loads here."""
        assert runtime.lacks(folder) == ()

    def test_outputs_in_order(self, loaded: LoadedModel, example: Columns) -> None:
        """``infer`` gives an array an output, in the order of the signature, with a row for each of the batch."""
        batch = batch_of(loaded.signature.inputs, example)
        for rows in (slice(None), slice(1), slice(0)):
            taken = batch.taken(rows)
            outputs = loaded.infer(taken)
            assert list(outputs) == [each.name for each in loaded.signature.outputs]
            for each in loaded.signature.outputs:
                assert isinstance(outputs[each.name], np.ndarray)
                assert len(outputs[each.name]) == taken.rows
                assert outputs[each.name].ndim == 1 + len(each.shape)

    def test_matrix_is_columns(self, loaded: LoadedModel, example: Columns) -> None:
        """A batch of numbers may come as one matrix: the answers are those to the columns, in either memory order."""
        inputs = loaded.signature.inputs
        if any(each.type not in NUMBERS or each.shape for each in inputs):
            return  # then batches come as columns only
        columns = batch_of(inputs, example)
        names = loaded.signature.input_names
        expected = loaded.infer(columns)
        for matrix in (columns.stacked(names), np.asfortranarray(columns.stacked(names))):
            given = loaded.infer(Batch(columns.rows, matrix=matrix, names=names))
            for name, array in expected.items():
                np.testing.assert_array_equal(given[name], array)

    def test_arrays_are_left_alone(self, loaded: LoadedModel, example: Columns) -> None:
        """The arrays of a batch are logged after it was answered, and may not be writable at all."""
        batch = batch_of(loaded.signature.inputs, example)
        before = {name: array.copy() for name, array in batch.columns.items()}
        for array in batch.columns.values():
            array.flags.writeable = False
        loaded.infer(batch)
        for name, array in before.items():
            assert _same(batch.column(name), array)

    def test_answers_are_kept(self, loaded: LoadedModel, example: Columns) -> None:
        """An answer does not change when the next one is computed: no buffer of the library shows through."""
        batch = batch_of(loaded.signature.inputs, example)
        first = loaded.infer(batch)
        kept = {name: array.copy() for name, array in first.items()}
        loaded.infer(batch.taken(slice(1, None)))
        for name, array in kept.items():
            assert _same(first[name], array)

    def test_one_finite_float_a_row(self, loaded: LoadedModel, example: Columns) -> None:
        """Scores are plain floats: they go to JSON as they are."""
        scores = scores_of(loaded, example)
        assert isinstance(scores, list)
        assert len(scores) == _rows(example)
        assert all(type(score) is float and math.isfinite(score) for score in scores)

    def test_no_rows(self, loaded: LoadedModel, example: Columns) -> None:
        """No rows give no scores, not an error."""
        assert scores_of(loaded, {name: [] for name in example}) == []

    def test_rows_do_not_touch_each_other(self, loaded: LoadedModel, example: Columns) -> None:
        """A row's score does not depend on the batch it came in: micro-batching changes nothing."""
        together = scores_of(loaded, example)
        for row, score in enumerate(together):
            alone = scores_of(loaded, {name: [values[row]] for name, values in example.items()})
            assert alone == pytest.approx([score], abs=1e-12)

    def test_columns_go_by_name(self, loaded: LoadedModel, example: Columns) -> None:
        """The order of the mapping means nothing."""
        backwards = {name: example[name] for name in reversed(list(example))}
        assert scores_of(loaded, backwards) == scores_of(loaded, example)

    def test_folder_can_move(
        self, runtime: ModelRuntime, folder: Path, loaded: LoadedModel, example: Columns, tmp_path: Path
    ) -> None:
        """The folder holds no absolute path, and the loaded model does not need the folder any more."""
        moved = tmp_path / "elsewhere" / "moved"
        shutil.move(folder, moved)
        assert scores_of(runtime.load(moved), example) == scores_of(loaded, example)

    def test_input_is_left_alone(self, loaded: LoadedModel, example: Columns) -> None:
        """The caller logs the columns after predicting."""
        columns = {name: list(values) for name, values in example.items()}
        scores_of(loaded, columns)
        assert columns == {name: list(values) for name, values in example.items()}

    def test_nan_is_none(self, loaded: LoadedModel, example: Columns) -> None:
        """A missing number is NaN on some wires and null on others: the answers are the same."""
        for each in loaded.signature.inputs:
            if each.type in ("double", "float") and not each.shape:
                first: dict[str, list[object]] = {name: [values[0]] for name, values in example.items()}
                asnan = scores_of(loaded, {**first, each.name: [math.nan]})
                assert asnan == scores_of(loaded, {**first, each.name: [None]})

    def test_null_is_a_missing_value(self, loaded: LoadedModel, example: Columns) -> None:
        """None in any column, and in all of them at once, still gives a number."""
        first: dict[str, list[object]] = {name: [values[0]] for name, values in example.items()}
        blank: dict[str, list[object]] = {name: [None] for name in first}
        for columns in [blank, *({**first, name: blank[name]} for name in first)]:
            [score] = scores_of(loaded, columns)
            assert math.isfinite(score)

    def test_whole_numbers_are_doubles(self, loaded: LoadedModel, example: Columns) -> None:
        """JSON writes 5.0 as 5."""
        columns: dict[str, list[object]] = {name: [values[0]] for name, values in example.items()}
        doubles = [each.name for each in loaded.signature.inputs if each.type == "double"]
        whole: dict[str, list[object]] = {name: [5] for name in doubles}
        pointed: dict[str, list[object]] = {name: [5.0] for name in doubles}
        assert scores_of(loaded, {**columns, **whole}) == scores_of(loaded, {**columns, **pointed})

    def test_unlisted_level_is_a_missing_value(
        self, loaded: LoadedModel, example: Columns, fitted: Fitted
    ) -> None:
        """A level that training never saw is to the model what None is."""
        first: dict[str, list[object]] = {name: [values[0]] for name, values in example.items()}
        for name in fitted[3]:
            unseen = scores_of(loaded, {**first, name: ["\N{SNOWMAN} never seen"]})
            assert unseen == scores_of(loaded, {**first, name: [None]})

    def test_missing_column(self, loaded: LoadedModel, example: Columns) -> None:
        """The error names the column."""
        for each in loaded.signature.inputs:
            if each.required:
                rest = {name: values for name, values in example.items() if name != each.name}
                with pytest.raises(SignatureMismatch, match=each.name):
                    scores_of(loaded, rest)

    def test_wrong_type(self, loaded: LoadedModel, example: Columns) -> None:
        """A value of another type than declared is refused in any row; the error names the column."""
        for each in loaded.signature.inputs:
            wrong = [*list(example[each.name])[:-1], _WRONG[each.type]]
            with pytest.raises(SignatureMismatch, match=each.name):
                scores_of(loaded, {**example, each.name: wrong})

    def test_uneven_columns(self, loaded: LoadedModel, example: Columns) -> None:
        """Columns of different lengths are refused: which row is which cannot be known."""
        name = loaded.signature.input_names[0]
        with pytest.raises(SignatureMismatch):
            scores_of(loaded, {**example, name: list(example[name])[:-1]})

    def test_threads(self, loaded: LoadedModel, example: Columns) -> None:
        """Several threads at once get what one thread gets."""
        expected = scores_of(loaded, example)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: scores_of(loaded, example), range(16)))
        assert answers == [expected] * 16

    def test_close(self, runtime: ModelRuntime, folder: Path, example: Columns) -> None:
        """What one loaded model gives back, another one still has."""
        one, other = runtime.load(folder), runtime.load(folder)
        expected = scores_of(one, example)
        one.close()
        assert scores_of(other, example) == expected
        other.close()

    def test_empty_folder(self, runtime: ModelRuntime, tmp_path: Path) -> None:
        """The error names the file that is missing."""
        empty = tmp_path / "empty"
        empty.mkdir()
        with pytest.raises(ModelLoadFailed, match="MLmodel"):
            runtime.load(empty)

    def test_other_flavor(self, runtime: ModelRuntime, folder: Path) -> None:
        """A folder of another flavor is refused."""
        path = folder / "MLmodel"
        described = yaml.safe_load(path.read_text(encoding="utf-8"))
        described["flavors"] = {"some_other_flavor": {"data": "model.bin"}}
        path.write_text(yaml.safe_dump(described), encoding="utf-8")
        with pytest.raises(ModelLoadFailed):
            runtime.load(folder)

    def test_garbled_description(self, runtime: ModelRuntime, folder: Path) -> None:
        """An MLmodel that is not YAML is refused by name."""
        (folder / "MLmodel").write_text("flavors: [unclosed", encoding="utf-8")
        with pytest.raises(ModelLoadFailed, match="MLmodel"):
            runtime.load(folder)

    def test_incomplete_folder(self, runtime: ModelRuntime, folder: Path) -> None:
        """MLmodel alone is not a model."""
        for path in _others(folder):
            path.unlink()
        with pytest.raises(ModelLoadFailed):
            runtime.load(folder)

    def test_torn_files(self, runtime: ModelRuntime, folder: Path) -> None:
        """Files that were cut short are refused."""
        for path in _others(folder):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ModelLoadFailed):
            runtime.load(folder)

    def test_one_torn_file(
        self, runtime: ModelRuntime, folder: Path, loaded: LoadedModel, example: Columns
    ) -> None:
        """One file that was cut short is refused, or nothing of the model is in it."""
        expected = scores_of(loaded, example)
        refused = 0
        for path in _others(folder):
            whole = path.read_bytes()
            for share in (0.0, 0.6):
                path.write_bytes(whole[: int(len(whole) * share)])
                try:
                    answers = scores_of(runtime.load(folder), example)
                except ModelLoadFailed:
                    refused += 1
                else:
                    assert answers == expected, (
                        f"{path.name}, cut at {share}, loads and answers something else"
                    )
            path.write_bytes(whole)
        assert refused >= 2


def _same(left: Array, right: Array) -> bool:
    return left.dtype == right.dtype and repr(left.tolist()) == repr(right.tolist())  # NaN is the same as NaN


def _rows(columns: Columns) -> int:
    return len(next(iter(columns.values())))


def _others(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "MLmodel"]
