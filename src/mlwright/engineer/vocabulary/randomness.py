"""Chance in training code: where it is drawn from, and where it is given a seed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.vocabulary.dataflow import opaque, positional

PYTHON, NUMPY, TORCH, TENSORFLOW = "random", "numpy", "torch", "tensorflow"
ALL: Final = frozenset((PYTHON, NUMPY, TORCH, TENSORFLOW))

_DRAWS: Final = frozenset(
    "random randint uniform choice choices sample shuffle gauss normalvariate randrange betavariate expovariate "
    "triangular lognormvariate".split()
)
_NUMPY_DRAWS: Final = frozenset(
    "rand randn randint random random_sample choice shuffle permutation normal uniform binomial poisson beta gamma "
    "exponential multivariate_normal multinomial standard_normal lognormal laplace dirichlet".split()
)
_TORCH_DRAWS: Final = frozenset(
    "torch.rand torch.randn torch.randint torch.randperm torch.multinomial torch.normal".split()
)
# Estimators that draw lots in their usual setting and take ``random_state``. Boosters have a fixed seed of their own.
ESTIMATORS: Final = frozenset(
    (
        "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
        "BaggingClassifier", "BaggingRegressor", "AdaBoostClassifier", "AdaBoostRegressor", "IsolationForest",
        "MLPClassifier", "MLPRegressor", "SGDClassifier", "SGDRegressor", "KMeans", "MiniBatchKMeans",
        "GaussianMixture", "RandomizedSearchCV", "HalvingRandomSearchCV", "LatentDirichletAllocation", "TSNE", "UMAP",
        "DecisionTreeClassifier", "DecisionTreeRegressor", "GradientBoostingClassifier", "GradientBoostingRegressor",
        "TruncatedSVD", "RandomForestEmbedding", "SMOTE", "RandomOverSampler", "RandomUnderSampler",
        "BalancedRandomForestClassifier", "EasyEnsembleClassifier",
    )
)  # fmt: skip
_LIBRARIES: Final = ("sklearn.", "imblearn.", "umap.")
_ESTIMATING: Final = (*_LIBRARIES, "xgboost.", "lightgbm.", "catboost.")
_ESTIMATOR: Final = re.compile(r"\.[A-Z]\w+$")
_KEYWORDS: Final = ("random_state", "seed", "random_seed", "rng", "generator")
_COMPUTES: Final = (
    "numpy", "pandas", "polars", "sklearn", "torch", "tensorflow", "keras", "jax", "xgboost", "lightgbm", "catboost",
    "scipy", "datasets", "transformers", "lightning", "pytorch_lightning", "torchvision", "gym", "gymnasium", "cv2",
    "PIL", "csv", "nltk", "spacy", "gensim", "paddle", "mxnet", "fastai", "pyspark",
)  # fmt: skip
_LEARNS: Final = ("backward", "train_on_batch")
# The methods of all that may draw; no other call need be looked at.
_DRAWING: Final = tuple(
    sorted(
        {*_DRAWS, *_NUMPY_DRAWS, *ESTIMATORS, *_LEARNS, "default_rng", "RandomState", "DataLoader", "fit"}
        | {"fit_generator", *(each.rpartition(".")[2] for each in _TORCH_DRAWS)}
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A call that draws from the chance of ``family``; ``what`` names it for people."""

    file: PythonFile
    call: Call
    family: str
    what: str


def draws(files: Sequence[PythonFile]) -> Iterator[Draw]:
    """The calls that draw from an unseeded source unless their family is seeded."""
    for file in files:
        for call in file.called(*_DRAWING):
            found = _draw(file, call)
            if found is not None:
                yield Draw(file=file, call=call, family=found[0], what=found[1])


def _draw(file: PythonFile, call: Call) -> tuple[str, str] | None:
    head, _, last = call.name.rpartition(".")
    if any("seed" in each.lower() for each in call.results):
        return None  # the seed itself is drawn
    if head in ("random", "numpy.random"):
        return _library(file, call, head, last)
    if call.name.startswith(_LIBRARIES) and last in ESTIMATORS and not opaque(call) and not _seeded(call):
        return NUMPY, last
    if call.name in _TORCH_DRAWS and call.argument("generator") is None:
        return TORCH, call.name
    return _deep(file, call)


