"""Where code trains a model on data, as opposed to defining for others how it would be done."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.model.findings import Location

FRAMEWORKS: Final = (
    *(
        "sklearn",
        "xgboost",
        "lightgbm",
        "catboost",
        "keras",
        "tensorflow",
        "torch",
        "lightning",
        "pytorch_lightning",
    ),
    *(
        "statsmodels",
        "prophet",
        "fbprophet",
        "neuralprophet",
        "pmdarima",
        "darts",
        "sktime",
        "statsforecast",
        "tsai",
    ),
    *(
        "neuralforecast",
        "mlforecast",
        "gluonts",
        "autogluon",
        "flaml",
        "tpot",
        "h2o",
        "autosklearn",
        "pycaret",
    ),
    *(
        "pyspark.ml",
        "fastai",
        "transformers",
        "sentence_transformers",
        "trl",
        "peft",
        "setfit",
        "simpletransformers",
    ),
    *(
        "implicit",
        "surprise",
        "lightfm",
        "recbole",
        "river",
        "skorch",
        "imblearn",
        "hmmlearn",
        "lifelines",
        "sksurv",
    ),
    *(
        "gensim",
        "fasttext",
        "spacy",
        "flair",
        "jax",
        "flax",
        "optax",
        "haiku",
        "equinox",
        "paddle",
        "mxnet",
        "chainer",
    ),
    *(
        "detectron2",
        "ultralytics",
        "mmdet",
        "mmengine",
        "mmcv",
        "timm",
        "monai",
        "pyod",
        "econml",
        "dowhy",
        "causalml",
    ),
    *(
        "stable_baselines3",
        "ray.rllib",
        "ray.train",
        "xgboost_ray",
        "cuml",
        "tabpfn",
        "pytorch_tabnet",
        "interpret",
    ),
    *(
        "dgl",
        "torch_geometric",
        "cupy",
        "theano",
        "pymc",
        "numpyro",
        "pyro",
        "gpytorch",
        "botorch",
        "sagemaker",
    ),
    *(
        "deepchem",
        "vowpalwabbit",
        "ignite",
        "accelerate",
        "deepspeed",
        "composer",
        "allennlp",
        "fairseq",
        "nemo",
    ),
)
TRANSFORMERS: Final = (
    *(
        "sklearn.preprocessing.",
        "sklearn.impute.",
        "sklearn.feature_extraction.",
        "sklearn.feature_selection.",
    ),
    *(
        "sklearn.decomposition.",
        "sklearn.compose.",
        "sklearn.random_projection.",
        "sklearn.kernel_approximation.",
    ),
    *("category_encoders.", "feature_engine.", "keras.preprocessing.", "tensorflow.keras.preprocessing."),
    *("keras.layers.", "tensorflow.keras.layers.", "pyspark.ml.feature.", "imblearn.over_sampling."),
    *("imblearn.under_sampling.", "umap.", "sklearn.manifold.", "gensim.corpora."),
)
"""``fit`` of these learns a mean or a vocabulary, not a model."""

_FITS: Final = frozenset(
    (
        "fit",
        "fit_generator",
        "partial_fit",
        "train_on_batch",
        "fit_one_cycle",
        "fine_tune",
        "fit_predict",
        "fit_resample",
    )
)
_TRAINS: Final = frozenset(
    (
        *(
            "xgboost.train",
            "lightgbm.train",
            "catboost.train",
            "xgboost.cv",
            "lightgbm.cv",
            "xgboost.dask.train",
        ),
        *(
            "fasttext.train_supervised",
            "fasttext.train_unsupervised",
            "pmdarima.auto_arima",
            "mlwright.register",
        ),
        *("sklearn.model_selection.cross_val_score", "sklearn.model_selection.cross_validate"),
        *("pycaret.classification.compare_models", "pycaret.regression.compare_models"),
        *("pycaret.classification.create_model", "pycaret.regression.create_model"),
    )
)
_STEPS: Final = frozenset(("apply_gradients", "learn_one", "learn_many"))
_LEARNERS: Final = frozenset(("train", "fit", "finetune", "learn", "train_model"))
_PREPARES: Final = re.compile(
    r"(scaler|encoder|vectori[sz]er|tokeni[sz]er|imputer|binari[sz]er|normali[sz]er|preprocessor|discreti[sz]er"
    r"|label_?binarizer|columntransformer|column_transformer)s?\d*$|^(le|ohe|pca|tfidf|umap|tsne|smote|sc|ss|mms)\d*$",
    re.IGNORECASE,
)
_NO_LEARNERS: Final = (
    "PIL", "cv2", "skimage", "scipy", "numpy", "astropy", "lmfit", "powerlaw", "fitter", "distfit", "wordcloud", "rich",
    "textual", "tkinter", "PyQt5", "PyQt6", "PySide6", "pygame", "matplotlib", "pyspark.sql",
    "statsmodels.nonparametric",
)  # fmt: skip
"""What these call ``fit`` scales a picture or a curve."""
_GROUPS: Final = (
    "sklearn.cluster",
    "sklearn.neighbors.KernelDensity",
    "sklearn.neighbors.NearestNeighbors",
    "hdbscan",
)
_KEEPS: Final = frozenset(
    "dump dumps save save_model log_model register register_model save_pretrained to_pickle export predict".split()
)
_FITTED_WITHOUT: Final = ("statsmodels", "sagemaker", "pmdarima")
_SELF_TRAINED: Final = ("ultralytics", "stable_baselines3", "ray.rllib")
_FOR_OTHERS: Final = re.compile(r"_*(fit|partial_fit|train|training_step|fit_\w+|update|learn_one|learn)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A place that trains. ``driven``: not inside a ``fit`` that a class defines for whoever calls it."""

    file: PythonFile
    at: Location
    what: str
    driven: bool


