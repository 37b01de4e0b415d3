"""What files of a model say: requirements, Python, formats, schema; how a model's behaviour is judged."""

import io
import json
import pickle
import zipfile

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from mlwright.model.contracts import Severity
from mlwright.model.findings import Location
from mlwright.model.scans import Hit, Scan
from mlwright.stages.registry.formats import check_formats, formats
from mlwright.stages.registry.schemas import example_faults
from mlwright.stages.registry.survey import survey, unpinned
from mlwright.stages.registry.verdicts import check_loaded, check_scored, clip, differences

COLUMN = {"type": "double", "name": "wind", "required": True}
TABLE = {"columns": ["wind"], "data": [[1.5]]}


@pytest.fixture
def folder(tmp_path):
    described = {
        "flavors": {
            "python_function": {
                "loader_module": "mlflow.xgboost",
                "data": "model.ubj",
                "python_version": "3.10.2",
            },
            "xgboost": {"data": "model.ubj", "xgb_version": "3.2.0"},
        },
        "saved_input_example_info": {"artifact_path": "input_example.json", "type": "dataframe"},
        "signature": {"inputs": json.dumps([COLUMN]), "outputs": json.dumps([COLUMN])},
    }
    (tmp_path / "MLmodel").write_text(yaml.safe_dump(described))
    (tmp_path / "model.ubj").write_bytes(b"{L")
    (tmp_path / "input_example.json").write_text(json.dumps(TABLE))
    (tmp_path / "requirements.txt").write_text("mlflow==3.17.2\nnumpy>=2 # why\n\n# nothing\n")
    return tmp_path


def test_the_files_say_what_the_model_needs(folder):
    (folder / "python_env.yaml").write_text("python: 3.11.7\n")
    found = survey(folder)
    assert (found.faults, found.signature_faults, found.notes) == ((), (), ())
    assert (found.flavor, found.loader, found.python) == ("xgboost", "mlflow.xgboost", "3.11.7")
    assert found.requirements == ("mlflow==3.17.2", "numpy>=2")
    assert found.saved_with == {"xgboost": "3.2.0"}
    assert found.signature is not None
    assert found.example == "input_example.json"


def test_included_requirements_stay_in_the_folder(folder):
    (folder / "requirements.txt").write_text(
        "-r more.txt\n-r ../outside.txt\nsix==1 --hash=sha256:aa \\\n  --hash=sha256:bb\n"
    )
    (folder / "more.txt").write_text("-r more.txt\nattrs==1")
    (folder.parent / "outside.txt").write_text("secret==1")
    assert survey(folder).requirements == ("-r more.txt", "attrs==1", "-r ../outside.txt", "six==1")


def test_without_requirements_conda_is_asked(folder):
    (folder / "requirements.txt").unlink()
    assert [each.where for each in survey(folder).faults] == ["requirements.txt"]
    conda = {"dependencies": ["python=3.9.1", "pip", "libgomp", {"pip": ["six==1"]}]}
    (folder / "conda.yaml").write_text(yaml.safe_dump(conda))
    found = survey(folder)
    assert (found.requirements, found.python, found.faults) == (("six==1",), "3.9.1", ())
    assert "libgomp" in found.notes[0]


def test_a_signature_that_our_servers_do_not_serve_is_a_note(folder):
    tensor = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 28, 28]}}]
    described = yaml.safe_load((folder / "MLmodel").read_text())
    described["signature"]["inputs"] = json.dumps(tensor)
    (folder / "MLmodel").write_text(yaml.safe_dump(described))
    found = survey(folder)
    assert (found.signature, found.signature_faults, found.faults) == (None, (), ())
    assert "do not serve" in found.notes[0]


def test_an_example_outside_of_the_folder_is_a_fault(folder):
    described = yaml.safe_load((folder / "MLmodel").read_text())
    described["saved_input_example_info"]["artifact_path"] = "../secret.json"
    (folder / "MLmodel").write_text(yaml.safe_dump(described))
    (folder.parent / "secret.json").write_text("{}")
    assert survey(folder).example == ""
    assert "secret.json" in str(survey(folder).faults[0])


