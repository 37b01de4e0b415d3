"""Which runtime loads a folder, and what is said where none does."""

import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from mlwright.adapters.runtimes.order import all_runtimes
from mlwright.errors import ModelLoadFailed
from mlwright.model.fitted import Fitted
from mlwright.model.registry import Field, Signature
from mlwright.stages.pipelines.choosing import choose, not_loadable
from mlwright.stages.pipelines.shelf import ModelShelf
from mlwright.testing.fakes.artifacts import MemoryArtifactStore
from mlwright.testing.fakes.runtimes import LinearModel, LinearRuntime

BLANK = Signature(inputs=(), outputs=())


@dataclass
class Loaded:
    by: str
    signature: Signature = BLANK

    def infer(self, batch):
        return {"output": np.zeros(batch.rows)}

    def close(self) -> None:
        """It holds nothing."""


@dataclass
class Engine:
    flavor: str
    missing: tuple[str, ...] = ()
    name: str = ""

    def accepts(self, model: object) -> bool:
        return False

    def save(self, model, folder, *, signature, example, categories) -> None:
        raise AssertionError("it saves nothing")

    def lacks(self, folder: Path) -> tuple[str, ...]:
        return self.missing

    def load(self, folder: Path) -> Loaded:
        return Loaded(by=self.name or self.flavor)


@dataclass
class Elsewhere:
    asked: list[tuple[Path, str, tuple[str, ...]]] = field(default_factory=list)

    def load(self, folder, *, digest, flavors):
        self.asked.append((folder, digest, flavors))
        return Loaded(by="elsewhere")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    described = {"flavors": {"python_function": {"loader_module": "x"}, "onnx": {}, "sklearn": {}}}
    (tmp_path / "MLmodel").write_text(yaml.safe_dump(described), encoding="utf-8")
    return tmp_path


@pytest.fixture
def shelf(tmp_path: Path) -> ModelShelf:
    return ModelShelf(artifacts=MemoryArtifactStore(), runtimes=(), cache=tmp_path / "cache")


def test_the_first_that_lacks_nothing(folder) -> None:
    engines = [
        Engine("sklearn", ("scikit-learn==0.9",)),
        Engine("xgboost"),
        Engine("onnx"),
        Engine("python_function"),
    ]
    choice = choose(engines, folder)
    assert choice.runtime is engines[2]
    assert choice.lacking == {"sklearn": ("scikit-learn==0.9",)}


def test_the_hint_comes_first_and_is_no_more_than_that(folder) -> None:
    engines = [Engine("sklearn"), Engine("onnx"), Engine("python_function")]
    assert choose(engines, folder, "onnx").runtime is engines[1]
    assert choose(engines, folder, "onnx-of-others").runtime is engines[0]
    engines[1].missing = ("onnxruntime",)
    assert choose(engines, folder, "onnx").runtime is engines[0]


def test_two_engines_of_one_flavor(folder) -> None:
    engines = [Engine("sklearn", ("skops",), name="ours"), Engine("sklearn", name="theirs")]
    assert choose(engines, folder, "sklearn").runtime is engines[1]


def test_what_is_lacking_is_named_for_each(folder) -> None:
    engines = [Engine("onnx", ("onnxruntime",)), Engine("python_function", ("mlflow-skinny", "prophet==1.1"))]
    error = not_loadable(choose(engines, folder), engines)
    assert [str(each) for each in error.faults] == [
        "onnx: lacks onnxruntime",
        "python_function: lacks mlflow-skinny, prophet==1.1",
    ]
    assert error.next_command == "pip install 'mlwright[onnx]'"


def test_requirements_are_what_to_install_where_no_extra_brings_them(folder) -> None:
    engines = [Engine("python_function", ("mlflow-skinny", "prophet==1.1"))]
    assert (
        not_loadable(choose(engines, folder), engines).next_command
        == "pip install 'mlflow-skinny' 'prophet==1.1'"
    )


def test_a_flavor_of_nobody(folder) -> None:
    engines = [Engine("lightgbm")]
    error = not_loadable(choose(engines, folder), engines)
    assert "python_function" in error.what
    assert "lightgbm" in str(error.why)


@pytest.mark.parametrize("text", [None, "", "flavors: [unclosed", "flavors: {}", "- a list", "flavors: 3"])
def test_a_folder_that_does_not_say_what_it_is(tmp_path, text) -> None:
    if text is not None:
        (tmp_path / "MLmodel").write_text(text, encoding="utf-8")
    with pytest.raises(ModelLoadFailed, match="MLmodel"):
        choose([Engine("sklearn")], tmp_path)


def test_the_shelf_loads_by_whoever_can(folder, shelf) -> None:
    digest = shelf.artifacts.put_folder(folder)
    shelf = replace(shelf, runtimes=(Engine("sklearn", ("a",)), Engine("python_function")))
    assert shelf.load(digest, "sklearn").by == "python_function"


def test_the_shelf_asks_elsewhere_last(folder, shelf) -> None:
    digest = shelf.artifacts.put_folder(folder)
    elsewhere = Elsewhere()
    shelf = replace(shelf, runtimes=(Engine("sklearn", ("a",)),), isolated=elsewhere)
    assert shelf.load(digest, "sklearn").by == "elsewhere"
    ((place, asked, flavors),) = elsewhere.asked
    assert asked == digest
    assert set(flavors) == {"python_function", "onnx", "sklearn"}
    assert (place / "MLmodel").is_file()
    with pytest.raises(ModelLoadFailed, match="lacks packages"):
        replace(shelf, isolated=None).load(digest, "sklearn")


def test_what_the_shelf_put_it_loads(shelf) -> None:
    shelf = replace(shelf, runtimes=(Engine("sklearn"), LinearRuntime()))
    fitted = Fitted(model=LinearModel(weights={"x": 1.0}), inputs=(Field(name="x", type="double"),))
    digest, flavor = shelf.put(fitted, pl.DataFrame({"x": [1.0, 2.0]}))
    assert flavor == "mlwright_linear"
    assert shelf.load(digest, flavor).signature == fitted.signature


def test_the_order_of_all() -> None:
    flavors = [each.flavor for each in all_runtimes()]
    assert flavors[0] == "sklearn"
    assert flavors[-1] == "python_function"
    assert len(set(flavors)) == len(flavors)
    assert not any(each.accepts("a text") for each in all_runtimes())


def test_nothing_is_imported_before_it_is_needed() -> None:
    heavy = ("sklearn", "skops", "onnxruntime", "xgboost", "lightgbm", "torch", "mlflow", "pandas", "scipy")
    program = (
        "import sys\nfrom mlwright.adapters.runtimes.order import all_runtimes\n"
        "assert not any(each.accepts(3) for each in all_runtimes())\n"
        f"print([each for each in {heavy} if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