def fits(files: Sequence[PythonFile]) -> Iterator[Fit]:
    """Every place of these files that trains a model, in their order."""
    own = frozenset(
        function.name.rpartition(".")[0].rpartition(".")[2]
        for file in files
        for function in file.functions
        if function.name.endswith((".fit", ".train")) and function.name.count(".") == 1
    )
    for file in files:
        framework = file.imports_any(*FRAMEWORKS) is not None
        for call in file.called(*filter(_may_fit, file.methods)):
            what = _fit(call, framework, own)
            if what and not _passing(call, file):
                yield Fit(file=file, at=file.at(call), what=what, driven=_driven(call, file))
        loop = _loop(file)
        if loop is not None:
            yield Fit(file=file, at=file.at(loop), what="steps an optimizer", driven=_driven(loop, file))


_METHODS: Final = _FITS | _STEPS | _LEARNERS | frozenset(name.rpartition(".")[2] for name in _TRAINS)


def _may_fit(method: str) -> bool:
    return method in _METHODS or method.endswith("Trainer")


def _passing(call: Call, file: PythonFile) -> bool:
    """Whether groups or densities are worked out in passing, inside a function of a file that keeps no model."""
    if not within(call.made_by, _GROUPS) or not call.scope or file.notebook:
        return False
    return _KEEPS.isdisjoint(file.methods)


def _driven(call: Call, file: PythonFile) -> bool:
    owner, _, function = call.scope.rpartition(".")
    if not owner or not _FOR_OTHERS.fullmatch(function):
        return True
    # In a class that also predicts, a method of this name is an estimator; in a Trainer it is what the script runs.
    names = {each.name for each in file.functions}
    return not (
        names & {f"{owner}.predict", f"{owner}.forward", f"{owner}.transform", f"{owner}.predict_proba"}
    )


def _fit(call: Call, framework: bool, own: frozenset[str]) -> str:
    name, method, maker = call.name, call.method, call.made_by
    if name in _TRAINS or (method.endswith("Trainer") and name.startswith("ray.train.")):
        return f"calls {name}"
    if method in _FITS:
        return _fitted(call, framework, own)
    if method in _LEARNERS:
        by_itself = maker.rpartition(".")[2].endswith(("Trainer", "TrainingLoop")) or within(
            maker, _SELF_TRAINED
        )
        return f"trains with {maker}" if by_itself else ""
    if not framework or method not in _STEPS:
        return ""
    prepares = (
        _PREPARES.search(call.receiver) or ".preprocessing." in maker or ".feature_extraction." in maker
    )
    return "" if prepares else f"calls {name}"


def _fitted(call: Call, framework: bool, own: frozenset[str]) -> str:
    maker = call.made_by
    if (
        _asks_base(call)
        or within(maker, _NO_LEARNERS)
        or (not call.receiver and within(call.name, _NO_LEARNERS))
    ):
        return ""
    if maker.startswith(TRANSFORMERS) or any(
        _PREPARES.search(name.rpartition(".")[2]) for name in (call.receiver, maker)
    ):
        return ""
    if within(maker, FRAMEWORKS):
        return f"fits {maker}" if call.args or within(maker, _FITTED_WITHOUT) else ""
    if maker.rpartition(".")[2] in own and call.args:
        return f"fits {maker}"
    if call.method == "fit" and maker.rpartition(".")[2].endswith("Trainer"):
        return f"trains with {maker}"
    enough = len(call.args) >= (2 if call.method == "fit" else 1)
    return f"calls {call.name}" if framework and enough else ""


def _asks_base(call: Call) -> bool:
    """Whether a class calls its own method, or that of its base class."""
    if call.receiver in ("self", "cls") or call.name.startswith("super."):
        return True
    return bool(call.args) and call.args[0].text == "self"


def _steps(call: Call) -> bool:
    if call.name == "optax.apply_updates":
        return True
    if call.method not in ("step", "update"):
        return False
    return "opt" in call.receiver.lower() or ".optim." in call.made_by or call.made_by.startswith("optax")


def _loop(file: PythonFile) -> Call | None:
    """The ``backward`` of a training loop: in a file that uses torch, with an optimizer's ``step`` beside it."""
    if (
        file.imports_any("torch", "paddle", "accelerate", "deepspeed", "lightning", "optax", "tinygrad")
        is None
    ):
        return None
    if not any(map(_steps, file.called("apply_updates", "step", "update"))):
        return None
    return next(
        (
            call
            for call in file.called("backward", "value_and_grad", "grad")
            if call.method in ("backward", "value_and_grad") or call.name in ("jax.grad",)
        ),
        None,
    )


def within(name: str, packages: Sequence[str]) -> bool:
    """Whether a dotted name is one of these packages or something below them."""
    return any(name == each or name.startswith(f"{each}.") for each in packages)