def _library(file: PythonFile, call: Call, head: str, last: str) -> tuple[str, str] | None:
    if head == "random":
        if last not in _DRAWS or call.receiver:
            return None
        # Where nothing computes with arrays, single draws make names, colours and pauses.
        drawn = last in ("shuffle", "sample") or file.imports_any(*_COMPUTES) is not None
        return (PYTHON, call.name) if drawn else None
    if last in _NUMPY_DRAWS:
        return NUMPY, call.name
    if last in ("default_rng", "RandomState") and not call.args and not _takes_seed(file, call):
        return "a generator of its own", f"{call.name}()"
    return None


def _deep(file: PythonFile, call: Call) -> tuple[str, str] | None:
    if call.method == "DataLoader" and call.name.startswith("torch.") and call.argument("generator") is None:
        shuffle = call.argument("shuffle")
        return (TORCH, "DataLoader(shuffle=True)") if shuffle is not None and shuffle.value is True else None
    if call.method in _LEARNS and file.imports_any("torch"):
        return TORCH, "a PyTorch training loop"
    if call.method == "fit" and call.made_by.rpartition(".")[2] == "Trainer" and _lightning(call):
        return TORCH, "a Lightning Trainer"
    if call.method in ("fit", "fit_generator") and call.made_by.startswith(("keras.", "tensorflow.keras.")):
        return (
            (TENSORFLOW, "a Keras fit") if not call.made_by.endswith(("Tokenizer", "Normalization")) else None
        )
    return None


def _takes_seed(file: PythonFile, call: Call) -> bool:
    """Whether the function around a call takes a seed: then this is what happens when nobody gives one."""
    return any(
        each.name == call.scope and not frozenset(_KEYWORDS).isdisjoint(each.parameters)
        for each in file.functions
    )


def _lightning(call: Call) -> bool:
    return call.made_by.partition(".")[0] in ("lightning", "pytorch_lightning")


def _seeded(call: Call) -> bool:
    """Whether an estimator names a seed that is not None."""
    given = next((each for each in call.args if each.keyword in _KEYWORDS), None)
    return given is not None and not (given.constant and given.value is None)


def steadied(files: Sequence[PythonFile]) -> Iterator[tuple[PythonFile, Call]]:
    """The estimators that name a seed of their own."""
    for file in files:
        for call in file.called(*(each for each in file.methods if each[:1].isupper())):
            made = call.name.startswith(_ESTIMATING) and _ESTIMATOR.search(call.name) and not call.receiver
            if made and _seeded(call):
                yield file, call


def seeds(file: PythonFile) -> frozenset[str]:
    """The families that a file seeds; a function that is called after seeds is taken to seed them all."""
    found: set[str] = set()
    methods = (each for each in file.methods if "seed" in each.lower() or each.endswith("TrainingArguments"))
    for call in file.called(*methods):
        if "seed" in call.method.lower() and not call.method.lower().startswith(
            ("get_", "default_", "seedsequence")
        ):
            found |= _families(call)
        if call.name in ("transformers.TrainingArguments", "transformers.Seq2SeqTrainingArguments"):
            found |= ALL  # it sets seed=42 where nobody says otherwise
    return frozenset(found)


def _families(call: Call) -> frozenset[str]:
    if not positional(call) and not call.args and call.name.startswith(("random.", "numpy.", "torch.")):
        return frozenset()
    if call.name == "random.seed":
        return frozenset((PYTHON,))
    if call.name == "numpy.random.seed":
        return frozenset((NUMPY,))
    if call.name.startswith("torch.") or call.method.startswith("manual_seed"):
        return frozenset((TORCH,))
    if call.name in (
        "tensorflow.random.set_seed",
        "tensorflow.set_random_seed",
        "tensorflow.compat.v1.set_random_seed",
    ):
        return frozenset((TENSORFLOW,))
    return ALL
