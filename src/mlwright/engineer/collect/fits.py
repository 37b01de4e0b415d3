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
_LEARNERS: Final = frozenset(("train", "fit", "finetune", "learn", "train_model"))
_PREPARES: Final = re.compile(
    r"(scaler|encoder|vectori[sz]er|tokeni[sz]er|imputer|binari[sz]er|transformer|preprocess|pca|tfidf|normali[sz]er"
    r"|label_?enc|ohe|umap|tsne|svd|sampler|smote|canvas|layout|figure|window|image|curve|progress|console)",
    re.IGNORECASE,
)
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
        for call in file.calls:
            what = _fit(call, framework, own)
            if what:
                yield Fit(file=file, at=file.at(call), what=what, driven=_driven(call, file))
        loop = _loop(file)
        if loop is not None:
            yield Fit(file=file, at=file.at(loop), what="steps an optimizer", driven=_driven(loop, file))


def _driven(call: Call, file: PythonFile) -> bool:
    owner, _, function = call.scope.rpartition(".")
    if not owner or not _FOR_OTHERS.fullmatch(function):
        return True
    # A method of this name in a class that also predicts is an estimator; in a Trainer with a ``main`` it is the script.
    names = {each.name for each in file.functions}
    return not (
        names & {f"{owner}.predict", f"{owner}.forward", f"{owner}.transform", f"{owner}.predict_proba"}
    )


def _fit(call: Call, framework: bool, own: frozenset[str]) -> str:
    maker, method = call.made_by, call.method
    if call.name in _TRAINS or (call.name.startswith("ray.train.") and method.endswith("Trainer")):
        return f"calls {call.name}"
    known = within(maker, FRAMEWORKS)
    if method in _FITS:
        if maker.startswith(TRANSFORMERS) or _PREPARES.search(call.receiver.rpartition(".")[2]):
            return ""
        if known and (call.args or maker.startswith(("statsmodels", "sagemaker", "pmdarima", "surprise"))):
            return f"fits {maker}"
        if not known and maker.rpartition(".")[2] in own and call.args:
            return f"fits {maker}"
        if not known and framework and len(call.args) >= (1 if method != "fit" else 2):
            return f"calls {call.name}"
        return ""
    name = maker.rpartition(".")[2]
    if method in _LEARNERS and (
        name.endswith(("Trainer", "TrainingLoop"))
        or (known and maker.startswith(("ultralytics", "stable_baselines3")))
    ):
        return f"trains with {maker}"
    if method == "apply_gradients" and framework:
        return "applies gradients"
    if method in ("learn_one", "learn_many") and framework:
        return f"calls {call.name}"
    return ""


def _loop(file: PythonFile) -> Call | None:
    """The ``backward`` of a training loop: in a file that uses torch, with an optimizer's ``step`` beside it."""
    if (
        file.imports_any("torch", "paddle", "accelerate", "deepspeed", "lightning", "optax", "tinygrad")
        is None
    ):
        return None
    steps = any(
        call.method in ("step", "update")
        and (
            "optim" in call.receiver.lower()
            or ".optim." in call.made_by
            or "optax" in call.made_by
            or "opt" in call.receiver
        )
        or call.name.startswith("optax.apply_updates")
        for call in file.calls
    )
    if not steps:
        return None
    return next(
        (
            call
            for call in file.calls
            if call.method in ("backward", "value_and_grad") or call.name in ("jax.grad",)
        ),
        None,
    )


def within(name: str, packages: Sequence[str]) -> bool:
    """Whether a dotted name is one of these packages or something below them."""
    return any(name == each or name.startswith(f"{each}.") for each in packages)
