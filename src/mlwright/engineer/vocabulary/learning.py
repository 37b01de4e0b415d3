"""Where models are trained and what is said about them in code: one way to ask for words, metrics, kinds of model."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from mlwright.engineer.collect.fits import fits
from mlwright.engineer.facts.code import Call, PythonFile, Role
from mlwright.engineer.facts.memory import remembered
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.vocabulary.sides import TRANSFORMERS, imported, importers
from mlwright.engineer.vocabulary.sources import table_reads
from mlwright.model.findings import Location

OURS: Final = (Role.PRODUCTION, Role.TOOL, Role.EXAMPLE, Role.DOCUMENT)
_HOPS: Final = 3
_LONGEST: Final = 80

GRADIENT: Final = (
    "torch", "tensorflow", "keras", "jax", "flax", "lightning", "pytorch_lightning", "paddle", "mxnet", "fastai",
    "transformers", "accelerate",
)  # fmt: skip
"""Packages whose models learn by steps over epochs."""

METRIC: Final = re.compile(
    r"accuracy|\bacc\b|_acc\b|\bacc_|\bauc|_auc|auroc|\bf1|_f1|precision|recall|rmse|\bmse\b|_mse|\bmae\b|_mae|mape|\br2\b"
    r"|r2_|_r2\b|\bscores?\b|_scores?\b|metric|\bloss\b|_loss\b|perplexity|\bbleu|\brouge|\bwer\b|\bcer\b|map50|\biou\b"
    r"|\bdice\b|(absolute|squared|percentage)_error|classification_report|confusion_matrix|performance|brier|kappa|\bndcg|\berror_rate|silhouette",
    re.IGNORECASE,
)
"""What a figure of a model's quality is called."""


@lru_cache(maxsize=20_000)
def is_metric(text: str) -> bool:
    """Whether a short text speaks of a figure of quality; the pattern is dear, and texts come again and again."""
    return METRIC.search(text) is not None


SIMPLE: Final = frozenset(
    (
        "LinearRegression", "LogisticRegression", "Ridge", "RidgeClassifier", "Lasso", "ElasticNet", "GaussianNB",
        "MultinomialNB", "BernoulliNB", "ComplementNB", "DecisionTreeClassifier", "DecisionTreeRegressor",
        "KNeighborsClassifier", "KNeighborsRegressor", "NearestCentroid", "SGDClassifier", "SGDRegressor", "LinearSVC",
        "PoissonRegressor", "TweedieRegressor", "GammaRegressor", "OLS", "Logit", "GLM", "LogisticRegressionCV",
        "RidgeCV", "LassoCV", "ElasticNetCV", "BayesianRidge", "LinearDiscriminantAnalysis", "Perceptron",
    )
)  # fmt: skip
"""Models that serve as the simpler one beside a heavier."""

UNTUNED: Final = frozenset(
    ("LinearRegression", "GaussianNB", "OLS", "Logit", "LinearDiscriminantAnalysis", "NearestCentroid",
     "RidgeCV", "LassoCV", "ElasticNetCV", "LogisticRegressionCV")
)  # fmt: skip
"""Models with nothing to search for, or that search by themselves."""

CLASSIFIERS: Final = re.compile(
    r"(?:sklearn|xgboost|lightgbm|catboost|imblearn|cuml)\.(?:\w+\.)*(?:\w*Classifier|LogisticRegression(CV)?|(Linear|Nu)?SVC"
    r"|(Gaussian|Multinomial|Bernoulli|Complement)NB|Perceptron|(Linear|Quadratic)DiscriminantAnalysis|NearestCentroid)"
)
WRAPPERS: Final = frozenset(
    (
        "Pipeline", "make_pipeline", "GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "RFE", "RFECV",
        "HalvingRandomSearchCV", "TransformedTargetRegressor", "OneVsRestClassifier", "OneVsOneClassifier",
        "MultiOutputClassifier", "MultiOutputRegressor", "CalibratedClassifierCV", "BayesSearchCV", "ClassifierChain",
        "TunedThresholdClassifierCV", "SelfTrainingClassifier",
    )
)  # fmt: skip
"""What holds another estimator and is no model itself."""

_ESTIMATOR: Final = re.compile(
    r"\w*(?:Classifier|Regressor|Regression|NB|SVC|SVR|Discriminant\w*)|(?:Bayesian)?Ridge(?:CV)?|Lasso(?:CV)?"
    r"|ElasticNet(?:CV)?|Perceptron|OLS|Logit|GLM|NearestCentroid"
)
TABULAR: Final = ("sklearn.", "xgboost.", "lightgbm.", "catboost.", "imblearn.", "cuml.", "statsmodels.")


@remembered
def ours(repository: Repository) -> tuple[PythonFile, ...]:
    """Everything but tests and other people's code: what is done anywhere there is done."""
    return tuple(each for each in repository.python if each.role in OURS)


@remembered
def training(repository: Repository) -> tuple[PythonFile, ...]:
    """The production files that train a model."""
    paths = {each.file.path for each in fits(repository.production)}
    return tuple(each for each in repository.production if each.path in paths)