@given(st.binary(max_size=400))
@example(b"{}")
@example(b"2001-99-99")
@example(b"[" * 5_000)
@example(b"{a: " * 2_000)
def test_no_bytes_break_the_survey(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    for name in ("MLmodel", "requirements.txt", "python_env.yaml", "model.pt", "a.npy", "b.keras"):
        (folder / name).write_bytes(data)
    assert survey(folder).faults
    assert len(formats(folder)) == 6


def test_unpinned_requirements():
    lines = ("a==1", "b>=1", "c", "d==1.*", "e===2", "f==1 ; python_version<'4'", "g[x]==3")
    assert unpinned(lines) == ("b>=1", "c", "d==1.*")


def archive(*names):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name in names:
            file.writestr(name, "{}")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "format_", "unsafe"),
    [
        ("model.pkl", pickle.dumps([1]), "pickle", True),
        ("model", pickle.dumps([1]), "pickle", True),
        ("model.pkl", pickle.dumps([1], protocol=0), "pickle", True),
        ("model.joblib", b"\x78\x9cxx", "joblib", True),
        ("m.pkl", b"\x80\x05\x95" + b"cloudpickle.cloudpickle", "cloudpickle", True),
        ("data/model.pth", archive("m/data.pkl", "m/version"), "torch archive", True),
        ("m.skops", archive("schema.json", "1.npy"), "skops", False),
        ("m.keras", archive("config.json"), "keras", False),
        ("m.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|O'}", "numpy objects", True),
        ("m.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'}", "numpy", False),
        ("m.safetensors", b"\x10", "safetensors", False),
        ("m.onnx", b"\x08", "ONNX", False),
        ("model.txt", b"tree\nversion=v4", "booster", False),
        ("h.h5", b"\x89HDF\r\n", "HDF5", False),
        ("MLmodel", b"flavors: {}", "", False),
    ],
)
def test_formats_are_told_by_their_bytes(tmp_path, name, data, format_, unsafe):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(data)
    (found,) = formats(tmp_path)
    assert (found.path, found.format, found.is_unsafe) == (name, format_, unsafe)


def scan(*severities, missing=""):
    hits = [
        Hit(rule="r", message="imports os.system", severity=each, location=Location(path="m.pkl"))
        for each in severities
    ]
    return Scan(scanner="s", version="1", topic="pickles", hits=tuple(hits), missing=missing)


@pytest.mark.parametrize(
    ("said", "outcome", "word"),
    [
        (scan(), "passed", "prefer skops"),
        (scan(Severity.INFO), "passed", "prefer skops"),
        (scan(Severity.WARNING), "unknown", "somebody has to look"),
        (scan(Severity.WARNING, Severity.ERROR), "failed", "os.system"),
        (scan(missing="picklescan is not installed"), "unknown", "not installed"),
        (None, "unknown", "nothing scanned"),
    ],
)
def test_a_pickle_is_always_flagged(tmp_path, said, outcome, word):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(1))
    found = check_formats(formats(tmp_path), said)
    assert (found.outcome, found.kind) == (outcome, "scan")
    assert word in found.summary
    assert found.details["unsafe"] == [{"path": "m.pkl", "format": "pickle"}]


