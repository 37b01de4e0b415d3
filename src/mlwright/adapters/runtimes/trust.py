"""What a stored scikit-learn model may be made of.

skops lists the types that a file asks for before it constructs anything; those that skops does not trust by
itself must be on :data:`TRUSTED`. The list names types one by one: a prefix such as ``numpy.`` would let in
``numpy.load``. Trees need a second look after loading, because scikit-learn follows their node indices
without bounds checks (https://github.com/scikit-learn/scikit-learn/pull/34558), and a crafted file could
crash the server or read beyond its memory.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

import numpy as np
import skops.io

from mlwright.errors import ModelUntrusted

TRUSTED: Final = frozenset(
    {
        "functools.partial",
        "sklearn._loss._loss.CyAbsoluteError",
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn._loss._loss.CyHalfGammaLoss",
        "sklearn._loss._loss.CyHalfPoissonLoss",
        "sklearn._loss._loss.CyHalfSquaredError",
        "sklearn._loss._loss.CyPinballLoss",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogLink",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.loss.AbsoluteError",
        "sklearn._loss.loss.ExponentialLoss",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfGammaLoss",
        "sklearn._loss.loss.HalfPoissonLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn._loss.loss.HuberLoss",
        "sklearn._loss.loss.PinballLoss",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils.validation.check_array",
    }
)


def types_to_trust(data: bytes, where: str, more: Collection[str] = ()) -> list[str]:
    """The types in a skops file that skops asks about; all of them are on the list. Constructs nothing.

    Args:
        data: the file.
        where: its path, for the message.
        more: types that somebody else vouched for (the ``skops_trusted_types`` of a registered version).

    Raises:
        ModelUntrusted: naming those that are not.
    """
    asked = set(skops.io.get_untrusted_types(data=data))
    strange = sorted(asked - TRUSTED - set(more))
    if strange:
        raise ModelUntrusted(
            f"the model holds types that are not trusted: {', '.join(strange)}",
            where=where,
            why="loading them could run code that nobody here has looked at",
            next_command="mlwright doctor",
        )
    return sorted(asked)


def check_trees(model: object, where: str) -> None:
    """Refuse trees whose nodes point outside the tree, backwards, or at features that do not exist.

    Raises:
        ModelUntrusted: one does.
    """
    for part, features in _parts(model, 0, set()):
        kind = type(part).__name__
        if kind == "TreePredictor" and not _sound_predictor(part, features):
            raise _damaged(where)
        if kind == "Tree" and not _sound_tree(part):
            raise _damaged(where)


def _sound_predictor(part: Any, features: int) -> bool:
    nodes = part.nodes
    split = nodes[nodes["is_leaf"] == 0]
    own = np.flatnonzero(nodes["is_leaf"] == 0)
    bitsets = min(len(part.raw_left_cat_bitsets), len(part.binned_left_cat_bitsets))
    categorical = split[split["is_categorical"] != 0]
    return bool(
        len(nodes) > 0
        and _forward(own, split["left"].astype(np.int64), len(nodes))
        and _forward(own, split["right"].astype(np.int64), len(nodes))
        and np.all((split["feature_idx"] >= 0) & (split["feature_idx"] < features))
        and np.all(categorical["bitset_idx"].astype(np.int64) < bitsets)
    )


def _sound_tree(part: Any) -> bool:
    left, right = part.children_left, part.children_right
    own = np.flatnonzero(left != -1)
    return bool(
        _forward(own, left[own], part.node_count)
        and _forward(own, right[own], part.node_count)
        and np.all((part.feature[own] >= 0) & (part.feature[own] < part.n_features))
    )


def _forward(own: np.ndarray[Any, Any], child: np.ndarray[Any, Any], count: int) -> bool:
    """Whether children lie behind their parents and inside the tree: every path ends at a leaf."""
    return bool(np.all((child > own) & (child < count)))


def _parts(part: Any, features: int, seen: set[int]) -> Iterator[tuple[Any, int]]:
    """Every scikit-learn object inside a model, with the feature count of the estimator that holds it."""
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, dict):
        inner = list(part.values())
    elif isinstance(part, list | tuple):
        inner = list(part)
    elif isinstance(part, np.ndarray):
        inner = part.ravel().tolist() if part.dtype == object else []
    elif type(part).__module__.startswith("sklearn."):
        features = int(getattr(part, "n_features_in_", features))
        yield part, features
        inner = list(getattr(part, "__dict__", {}).values())
    else:
        return
    for each in inner:
        yield from _parts(each, features, seen)


def _damaged(where: str) -> ModelUntrusted:
    return ModelUntrusted(
        "a tree of the model points outside itself",
        where=where,
        why="the file is damaged or was made to crash the server",
        next_command="mlwright doctor",
    )
