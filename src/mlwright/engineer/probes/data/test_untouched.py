"""Is the test set kept out of early stopping and tuning?"""

import re

from mlwright.engineer.facts.code import Argument, Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.dataflow import parts, touches
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_WATCHED = ("eval_set", "validation_data", "valid_sets", "evals", "eval_dataset", "X_val", "eval_data")
_WATCHED_WORDS = frozenset(map(str.lower, _WATCHED))
_SCORES = ("predict", "predict_proba", "score", "evaluate", "decision_function")
_STOPS = re.compile(
    r"early_?stop|use_best_model|save_best_only|load_best_model_at_end|best_iteration|od_wait", re.IGNORECASE
)
_METRIC = re.compile(r"score|loss|error|auc|report|matrix|mse|mae|rmse|r2|accuracy|f1", re.IGNORECASE)


def look(repository: Repository) -> Answer:
    """Follow the test part of each split into what chooses a model, and out to its score."""
    kept: list[Location] = []
    touched: list[Location] = []
    names: set[str] = set()
    for file in repository.production:
        for scope in sorted({call.scope for call in file.called("train_test_split")}):
            test = parts(file, scope)[1]
            if not test:
                continue
            trials = _trials(file)
            scored = [call for call in file.calls if call.scope not in trials and _scores(call, test)]
            may = bool(trials) or not _WATCHED_WORDS.isdisjoint(file.words)
            chosen = [call for call in file.calls if _chooses(file, call, test, trials)] if may else []
            for call in chosen if scored else ():
                touched.append(file.at(call))
                names |= test
            if scored and not chosen:
                kept.append(file.at(scored[0]))
    if touched:
        return no(
            f"{listed(names)} stop or tune the training at {counted(len(touched), 'place')}, and give the score too",
            *touched[:SHOWN],
            places=len(touched),
        )
    if kept:
        return yes(f"{counted(len(kept), 'test set')} only scored", *kept[:SHOWN], test_sets=len(kept))
    return no_question("no test set is cut off and scored in a way that can be followed")


def _scores(call: Call, test: frozenset[str]) -> bool:
    return touches(call, test) and (call.method in _SCORES or bool(_METRIC.search(call.method)))


def _chooses(file: PythonFile, call: Call, test: frozenset[str], trials: frozenset[str]) -> bool:
    """Whether a call lets the test part decide: when to stop, which round to keep, or the score of a trial."""
    watched: set[str] = set()
    for given in call.args:
        if given.keyword in _WATCHED:
            watched.update(given.names)
    for each in file.bindings if watched else ():  # ``eval_set = [(X_test, y_test)]`` a line above
        if each.scope == call.scope and watched & set(each.targets) and each.line < call.line:
            watched |= set(each.names)
    if watched & test:
        near = [each for each in file.calls if each is call or each.results == (call.receiver,)]
        return any(_says_stop(each) for one in near for each in one.args) or _called_back(file, call)
    return call.scope in trials and _scores(call, test)


def _says_stop(argument: Argument) -> bool:
    return bool(_STOPS.search(f"{argument.keyword} {argument.text}")) and argument.text not in (
        "None",
        "False",
    )


def _called_back(file: PythonFile, call: Call) -> bool:
    """Whether one of the callbacks stops early: it is made by such a call, or stands in a list that holds one."""
    given = call.argument("callbacks")
    names = set(given.names) if given is not None else set()
    for each in file.bindings:
        if names & set(each.targets):
            names |= set(each.names)
    stops = {name for each in file.calls if _STOPS.search(each.name) for name in each.results}
    return bool(names & stops) or any(_STOPS.search(name) for name in names)


def _trials(file: PythonFile) -> frozenset[str]:
    """The functions that are the objective of a search: Optuna hands them a trial."""
    if file.imports_any("optuna") is None:
        return frozenset()
    return frozenset(each.name for each in file.functions if "trial" in each.parameters)


PROBE = Probe(
    id="data.test_untouched",
    title="the test set chooses nothing: no early stopping, no tuning",
    why="A score on rows that picked the model is the best of many tries, not what will come.",
    remedy="cut a third part for eval_set and tuning, or use cross-validation inside the training part",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="Hastie, Tibshirani & Friedman, Elements of Statistical Learning, 7.2; Kapoor & Narayanan 2023, L1.1",
)
