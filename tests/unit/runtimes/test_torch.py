"""PyTorch modules: exported programs, TorchScript and pickles. Skipped where torch is not installed."""

import io
import json
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from mlwright.adapters.runtimes.pytorch import PytorchRuntime
from mlwright.errors import ModelLoadFailed, ModelUntrusted, SignatureMismatch, UsageError
from mlwright.model.batches import Batch, batch_of
from mlwright.model.registry import Field, Signature

torch = pytest.importorskip("torch", reason="the extra torch is not installed: ./dev verify installs it")

SCORE = (Field(name="score", type="double"),)
COLUMNS = Signature(inputs=tuple(Field(name=each, type="double") for each in "abc"), outputs=SCORE)
EXAMPLE = {"a": [0.5, 1.0], "b": [2.0, None], "c": [-1.0, 0.0]}


class Net(torch.nn.Module):
    def __init__(self, inputs: int = 3) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(inputs, 4)
        self.outer = torch.nn.Linear(4, 1)

    def forward(self, x):
        return torch.sigmoid(self.outer(torch.relu(self.inner(torch.nan_to_num(x)))))


class Image(torch.nn.Module):
    def forward(self, image, scale):
        flat = image.to(torch.float32).flatten(1)
        return {"mean": flat.mean(1) * scale, "rows": flat[:, :2]}


class Pair(torch.nn.Module):
    def forward(self, x):
        return x.sum(1), x * 2


class Wordy(torch.nn.Module):
    def forward(self, x):
        return x if float(x.sum()) > 0 else -x


class Thief:
    def __reduce__(self):
        return print, ("stolen",)


@pytest.fixture
def runtime() -> PytorchRuntime:
    return PytorchRuntime()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    return made


def save(model, folder: Path, signature=COLUMNS, example=EXAMPLE) -> Path:
    PytorchRuntime().save(model, folder, signature=signature, example=example, categories={})
    return folder


def pickled(model, folder: Path, named: str = "pickle") -> Path:
    """As MLflow writes a pickled module."""
    (folder / "data").mkdir(exist_ok=True)
    torch.save(model, folder / "data/model.pth")
    (folder / "data/pickle_module_info.txt").write_text(named, encoding="utf-8")
    fields = [{"type": "double", "name": each, "required": True} for each in "abc"]
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 1]}}
    described = {
        "flavors": {"pytorch": {"model_data": "data", "pytorch_version": str(torch.__version__)}},
        "signature": {"inputs": json.dumps(fields), "outputs": json.dumps([tensor])},
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(described), encoding="utf-8")
    (folder / "requirements.txt").write_text("torch==1.0.0\n", encoding="utf-8")
    return folder


def expected(net, columns) -> list[float]:
    matrix = np.column_stack([np.array(each, dtype=np.float32) for each in columns.values()])
    with torch.inference_mode():
        return net(torch.from_numpy(matrix))[:, 0].tolist()


def test_what_it_accepts(runtime) -> None:
    assert runtime.accepts(Net())
    assert not any(map(runtime.accepts, (None, 3, "model", {}, object(), int, Net)))


def test_a_module_is_exported_for_any_number_of_rows(runtime, folder) -> None:
    net = Net()
    model = runtime.load(save(net, folder, example={"a": [1.0], "b": [2.0], "c": [3.0]}))
    assert (folder / "data/model.pt2").is_file()
    columns = {"a": [0.5, 1.0, 3.0], "b": [2.0, None, 1.0], "c": [-1.0, 0.0, 2.0]}
    batch = batch_of(COLUMNS.inputs, columns)
    found = model.infer(batch)["score"]
    assert found.dtype == np.float64
    assert found.tolist() == pytest.approx(expected(net, columns), abs=1e-6)
    for rows in (0, 1, 2):
        assert model.infer(batch.taken(slice(0, rows)))["score"].tolist() == pytest.approx(
            found[:rows], abs=1e-6
        )
    model.close()


def test_a_matrix_goes_in_as_it_is(runtime, folder) -> None:
    net = Net()
    model = runtime.load(save(net, folder))
    matrix = np.array([[0.5, 2.0, -1.0]])
    found = model.infer(Batch(1, matrix=matrix, names=("a", "b", "c")))["score"]
    assert found.tolist() == pytest.approx(expected(net, {"a": [0.5], "b": [2.0], "c": [-1.0]}), abs=1e-6)
    assert matrix.tolist() == [[0.5, 2.0, -1.0]]


def test_torchscript(runtime, folder) -> None:
    net = Net().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        script = torch.jit.script(net)
    model = runtime.load(save(script, folder))
    assert (folder / "data/model.pth").is_file()
    found = model.infer(batch_of(COLUMNS.inputs, EXAMPLE))["score"]
    assert found.tolist() == pytest.approx(expected(net, EXAMPLE), abs=1e-6)


def test_tensors_by_name_and_outputs_by_name(runtime, folder) -> None:
    signature = Signature(
        inputs=(Field(name="scale", type="float"), Field(name="image", type="uint8", shape=(2, 3))),
        outputs=(Field(name="rows", type="float", shape=(2,)), Field(name="mean", type="float")),
    )
    example = {"scale": [1.0, 2.0], "image": np.arange(12, dtype=np.uint8).reshape(2, 2, 3).tolist()}
    model = runtime.load(save(Image(), folder, signature, example))
    found = model.infer(batch_of(signature.inputs, example))
    assert list(found) == ["rows", "mean"]
    assert found["mean"].tolist() == [2.5, 17.0]
    assert found["rows"].tolist() == [[0.0, 1.0], [6.0, 7.0]]


