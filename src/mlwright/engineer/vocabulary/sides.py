"""Which files train and which serve, as far as their own calls and imports tell."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from mlwright.engineer.facts.code import Function, PythonFile
from mlwright.engineer.facts.memory import remembered
from mlwright.engineer.facts.repository import Repository

WEB: Final = (
    "fastapi", "flask", "starlette", "litestar", "sanic", "quart", "falcon", "tornado.web", "aiohttp.web", "bottle",
    "chalice", "robyn", "blacksheep", "connexion", "flask_restful", "flask_restx", "apiflask", "ninja",
    "rest_framework",
)  # fmt: skip
MODEL_SERVERS: Final = (
    "bentoml", "ray.serve", "mlserver", "kserve", "litserve", "ts.torch_handler", "seldon_core", "truss", "cog",
    "triton_python_backend_utils",
)  # fmt: skip
SCREENS: Final = ("streamlit", "gradio", "dash", "shiny", "panel", "chainlit")

_TRAINING: Final = frozenset(
    ("fit", "fit_generator", "partial_fit", "train_on_batch", "backward", "fit_one_cycle")
)
_TRAINERS: Final = ("xgboost.train", "lightgbm.train", "xgboost.cv", "lightgbm.cv", "catboost.train")
# ``fit`` of these learns a column's mean or vocabulary, not a model.
TRANSFORMERS: Final = (
    "sklearn.preprocessing.",
    "sklearn.impute.",
    "sklearn.feature_extraction.",
    "sklearn.feature_selection.",
    "sklearn.decomposition.",
    "sklearn.compose.",
    "category_encoders.",
    "feature_engine.",
)


def trains(file: PythonFile) -> bool:
    """Whether a file fits a model."""
    return any(
        (call.method in _TRAINING and not call.made_by.startswith(TRANSFORMERS))
        or call.name in _TRAINERS
        or (call.method == "train" and call.made_by.rpartition(".")[2].endswith("Trainer"))
        for call in file.called(*_TRAINING, "train", "cv")
    )


def serves(file: PythonFile, screens: bool = True) -> bool:
    """Whether a file answers requests (``screens``: or shows a form to people)."""
    return file.imports_any(*WEB, *MODEL_SERVERS, *(SCREENS if screens else ())) is not None


@remembered
def training_files(repository: Repository) -> tuple[PythonFile, ...]:
    """The production files that fit a model."""
    return tuple(each for each in repository.production if trains(each))


@remembered
def serving_files(repository: Repository, screens: bool = True) -> tuple[PythonFile, ...]:
    """The production files that answer requests."""
    return tuple(each for each in repository.production if serves(each, screens))


# A feature gate or flag switches a part of the program on: it is no feature of a model.
_FEATURE_FILE: Final = re.compile(
    r"(^|/|_)(?!feature_(gates?|flags?|toggles?|stores?|servers?)(/|_|\.py$))(features?|featuri[sz]\w*|feature_\w+|preprocess\w*|transforms?|transformations?)(/|_|\.py$)"
)
_FEATURE_NAME: Final = re.compile(
    r"((build|make|create|compute|extract|add|engineer|generate|derive|calculate)_(\w+_)?features?(_\w+)?"
    r"|get_(\w+_)?features"
    r"|(feature_engineering|preprocess(_\w+)?|clean_(data|df|frame|text|dataset)|encode_(features|categoricals?)))"
)

# What keeps, reads, names or weighs features makes none.
_ABOUT_FEATURES: Final = re.compile(
    r"(load|save|read|write|dump|store|fetch|download|serialize|deserialize|is|has|plot|draw|show|print|log|test|parse"
    r"|check|validate|assert|report)_\w+|get_(historical|online|offline|all|sparse|dense)_features"
    r"|\w*feature_(names?|store|view|importances?|columns?|types?|list|flags?|service|registry|engine|spec|schema|info)(_\w+)?"
)


@remembered
def feature_functions(repository: Repository) -> tuple[tuple[PythonFile, Function], ...]:
    """The public functions that make features out of raw values, by their own name or their file's."""
    return tuple(
        (file, each)
        for file in repository.production
        if not file.notebook
        for each in file.functions
        if not each.name.rpartition(".")[2].startswith("_")
        and not _ABOUT_FEATURES.fullmatch(each.name.rpartition(".")[2])
        and (
            (
                _FEATURE_NAME.fullmatch(each.name.rpartition(".")[2])
                # A network's own ``preprocess`` is a part of the model.
                and ("." not in each.name or "feature" in each.name.rpartition(".")[2])
            )
            or (
                _FEATURE_FILE.search(file.path.lower())
                and "." not in each.name
                and each.name not in ("main", "run")
            )
        )
    )


def modules_of(file: PythonFile) -> tuple[str, ...]:
    """The dotted names under which a file may be imported: ``src/shop/features.py`` is shop.features and features."""
    parts = file.path.removesuffix(".py").removesuffix("/__init__").split("/")
    return tuple(".".join(parts[start:]) for start in range(len(parts)))


def imported(files: Iterable[PythonFile], among: Iterable[PythonFile]) -> frozenset[str]:
    """The paths of those files that one of ``files`` imports, or something of them, by any name they may have."""
    known = _names(tuple(among))
    return frozenset(path for file in files for path in _reached(file, known))


def reached(files: Iterable[PythonFile], among: Iterable[PythonFile]) -> Mapping[str, frozenset[str]]:
    """For the path of each file: the paths of those that it imports, or something of them."""
    known = _names(tuple(among))
    return {file.path: frozenset(_reached(file, known)) for file in files}


def importers(files: Iterable[PythonFile], of: Iterable[PythonFile]) -> tuple[PythonFile, ...]:
    """Those of ``files`` that import one of the others, or something of it, by any name it may have."""
    known = _names(tuple(of))
    return tuple(file for file in files if any(True for _ in _reached(file, known)))


def _names(files: tuple[PythonFile, ...]) -> Mapping[str, Mapping[str, list[str]]]:
    """The paths of files by the names under which they may be imported, apart for each first part of a name."""
    known: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for each in files:
        for name in modules_of(each):
            known[name.partition(".")[0]].setdefault(name, []).append(each.path)
    return known


def _reached(file: PythonFile, known: Mapping[str, Mapping[str, list[str]]]) -> Iterator[str]:
    for each in file.imports:
        below = known.get(each.name.partition(".")[0])
        if below is None:
            continue
        parts = each.name.split(".")
        for length in range(1, len(parts) + 1):
            yield from (path for path in below.get(".".join(parts[:length]), ()) if path != file.path)
