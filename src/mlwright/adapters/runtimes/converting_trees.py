"""scikit-learn's histogram gradient boosting as an ONNX graph.

skl2onnx 1.20 writes booleans where onnx 1.23 wants numbers, and stops; it knows neither categories nor float64. The
trees are written here instead, and compare in float64 as the estimator does: half of all prices and quotients are no
float32, and one that lies beside a threshold would change its leaf. The sum of the leaves is a float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from mlwright.model.batches import Array

_LINKS: Final = {"HalfBinomialLoss": "Sigmoid", "HalfPoissonLoss": "Exp", "HalfGammaLoss": "Exp"}
_PLAIN: Final = ("HalfSquaredError", "AbsoluteError", "PinballLoss")


def histogram_graph(estimator: Any, method: str, name: str, width: int) -> Any:
    """The graph of a HistGradientBoosting estimator with one score a row; None where it is none of these.

    Args:
        estimator: a fitted estimator.
        method: ``predict_proba`` of two classes: the graph gives the probability of the second; or ``predict`` of a
            regressor.
        name: of the input.
        width: how many columns it has.

    """
    if not type(estimator).__name__.startswith("HistGradientBoosting"):
        return None
    loss = type(estimator._loss).__name__
    link = _LINKS.get(loss)
    if (link is None and loss not in _PLAIN) or estimator.n_trees_per_iteration_ != 1:
        return None
    if (loss == "HalfBinomialLoss") != (method == "predict_proba"):
        return None
    columns = _columns(estimator, width)
    writer = _Trees()
    for number, group in enumerate(estimator._predictors):
        writer.add(number, group[0], columns)
    base = np.asarray(estimator._baseline_prediction, dtype=np.float64).ravel()[:1]
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        [name],
        ["raw"],
        domain="ai.onnx.ml",
        n_targets=1,
        base_values_as_tensor=numpy_helper.from_array(base, "base"),
        **writer.as_attributes(),
    )
    nodes = [ensemble]
    nodes.append(helper.make_node(link or "Identity", ["raw"], ["score"]))
    graph = helper.make_graph(
        nodes,
        "histogram gradient boosting",
        [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A feature of the trees: its column in the matrix, and the values of its categories by their codes."""

    at: int
    values: tuple[float, ...] = ()


def _columns(estimator: Any, width: int) -> list[_Column]:
    """The features of the trees in their order: where there are categories, those come first, encoded."""
    encoder = getattr(estimator, "_preprocessor", None)
    if encoder is None:
        return [_Column(at=at) for at in range(width)]
    found = []
    levels = encoder.named_transformers_["encoder"].categories_
    for name, _, chosen in encoder.transformers_:
        for number, at in enumerate(np.flatnonzero(chosen) if name != "remainder" else ()):
            known = [float(each) for each in levels[number]] if name == "encoder" else []
            # a missing value has a code of its own, the last, and is in no set
            found.append(_Column(at=int(at), values=tuple(each for each in known if each == each)))
    return found


class _Trees:
    """Trees as the attributes of a tree ensemble: one entry a node, and one a leaf.

    A split by categories is a chain of comparisons with single values, whose branches for «yes» lead to one node: so do
    the converters of LightGBM, and ONNX Runtime makes one test of membership of it again.
    """

    def __init__(self) -> None:
        self.attributes: dict[str, list[Any]] = {
            **{f"nodes_{name}": [] for name in ("treeids", "nodeids", "featureids", "modes", "values")},
            **{f"nodes_{name}": [] for name in ("truenodeids", "falsenodeids", "missing_value_tracks_true")},
            **{f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")},
        }

    def as_attributes(self) -> dict[str, Any]:
        """The attributes, their real numbers as tensors of float64."""
        held = dict(self.attributes)
        for name in ("nodes_values", "target_weights"):
            held[f"{name}_as_tensor"] = numpy_helper.from_array(
                np.array(held.pop(name), dtype=np.float64), name
            )
        return held

    def add(self, tree: int, predictor: Any, columns: Sequence[_Column]) -> None:
        """Add one tree."""
        free = len(predictor.nodes)
        for number, node in enumerate(predictor.nodes):
            if node["is_leaf"]:
                self._node(tree, number, 0, "LEAF", 0.0, (0, 0), 0)
                for name, value in (
                    ("treeids", tree),
                    ("nodeids", number),
                    ("ids", 0),
                    ("weights", float(node["value"])),
                ):
                    self.attributes[f"target_{name}"].append(value)
                continue
            column, ways = columns[node["feature_idx"]], (int(node["left"]), int(node["right"]))
            left_if_missing = int(node["missing_go_to_left"])
            if not node["is_categorical"]:
                value = float(node["num_threshold"])
                self._node(tree, number, column.at, "BRANCH_LEQ", value, ways, left_if_missing)
                continue
            bits = predictor.raw_left_cat_bitsets[node["bitset_idx"]]
            free = self._members(tree, number, column, bits, ways, left_if_missing, free)

    def _members(
        self,
        tree: int,
        number: int,
        column: _Column,
        bits: Array,
        ways: tuple[int, int],
        left_if_missing: int,
        free: int,
    ) -> int:
        """A split by categories: what is missing or unknown goes where no comparison says yes. Returns the next free
        number of a node."""
        left, right = ways
        goes_left = [bool(bits[code // 32] >> np.uint32(code % 32) & 1) for code in range(len(column.values))]
        yes, no = (right, left) if left_if_missing else (left, right)
        tested = [
            value
            for value, is_left in zip(column.values, goes_left, strict=True)
            if is_left != bool(left_if_missing)
        ]
        if not tested:  # nobody says yes
            self._node(tree, number, column.at, "BRANCH_LEQ", -np.inf, (no, no), 0)
            return free
        for place, value in enumerate(tested):
            last = place == len(tested) - 1
            self._node(tree, number, column.at, "BRANCH_EQ", value, (yes, no if last else free), 0)
            number, free = free, free if last else free + 1
        return free

    def _node(
        self,
        tree: int,
        number: int,
        column: int,
        mode: str,
        value: float,
        ways: tuple[int, int],
        missing: int,
    ) -> None:
        held = self.attributes
        held["nodes_treeids"].append(tree)
        held["nodes_nodeids"].append(number)
        held["nodes_featureids"].append(column)
        held["nodes_modes"].append(mode)
        held["nodes_values"].append(value)
        held["nodes_truenodeids"].append(ways[0])
        held["nodes_falsenodeids"].append(ways[1])
        held["nodes_missing_value_tracks_true"].append(missing)