def test_a_tuple_is_named_by_the_signature(runtime, folder) -> None:
    signature = Signature(
        inputs=(Field(name="x", type="float", shape=(2,)),),
        outputs=(Field(name="total", type="float"), Field(name="twice", type="float", shape=(2,))),
    )
    example = {"x": [[1.0, 2.0], [3.0, 4.0]]}
    found = runtime.load(save(Pair(), folder, signature, example)).infer(batch_of(signature.inputs, example))
    assert {name: each.tolist() for name, each in found.items()} == {
        "total": [3.0, 7.0],
        "twice": [[2.0, 4.0], [6.0, 8.0]],
    }


def test_an_output_of_another_form_is_refused(folder) -> None:
    with pytest.raises(UsageError, match="'score' in the form"):
        save(torch.nn.Linear(3, 2), folder)


def test_what_cannot_be_exported_is_refused(folder) -> None:
    with pytest.raises(UsageError, match="Wordy cannot be exported"):
        save(Wordy(), folder)


def test_a_program_for_a_fixed_number_of_rows(runtime, folder) -> None:
    """MLflow exports for one row where the example has one."""
    net = Net().eval()
    program = torch.export.export(net, (torch.zeros(2, 3),))
    save(program, folder)
    model = runtime.load(folder)
    columns = {"a": [0.5, 1.0, 3.0], "b": [2.0, 0.0, 1.0], "c": [-1.0, 0.0, 2.0]}
    batch = batch_of(COLUMNS.inputs, columns)
    assert model.infer(batch)["score"].tolist() == pytest.approx(expected(net, columns), abs=1e-6)
    assert model.infer(batch.taken(slice(0, 0)))["score"].tolist() == []


def test_a_program_without_a_signature_says_it_itself(runtime, folder) -> None:
    save(
        Pair(),
        folder,
        Signature(inputs=(Field(name="x", type="float", shape=(2,)),), outputs=()),
        {"x": [[1.0, 2.0]]},
    )
    (folder / "mlwright.json").unlink()
    described = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    del described["signature"]
    (folder / "MLmodel").write_text(yaml.safe_dump(described), encoding="utf-8")
    model = runtime.load(folder)
    assert model.signature.inputs == (Field(name="x", type="float", shape=(2,)),)
    found = model.infer(batch_of(model.signature.inputs, {"x": [[1.0, 2.0]]}))
    assert {name: each.tolist() for name, each in found.items()} == {
        "output_0": [3.0],
        "output_1": [[2.0, 4.0]],
    }


def test_a_pickled_module(runtime, folder) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 1))
    model = runtime.load(pickled(net, folder))
    columns = {"a": [0.5], "b": [2.0], "c": [-1.0]}
    found = model.infer(batch_of(model.signature.inputs, columns))["output"]
    assert found.shape == (1, 1)
    assert found[:, 0].tolist() == pytest.approx(expected(net, columns), abs=1e-6)


def test_what_a_pickle_asks_for(runtime, folder, tmp_path) -> None:
    assert runtime.lacks(pickled(Net(), folder)) == ("torch==1.0.0",)
    (folder / "data/model.pth").rename(folder / "data/model.pt2")
    assert runtime.lacks(folder) == ()


def test_a_pickle_of_something_else(runtime, folder) -> None:
    pickled({"weights": torch.zeros(2)}, folder)
    with pytest.raises(ModelLoadFailed, match="not a module"):
        runtime.load(folder)
    pickled(Net(), folder, named="os")
    with pytest.raises(ModelLoadFailed, match="pickled by 'os'"):
        runtime.load(folder)


def test_a_program_may_not_bring_a_pickle(runtime, folder, capsys) -> None:
    save(Net(), folder)
    path = folder / "data/model.pt2"
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    held = io.BytesIO()
    torch.save(Thief(), held)
    for name in [each for each in records if "sample_inputs" in each]:
        for poison in (held.getvalue(), pickle.dumps(Thief())):
            with zipfile.ZipFile(path, "w") as archive:
                for each, data in records.items():
                    archive.writestr(each, poison if each == name else data)
            with pytest.raises(ModelUntrusted, match="sample_inputs"):
                runtime.load(folder)
    assert "stolen" not in capsys.readouterr().out


def test_values_that_a_module_refuses(runtime, folder) -> None:
    model = runtime.load(
        save(
            Pair(),
            folder,
            Signature(inputs=(Field(name="x", type="float", shape=(2,)),), outputs=()),
            {"x": [[1.0, 2.0]]},
        )
    )
    with pytest.raises(SignatureMismatch, match="missing"):
        model.infer(Batch(1, {}))
    with pytest.raises(SignatureMismatch, match="holds numbers"):
        model.infer(Batch(1, {"x": np.array(["text"], dtype=object)}))


def test_one_thread_unless_said_otherwise(runtime, folder, monkeypatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    runtime.load(save(Net(), folder))
    assert torch.get_num_threads() == 1
