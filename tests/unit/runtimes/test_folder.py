import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlwright.adapters.runtimes.folder import lacking, ours, plain, read_example, read_package, write_package
from mlwright.adapters.runtimes.schemas import fields_of, schema_of
from mlwright.errors import ModelLoadFailed
from mlwright.model.batches import DTYPES
from mlwright.model.registry import Field, Signature

A = Field(name="a", type="double")
SCORE = Field(name="score", type="double")


def write(folder: Path, **more: object) -> Path:
    described = {"flavors": {"python_function": {"python_version": "3.11.7"}, "sklearn": {}}, **more}
    (folder / "MLmodel").write_text(yaml.safe_dump(described))
    return folder


def tensor(*shape: int, dtype: str = "float64") -> str:
    return json.dumps([{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, *shape]}}])


def test_what_mlflow_writes(tmp_path) -> None:
    columns = [{"type": "double", "name": "a"}, {"type": "string", "name": "k", "required": False}]
    example = {"artifact_path": "input_example.json", "type": "dataframe", "pandas_orient": "split"}
    write(
        tmp_path,
        signature={"inputs": json.dumps(columns), "outputs": tensor(dtype="int64"), "params": None},
        saved_input_example_info=example,
        mlflow_version="3.17.2",
    )
    (tmp_path / "requirements.txt").write_text("# made\nmlflow==3.17.2\n\nnumpy==2.4.6  # why\n")
    (tmp_path / "python_env.yaml").write_text("python: 3.12.1\n")
    (tmp_path / "input_example.json").write_text('{"columns": ["a", "k"], "data": [[1.5, "x"], [2, null]]}')
    package = read_package(tmp_path)
    assert package.signature == Signature(
        inputs=(A, Field(name="k", type="string", required=False)),
        outputs=(Field(name="output", type="long"),),
    )
    assert package.requirements == ("mlflow==3.17.2", "numpy==2.4.6")
    assert (package.python, package.mlflow_version) == ("3.12.1", "3.17.2")
    assert read_example(package) == {"a": [1.5, 2], "k": ["x", None]}


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([[1, 2], [3, 4]], {"input": [[1, 2], [3, 4]]}),
        ({"inputs": [[1, 2]]}, {"input": [[1, 2]]}),
        ({"data": [[[1, 2]], [[3, 4]]]}, {"input": [[1, 2], [3, 4]]}),
        ({"inputs": {"input": [[1, 2]]}}, {"input": [[1, 2]]}),
        ("a text", None),
    ],
)
def test_examples_without_columns(tmp_path, held, expected) -> None:
    signature = {"inputs": tensor(2), "outputs": None}
    info = {"artifact_path": "e.json", "type": "ndarray"}
    (tmp_path / "e.json").write_text(json.dumps(held))
    assert (
        read_example(read_package(write(tmp_path, signature=signature, saved_input_example_info=info)))
        == expected
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "MLmodel cannot be read"),
        ({"MLmodel": "- a"}, "does not hold a mapping"),
        ({"MLmodel": "run_id: 3"}, "no flavors"),
        ({"MLmodel": "flavors: {a: {}}\nsignature: {inputs: '['}"}, "signature in MLmodel"),
        (
            {"MLmodel": 'flavors: {a: {}}\nsignature: {inputs: \'[{"type": "map", "name": "m"}]\'}'},
            "signature",
        ),
        ({"MLmodel": "flavors: {a: {}}", "mlwright.json": "{"}, "mlwright.json cannot be read"),
        ({"MLmodel": "flavors: {a: {}}", "python_env.yaml": "[unclosed"}, "python_env.yaml"),
        ({"MLmodel": "flavors: {a: !!python/object/apply:os.system [true]}"}, "MLmodel cannot be read"),
    ],
)
def test_what_does_not_load(tmp_path, files, message) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelLoadFailed, match=message):
        read_package(tmp_path)


def test_files_outside_the_folder(tmp_path) -> None:
    package = read_package(write(tmp_path))
    for name in ("../secret", "/etc/passwd", 7, ""):
        with pytest.raises(ModelLoadFailed):
            package.file(name)
    with pytest.raises(ModelLoadFailed, match="no flavor 'onnx' \\(it has python_function, sklearn\\)"):
        package.flavor("onnx")


def test_lacking() -> None:
    numpy = ".".join(np.__version__.split(".")[:2])
    assert lacking([f"numpy=={np.__version__}", "--index-url nowhere", "numpy>=1"]) == ()
    assert lacking(["numpy==0.1"]) == ()
    assert lacking(["numpy==0.1", "no-such-thing==3"], exact=["NumPy"]) == ("numpy==0.1", "no-such-thing==3")
    assert lacking([f"numpy=={numpy}.999"], exact=["numpy"]) == ()
    assert lacking(["no-such-thing; python_version < '3'"]) == ()


def test_written_and_read(tmp_path) -> None:
    signature = Signature(inputs=(A, Field(name="k", type="string")), outputs=(SCORE,))
    write_package(
        tmp_path,
        flavor="mine",
        conf={"data": "model.bin"},
        function={"loader_module": "mine", "data": "model.bin"},
        signature=signature,
        example={"a": [1.0, float("nan")], "k": ["x", None]},
        answers={"score": np.array([0.5, np.inf])},
        requirements=("numpy", "no-such-thing"),
        own=ours(signature, {"k": ["x", "y"]}, classifier=True),
    )
    package = read_package(tmp_path)
    assert package.signature == signature
    assert package.categories == {"k": ("x", "y")}
    assert package.requirements == (f"numpy=={np.__version__}", "no-such-thing")
    assert package.flavor("mine") == {"code": None, "data": "model.bin"}
    assert read_example(package) == {"a": [1.0, None], "k": ["x", None]}
    assert json.loads((tmp_path / "output_example.json").read_text()) == {"predictions": [0.5, None]}


def test_plain() -> None:
    assert plain(np.array([[1.0, np.nan]])) == [[1.0, None]]
    assert plain((np.int64(3), "a", None, [np.True_])) == [3, "a", None, [True]]
    noon = datetime.fromisoformat("2024-03-01T12:00:00.000005")
    east = noon.replace(tzinfo=timezone(timedelta(hours=2)))
    assert plain([noon, east, b"\xff"]) == [
        "2024-03-01T12:00:00.000005",
        "2024-03-01T10:00:00.000005",
        "/w==",
    ]
    assert plain(np.array([noon], dtype="datetime64[us]")) == ["2024-03-01T12:00:00.000005"]


FIELDS = st.builds(
    Field,
    name=st.text(min_size=1, max_size=5),
    type=st.sampled_from(sorted(set(DTYPES) - {"datetime"})),
    required=st.just(True),
    shape=st.lists(st.sampled_from([-1, 1, 3]), max_size=2).map(tuple),
)


@given(st.lists(FIELDS, min_size=1, max_size=4))
def test_schemas_come_back(fields) -> None:
    assert fields_of(schema_of(fields), alone="output") == tuple(fields)


def test_schemas_without_names() -> None:
    unnamed = [{"type": "double"}, {"type": "array", "items": {"type": "float"}}]
    assert fields_of(unnamed, alone="output") == (
        Field(name="output_0", type="double"),
        Field(name="output_1", type="float", shape=(-1,)),
    )
    assert fields_of(None, alone="output") == ()