@remembered
def training_side(repository: Repository) -> tuple[PythonFile, ...]:
    """The production files that train, and those that they import, over at most three hops."""
    known = {each.path: each for each in training(repository)}
    edge: Sequence[PythonFile] = tuple(known.values())
    for _ in range(_HOPS):
        words = frozenset[str]().union(*(each.words for each in edge)) if edge else frozenset()
        reached = imported(edge, repository.production)
        near = [
            each
            for each in repository.production
            if each.path not in known
            and each.path.rpartition("/")[2].removesuffix(".py").lower() in words
            and each.path in reached
        ]
        known |= {each.path: each for each in near}
        edge = near
    return tuple(known[path] for path in sorted(known))


_WRITES: Final = re.compile(
    r"to_(csv|parquet|feather|pickle|sql|json|hdf|delta|gbq)|write_\w+|save(z|_npz|_to_disk)?|dump"
)


@remembered
def feeds(repository: Repository) -> frozenset[str]:
    """The paths of the production files that data comes through to a training.

    They are the training side, what imports it, and each step that writes a table or array for a later one.
    """
    side = training_side(repository)
    if not side:
        return frozenset(each.path for each in repository.production)
    writes = {method for each in repository.production for method in each.methods}
    writes = {method for method in writes if _WRITES.fullmatch(method)}
    writing = [each for each in repository.production if not writes.isdisjoint(each.methods)]
    return frozenset(each.path for each in (*side, *importers(repository.production, side), *writing))


def models(files: Iterable[PythonFile]) -> tuple[tuple[PythonFile, Call], ...]:
    """The fits of supervised models by libraries with a ``fit(X, y)``: each file and call."""
    return tuple(
        (file, call)
        for file in files
        for call in file.called("fit")
        if call.made_by.startswith(TABULAR)
        and not call.made_by.startswith(TRANSFORMERS)
        and (len([each for each in call.args if each.keyword is None]) >= 2 or call.argument("y") is not None)
    )


@remembered
def tabular(repository: Repository) -> bool:
    """Whether models are trained on tables: by a library with ``fit(X, y)``, or where a table is read."""
    files = training(repository)
    paths = {each.path for each in files}
    return (
        bool(models(files))
        or any(file.path in paths for file, _ in table_reads(repository))
        or any(each.imports_any("mlwright") for each in files)
    )


@remembered
def kinds(files: tuple[PythonFile, ...]) -> frozenset[str]:
    """The classes of the estimators that are fitted by ``fit(X, y)``.

    A pipeline, a search or a list that is gone through hides them: then those count that the same files make.
    """
    fitted = models(files)
    paths = {file.path for file, _ in fitted}
    made = {
        call.method
        for file in files
        if file.path in paths
        for call in file.called(*filter(_is_estimator, file.methods))
        if call.name.startswith(TABULAR)
    }
    return frozenset(made | {kind(call) for _, call in fitted}) - WRAPPERS


@lru_cache(maxsize=10_000)
def _is_estimator(name: str) -> bool:
    return _ESTIMATOR.fullmatch(name) is not None


def kind(call: Call) -> str:
    """The class whose ``fit`` this is."""
    return call.made_by.rpartition(".")[2]


def said(files: Iterable[PythonFile], words: frozenset[str]) -> list[tuple[str, Location]]:
    """The files that use one of these words (in lower case) as a name or a short text: the word and its place."""
    found = []
    for file in files:
        there = words & file.words
        if there:
            word = min(there)
            found.append((word, _place(file, word)))
    return found


def _place(file: PythonFile, word: str) -> Location:
    for each in file.imports:
        if each.name.rpartition(".")[2].lower() == word:
            return file.at(each)
    for call in file.calls:
        if call.method.lower() == word:
            return file.at(call)
        for arg in call.args:
            if str(arg.keyword).lower() == word:
                return file.at(call)
    for function in file.functions:
        if function.name.rpartition(".")[2].lower() == word:
            return file.at(function)
    return Location(path=file.path)


def matching(files: Sequence[PythonFile], pattern: str) -> list[tuple[str, Location]]:
    """The files with a word (in lower case) that is this regular expression as a whole: the word and its place."""
    wanted = re.compile(pattern)
    spoken = _spoken(tuple(files))
    matched = frozenset(word for word in spoken if wanted.fullmatch(word))
    if not matched:
        return []
    there = [(file, matched & file.words) for file in files]
    return [(min(words), _place(file, min(words))) for file, words in there if words]


@remembered
def _spoken(files: tuple[PythonFile, ...]) -> frozenset[str]:
    """The words of all these files together, as they share most of them; very long ones are left out."""
    spoken = frozenset[str]().union(*(each.words for each in files))
    return frozenset(word for word in spoken if len(word) <= _LONGEST)


def importing(files: Iterable[PythonFile], *packages: str) -> list[tuple[str, Location]]:
    """The files that import one of these packages: the package and the place."""
    found = []
    for file in files:
        place = file.imports_any(*packages)
        if place is not None:
            names = [each for each in packages if place.name == each or place.name.startswith(f"{each}.")]
            found.append((max(names, key=len), file.at(place)))
    return found


def mentions_gpu(file: PythonFile) -> bool:
    """Whether a file speaks of a graphics card or of several machines."""
    return not _GPU.isdisjoint(file.words)


_GPU: Final = frozenset(
    "cuda cuda:0 gpu gpus device_count nccl tpu distributeddataparallel xla mps devices".split()
)
