"""Are metrics computed on rows that the model has not seen?"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.dataflow import positional
from mlwright.engineer.vocabulary.learning import METRIC, kind, models, ours, said, training
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity

_OTHER_ROWS: Final = re.compile(
    r"(?<![A-Za-z])(?:[Tt]est|te|[Vv]al|[Vv]alid|[Vv]alidation|hold|[Hh]oldout|heldout|[Ee]val|[Dd]ev|oos)"
    r"\d?(?![A-Za-z])|[Xxy](?:test|val|te)\b|(?:test|val|eval|valid|holdout)(?:set|data|loader|gen|ds|X|Y|y)"
    r"|[a-zX](?:Test|Val|Eval|Holdout)(?![a-z])"
)
_WORDS: Final = frozenset(
    "val_loss valid_loss best_val_loss validation_loss test_loss val_data test_data val_loader test_loader x_test "
    "cross_val_score cross_validate cross_val_predict validation_split validation_data eval_set eval_dataset "
    "valid_sets kfold stratifiedkfold timeseriessplit groupkfold repeatedkfold leaveoneout gridsearchcv "
    "randomizedsearchcv validation_step test_step val_dataloader test_dataloader validation_loader oob_score "
    "oob_score_ shufflesplit validation_dataloader eval_steps evaluation_strategy eval_strategy "
    "historical_forecasts stratifiedshufflesplit compare_models backtest train_test_split random_split "
    "nested_cv leaveonegroupout valid_pct splitter".split()
)
_ASKS: Final = ("predict", "predict_proba", "score", "evaluate", "decision_function")


def look(repository: Repository) -> Answer:
    """Look for an evaluation on other rows anywhere; without one, for scores on the very rows of the fit."""
    files = ours(repository)
    apart = [file.at(call) for file in files for call in file.calls if _asks_others(call)]
    if apart:
        return yes(f"evaluated on other rows at {apart[0]}", *apart[:SHOWN], places=len(apart))
    found = said(files, _WORDS) or [
        (call.name, file.at(call)) for file, call in repository.calls("mlwright.split", "mlwright.evaluate")
    ]
    if found:
        return yes(f"{found[0][0]} keeps rows apart", *[place for _, place in found][:SHOWN])
    same = [(file, fit, ask) for file, fit in models(training(repository)) for ask in _asked_again(file, fit)]
    if same:
        names = listed(kind(fit) for _, fit, _ in same)
        said_of = f"{names} is scored on the rows that it was fitted on, and nowhere on others"
        return no(said_of, *[file.at(ask) for file, _, ask in same][:SHOWN], scores=len(same))
    return unknown("no evaluation of a model is seen")


def _asks_others(call: Call) -> bool:
    return _asks(call.method) and any(_OTHER_ROWS.search(each.text) for each in call.args)


@lru_cache(maxsize=20_000)
def _asks(method: str) -> bool:
    return method in _ASKS or METRIC.search(method) is not None


def _asked_again(file: PythonFile, fit: Call) -> Iterator[Call]:
    """The scores of a model on the arrays of its fit: by ``score``, or by a metric of what it predicts for them."""
    given = [each.text for each in positional(fit)[:2]] + [
        each.text for each in fit.args if each.keyword == "y"
    ]
    model = fit.receiver or next(iter(fit.results), "")
    if len(given) != 2 or not model:
        return
    x, y = given
    answers: set[str] = set()
    for call in file.calls:
        if call.scope != fit.scope or call.line < fit.line:
            continue
        args = [each.text for each in positional(call)]
        if call.receiver == model and call.method == "score" and args[:2] == [x, y]:
            yield call
        elif call.receiver == model and call.method in ("predict", "predict_proba") and args[:1] == [x]:
            answers |= set(call.results)
        elif (
            y in args
            and METRIC.search(call.method)
            and (
                answers & set(args)
                or any(re.match(rf"{re.escape(model)}\.predict(_proba)?\({re.escape(x)}\)", a) for a in args)
            )
        ):
            yield call


PROBE = Probe(
    id="model.evaluated_apart",
    title="metrics are computed on rows that the model has not seen",
    why="A forest knows its training rows by heart: the score on them says nothing about tomorrow's.",
    remedy="train_test_split (or a cut by date), fit on the first part, score on the second",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    source="Hastie, Tibshirani & Friedman, Elements of Statistical Learning, 7.2; Kapoor & Narayanan 2023, L1.1",
)
