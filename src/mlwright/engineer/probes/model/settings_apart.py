"""Can a setting be changed without touching the code that trains?"""

import re
from collections.abc import Iterator
from typing import Final

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.learning import importing, training, training_side
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

READERS: Final = (
    "argparse", "click", "typer", "fire", "hydra", "omegaconf", "absl.flags", "absl.app", "simple_parsing", "tyro",
    "jsonargparse", "dynaconf", "configparser", "configargparse", "gin", "ml_collections", "pydantic_settings", "tap",
    "draccus", "docopt", "plac", "mlwright", "kedro", "pyrallis", "sacred", "yaml",
    "toml", "tomllib", "tomli", "box", "yacs", "confection", "metaflow", "zenml", "kfp", "mmengine.config",
)  # fmt: skip
_TUNED: Final = frozenset(
    "learning_rate lr n_estimators max_depth min_samples_leaf min_samples_split subsample colsample_bytree reg_alpha "
    "reg_lambda gamma C alpha l1_ratio epochs batch_size dropout hidden_size num_leaves iterations depth max_iter "
    "weight_decay momentum n_neighbors num_boost_round eta min_child_weight max_features num_epochs nb_epoch "
    "n_clusters n_components units kernel_size hidden_layer_sizes num_train_epochs warmup_steps".split()
)
_WORDS: Final = frozenset(map(str.lower, _TUNED))
_ENOUGH: Final = 3
# What ``alpha`` or ``depth`` mean to these is no hyperparameter.
_DRAWS: Final = (
    "matplotlib.", "seaborn.", "plotly.", "altair.", "bokeh.", "PIL.", "cv2.", "skimage.", "pandas.", "polars.",
    "rich.", "networkx.", "wordcloud.", "scipy.stats.",
)  # fmt: skip
_AXES: Final = re.compile(
    r"(^|_|\.)(axe?s?|axis|axes|fig(ure)?|plt|sns|pyplot|df|frame|chart|canvas|color)\d*(_\w+)?\.\w+$|(^|\.)(plot|hist|"
    r"scatter|fill_between|ax[hv]line|grid|imshow|bar|legend|ewm|set_alpha|savefig|kdeplot|text|annotate)\w*$"
)


def look(repository: Repository) -> Answer:
    """Look for settings that a file or a command line gives; then for hyperparameters written into the calls."""
    found = [place for _, place in importing(training(repository), *READERS)]
    found = found or [place for _, place in importing(training_side(repository), *READERS)]
    found += [
        Location(path=each.path)
        for each in repository.find("params.y*ml", "hparams.y*ml", "hyperparameters.*")
    ]
    found += [each.at() for each in repository.of_kind(DocumentKind.ML_PROJECT)]
    if found:
        return yes(f"settings come from outside the code: {found[0].path}", *found[:SHOWN])
    written = [(file, call) for file in training(repository) if not file.notebook for call in _written(file)]
    names = [
        each.keyword or ""
        for _, call in written
        for each in call.args
        if _is_literal(each.keyword, each.value)
    ]
    if len(names) >= _ENOUGH:
        places = [file.at(call) for file, call in written]
        said = f"{counted(len(names), 'hyperparameter')} as numbers in the calls: {listed(names)}"
        return no(said, *places[:SHOWN], literals=len(names))
    return unknown(
        "neither a settings file or command line nor numbers in the calls are seen where models are trained"
    )


def _written(file: PythonFile) -> Iterator[Call]:
    return (
        call
        for call in (file.calls if not _WORDS.isdisjoint(file.words) else ())
        if _has_literal(call)
        and not call.name.startswith(_DRAWS)
        and not call.made_by.startswith(_DRAWS)
        and not _AXES.search(call.name)
    )


def _has_literal(call: Call) -> bool:
    for each in call.args:  # noqa: SIM110 - asked of every call; any() costs twice as much
        if each.keyword in _TUNED and _is_literal(each.keyword, each.value):
            return True
    return False


def _is_literal(keyword: str | None, value: object) -> bool:
    return keyword in _TUNED and isinstance(value, int | float) and not isinstance(value, bool)


PROBE = Probe(
    id="model.settings_apart",
    title="hyperparameters stand apart from the code",
    why="A setting that is edited inside the code leaves no name for what was tried, and needs a commit for each try.",
    remedy="move them to params.yaml or to arguments of the command line, with today's values as defaults",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    source="Sculley et al. 2015, Configuration Debt",
)
