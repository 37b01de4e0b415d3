"""Does one model learn from another whose version nobody knows?"""

import re
from collections.abc import Iterator
from typing import Final

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.dataflow import reads
from mlwright.engineer.vocabulary.learning import models, training
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_LOADED: Final = re.compile(r"(joblib|pickle|cloudpickle|dill|mlflow(\.\w+)*|skops\.io)\.load(_model)?")
_VERSION: Final = re.compile(r"models:/[^/@]+[/@]|\bv?\d+\.\d+|version|revision|sha", re.IGNORECASE)


def look(repository: Repository) -> Answer:
    """Follow answers of a model that become a column of a frame into the fit of another, within one function."""
    files = training(repository)
    found = [(file, first, second) for file in files for first, second in _cascades(file)]
    loaded = [
        each for each in found if _LOADED.fullmatch(each[1].made_by) and not _versioned(each[0], each[1])
    ]
    if loaded:
        file, first, second = loaded[0]
        said = f"answers of {first.receiver}, loaded from an unversioned file, are a feature at {file.at(second)}"
        return no(said, *_places(loaded), cascades=len(found))
    if found:
        said = f"{counted(len(found), 'model')} learned from the answers of another: meant so, as in stacking, or not"
        return unknown(said, *_places(found), cascades=len(found))
    if not models(files):
        return no_question("no model with fit(X, y) is seen")
    return yes("no answer of one model is a feature of another, as far as it can be followed", cascades=0)


def _places(found: list[tuple[PythonFile, Call, Call]]) -> list[Location]:
    return [file.at(first) for file, first, _ in found][:SHOWN]


def _cascades(file: PythonFile) -> Iterator[tuple[Call, Call]]:
    for first in file.calls:
        if first.method not in ("predict", "predict_proba") or not first.receiver:
            continue
        frames = {
            name.partition(".")[0] for name in first.results if "." in name and not name.startswith("self.")
        }
        for _, fit in models((file,)):
            later = fit.scope == first.scope and fit.cell == first.cell and fit.line > first.line
            if later and fit.receiver != first.receiver and frames & reads(fit):
                yield first, fit
                break


def _versioned(file: PythonFile, call: Call) -> bool:
    makers = [each for each in file.calls if call.receiver in each.results]
    return any(_VERSION.search(arg.text) for each in makers for arg in each.args)


PROBE = Probe(
    id="model.simple_composition",
    title="no model learns from another's answers without a version",
    why="When the first model is retrained, the second one gets worse and nobody changed it.",
    remedy="load the first model by its version (models:/name/3), or train both in one pipeline",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    effort=Effort.DAYS,
    source="Sculley et al. 2015, Entanglement and Correction Cascades",
)
