"""A complete MLflow folder gives its signature; an incomplete one names all of its faults."""

import json

import pytest
import yaml

from mlwright.errors import ModelLoadFailed
from mlwright.model.registry import Field
from mlwright.stages.registry.package import check_package

INPUTS = [
    {"type": "string", "name": "carrier", "required": True},
    {"type": "integer", "name": "hour", "required": False},
    {"type": "float", "name": "wind"},
    {"type": "boolean", "name": "holiday", "optional": True},
]
OUTPUTS = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]


@pytest.fixture
def folder(tmp_path):
    """As MLflow 3 writes it for scikit-learn."""
    described = {
        "artifact_path": "models:/m-1",
        "flavors": {
            "python_function": {
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                "loader_module": "mlflow.sklearn",
                "model_path": "model.skops",
                "predict_fn": "predict_proba",
                "python_version": "3.11.7",
            },
            "sklearn": {"code": None, "pickled_model": "model.skops", "serialization_format": "skops"},
        },
        "mlflow_version": "3.1.0",
        "model_uuid": "00",
        "signature": {"inputs": json.dumps(INPUTS), "outputs": json.dumps(OUTPUTS), "params": None},
        "utc_time_created": "2013-04-01 00:00:00.000000",
    }
    for name in ("conda.yaml", "python_env.yaml", "requirements.txt", "model.skops"):
        (tmp_path / name).write_text("x")
    (tmp_path / "MLmodel").write_text(yaml.safe_dump(described))
    return tmp_path


def change(folder, edit):
    path = folder / "MLmodel"
    described = yaml.safe_load(path.read_text())
    edit(described)
    path.write_text(yaml.safe_dump(described))


def faults(folder):
    with pytest.raises(ModelLoadFailed) as caught:
        check_package(folder)
    assert caught.value.where == str(folder)
    return [str(fault) for fault in caught.value.faults]


def test_the_signature_is_read_and_types_are_widened(folder):
    signature = check_package(folder)
    assert signature.inputs == (
        Field(name="carrier", type="string"),
        Field(name="hour", type="long", required=False),
        Field(name="wind", type="double"),
        Field(name="holiday", type="boolean", required=False),
    )
    assert signature.outputs == (Field(name="output", type="double"),)


def test_a_column_for_each_class_is_one_output(folder):
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}
    change(folder, lambda described: described["signature"].update(outputs=json.dumps([tensor])))
    assert check_package(folder).outputs == (Field(name="output", type="double"),)


def test_the_older_form_of_the_environment_is_accepted(folder):
    change(folder, lambda described: described["flavors"]["python_function"].update(env="conda.yaml"))
    assert check_package(folder).input_names == ("carrier", "hour", "wind", "holiday")


def test_all_faults_are_named_at_once(folder):
    (folder / "model.skops").unlink()
    (folder / "requirements.txt").unlink()
    (folder / "conda.yaml").unlink()
    change(folder, lambda described: described.pop("signature"))
    text = "\n".join(faults(folder))
    for part in (
        "flavors.python_function.model_path: the file 'model.skops' is missing",
        "flavors.python_function.env.conda: the file 'conda.yaml' is missing",
        "flavors.sklearn.pickled_model: the file 'model.skops' is missing",
        "requirements.txt: is missing",
        "signature: is missing",
    ):
        assert part in text


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "link/secret"])
def test_a_path_that_leaves_the_folder_is_refused(folder, tmp_path_factory, path):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret").write_text("x")
    (folder / "link").symlink_to(outside)
    change(folder, lambda described: described["flavors"]["sklearn"].update(pickled_model=path))
    assert any("outside the folder" in fault for fault in faults(folder))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "is missing"),
        ("a: [", "is not YAML"),
        ("just text", "does not hold keys and values"),
        ("flavors: {}", "names no engine"),
        ("flavors: {sklearn: 3}", "flavors.sklearn: does not hold"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_a_description_that_says_nothing_is_refused(folder, content, part):
    (folder / "MLmodel").unlink()
    if content is not None:
        (folder / "MLmodel").write_text(content)
    assert any(part in fault for fault in faults(folder))


@pytest.mark.parametrize(
    ("inputs", "part"),
    [
        ("[", "is not JSON"),
        ("[]", "is missing or empty"),
        (None, "is missing or empty"),
        ('[{"type": "datetime", "name": "when"}]', "'when' has the type 'datetime'"),
        ('[{"type": "double"}]', "has no name"),
        (
            '[{"type": "double", "name": "a"}, {"type": "long", "name": "a"}]',
            "[1]: the name 'a' is there twice",
        ),
        ('[{"type": "tensor", "name": "i", "tensor-spec": {"dtype": "uint8", "shape": [-1, 28]}}]', "28"),
        ("[3]", "[0]: does not hold"),
    ],
)
def test_a_signature_that_cannot_be_served_is_refused(folder, inputs, part):
    change(folder, lambda described: described["signature"].update(inputs=inputs))
    [fault] = faults(folder)
    assert part in fault