@pytest.mark.parametrize(
    ("columns", "example", "fault"),
    [
        ([COLUMN], TABLE, None),
        ([COLUMN], {"dataframe_split": TABLE}, None),
        ([COLUMN], [{"wind": 1}, {"wind": None}], None),
        ([COLUMN], {"columns": ["rain"], "data": [[1]]}, "'wind' is missing; the example has rain"),
        ([COLUMN], {"columns": ["wind"], "data": [[1.0], ["x"]]}, "row 1 of 'wind' is 'x', not double"),
        ([COLUMN], {"columns": ["wind"], "data": [[True]]}, "True, not double"),
        ([COLUMN | {"required": False}], {"columns": ["rain"], "data": [[1]]}, None),
        ([COLUMN | {"type": "integer"}], {"columns": ["wind"], "data": [[2**31]]}, "not integer"),
        ([COLUMN | {"type": "long"}], {"columns": ["wind"], "data": [[2**31]]}, None),
        (
            [COLUMN | {"type": "long"}],
            {"columns": ["wind"], "data": [[None]]},
            "long has no missing value",
        ),
        ([COLUMN | {"type": "boolean"}], {"columns": ["wind"], "data": [[1]]}, "not boolean"),
        ([COLUMN | {"type": "any"}], {"columns": ["wind"], "data": [[{}]]}, None),
        ([{"type": "string"}], ["a", "b"], None),
        ([{"type": "string"}], ["a", 1], "row 1 is 1, not string"),
        ([{"type": "double"}, {"type": "double"}], {"columns": [0], "data": [[1]]}, "has 1 columns"),
        (
            [COLUMN | {"type": "array", "items": {"type": "long"}}],
            [{"wind": [1, "x"]}],
            "row 0 of 'wind'[1] is 'x', not long",
        ),
        (
            [COLUMN | {"type": "object", "properties": {"a": {"type": "long", "required": True}}}],
            [{"wind": {}}],
            "has no 'a'",
        ),
        ([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}], [[1, 2.5]], None),
        (
            [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}],
            {"inputs": [[1.0]]},
            "has the shape [1, 1], the signature says [-1, 2]",
        ),
        ([{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}], [1.5], "says int64"),
        (
            [{"type": "tensor", "name": "x", "tensor-spec": {"dtype": "str", "shape": [-1]}}],
            {"y": ["a"], "z": []},
            "the tensor 'x' is missing",
        ),
    ],
)
def test_the_example_must_keep_the_signature(columns, example, fault):
    found = example_faults(columns, example)
    assert (fault is None and not found) or (fault is not None and fault in found[0]), found


@given(st.recursive(st.none() | st.floats() | st.text(max_size=3), lambda each: st.lists(each, max_size=4)))
def test_a_prediction_never_differs_from_itself(value):
    again = json.loads(json.dumps(value))
    assert value != value or "nan" in repr(value) or differences(clip(value), clip(again)) == []


@pytest.mark.parametrize(
    ("recorded", "found", "same"),
    [
        ([1.0, 2.0], [1.0 + 1e-7, 2.0], True),
        ([1.0], [1.001], False),
        ([0.0], [1e-9], True),
        ([1], [2], False),
        ([1, 2], [1], False),
        (["a"], ["b"], False),
        ({"p": [1.0]}, {"q": [1.0]}, False),
        ([True], [1], False),
        (["nan"], ["nan"], True),
    ],
)
def test_predictions_are_compared_within_a_tolerance(recorded, found, same):
    assert (differences(recorded, found) == []) is same
    answer = {"phase": "done", "predictions": found, "seconds": {}}
    check = check_scored(answer, {}, recorded=recorded, recorded_by="before")
    assert (check.outcome == "passed") is same


def failed(**error):
    return {
        "phase": "load",
        "error": {"type": "X", "message": "", "causes": [], "missing": None} | error,
    }


@pytest.mark.parametrize(
    ("error", "drift", "words", "named"),
    [
        ({"missing": "cv2"}, {}, "package 'opencv-python-headless' is missing", ("missing_package",)),
        ({"missing": "sklearn.ensemble"}, {}, "'scikit-learn'", ("missing_module",)),
        ({"missing": "my_features"}, {}, "code_paths", ("missing_module",)),
        ({"missing": "distutils"}, {}, "left Python with 3.12", ("missing_module",)),
        (
            {"message": "Can't get attribute 'Net' on <module '__main__' (built-in)>"},
            {},
            "Net was defined in a script or notebook",
            ("local",),
        ),
        (
            {"message": "Can't get attribute 'Y' on <module 'sklearn._loss._loss' from 'x'>"},
            {"scikit-learn": {"saved_with": "1.2.0", "installed": "1.9.1"}},
            "saved with scikit-learn 1.2.0, its requirements install 1.9.1",
            ("clash",),
        ),
        (
            {"message": "numpy.dtype size changed, may indicate binary incompatibility"},
            {},
            "built for different versions",
            ("clash",),
        ),
        ({"type": "ValueError", "message": "no"}, {}, "ValueError: no", ()),
    ],
)
def test_the_cause_is_named(error, drift, words, named):
    check = check_loaded(failed(**error), drift)
    assert check.outcome == "failed"
    assert words in check.summary
    assert set(named) <= check.details.keys()


def test_a_model_without_example_is_not_known_to_answer():
    check = check_scored({"phase": "done"}, {}, recorded=None, recorded_by="")
    assert (check.outcome, "input_example" in check.summary) == ("unknown", True)
