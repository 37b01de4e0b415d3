"""The models of the serving tests: ``python serving_models.py FOLDER`` writes them there.

``iris`` is an ONNX graph that takes a tensor of float32 and gives a text and a vector, ``words`` an ONNX graph of the
form that the OCR models of TensorFlow Serving have, and ``rules.py:predict`` a function of texts and numbers.
"""

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from mlwright.adapters.runtimes.onnx import OnnxRuntime
from mlwright.model.registry import Field, Signature

CLASSES = np.array(["setosa", "versicolor", "virginica"])
RULES = '''"""A surcharge, by rules."""

from typing import NamedTuple


class Surcharge(NamedTuple):
    price: float
    why: str


EXAMPLE = [{"name": "Zoë", "country": "DE", "amount": 10.0, "items": 1}]


def predict(name: str, country: str, amount: float, items: int) -> Surcharge:
    rate = {"DE": 0.19, "FR": 0.2}.get(country, 0.0)
    return Surcharge(amount * items * (1 + rate), f"{name}: {country}")
'''


def iris(folder: Path) -> None:
    rows, classes = make_classification(
        300, 4, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1, random_state=1
    )
    rows = rows.astype(np.float32)
    fitted = LogisticRegression(max_iter=500).fit(rows, CLASSES[classes])
    OnnxRuntime().save(
        to_onnx(fitted, rows[:1], options={"zipmap": False}),
        folder,
        signature=Signature(
            inputs=(Field(name="X", type="float", shape=(4,)),),
            outputs=(
                Field(name="label", type="string"),
                Field(name="probabilities", type="float", shape=(3,)),
            ),
        ),
        example={"X": rows[:3].tolist()},
        categories={},
    )


def words(folder: Path) -> None:
    """Of each text: the text twice, and two numbers."""
    nodes = [
        helper.make_node("Unsqueeze", ["image", "one"], ["column"]),
        helper.make_node("Concat", ["column", "column"], ["preds"], axis=1),
        helper.make_node("Shape", ["preds"], ["shape"]),
        helper.make_node("Expand", ["numbers", "shape"], ["logprobs"]),
    ]
    graph = helper.make_graph(
        nodes,
        "words",
        [helper.make_tensor_value_info("image", TensorProto.STRING, ["rows"])],
        [
            helper.make_tensor_value_info("preds", TensorProto.STRING, ["rows", 2]),
            helper.make_tensor_value_info("logprobs", TensorProto.FLOAT, ["rows", 2]),
        ],
        [
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("numbers", TensorProto.FLOAT, [1, 2], [-0.5, -2.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    OnnxRuntime().save(
        model,
        folder,
        signature=Signature(
            inputs=(Field(name="image", type="string"),),
            outputs=(
                Field(name="preds", type="string", shape=(2,)),
                Field(name="logprobs", type="float", shape=(2,)),
            ),
        ),
        example={"image": ["aGVsbG8="]},
        categories={},
    )


def main(home: Path) -> None:
    for write in (iris, words):
        folder = home / write.__name__
        folder.mkdir(parents=True)
        write(folder)
    (home / "rules.py").write_text(RULES, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
