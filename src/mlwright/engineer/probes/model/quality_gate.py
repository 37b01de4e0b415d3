"""Can a bad model be released?"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from mlwright.engineer.facts.code import Call, Comparison, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.artifacts import kept_by_training
from mlwright.engineer.vocabulary.learning import is_metric, matching, ours, said
from mlwright.engineer.vocabulary.signs import signs
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_CALLS: Final = (
    "mlwright.gate", "mlflow.validate_evaluation_results", "mlflow.models.MetricThreshold", "*.MetricThreshold",
    "*.GenericValueThreshold", "*.GenericChangeThreshold", "*.ConditionStep", "*.ModelBlessing", "kfp.dsl.Condition",
    "kfp.dsl.If", "*.assert_model_quality", "*.quality_gate",
)  # fmt: skip
_STOPS: Final = re.compile(r"(\w+\.)*(exit|SystemExit|\w*Error|\w*Exception|fail|AirflowSkipException|abort)")
_KEEPS: Final = re.compile(
    r"(\w+\.)*\w*(register|promot|deploy|publish|dump|save|log_model|upload|transition_model|set_registered|copy|push)\w*"
)
_DECIDES: Final = re.compile(
    r"gate|promot|accept|approv|deploy|decid|is_better|champion|bless|should_|validate_model|check_"
)
_GATE_WORDS: Final = (
    r"(\w*_)?(quality_gate|champion|challenger|bless(ed|ing)|promote\w*|is_accepted|model_accepted|acceptance)(_\w+)?"
    r"|(min|minimum|required|accept\w*)_(\w+_)?(accuracy|acc|auc|f1|r2|score|precision|recall|metric)(_\w+)?"
    r"|max(imum)?_(\w+_)?(rmse|mae|mape|mse|error)|(\w+_)?(accuracy|auc|f1|r2|rmse|mae|metric|performance)_threshold"
)
_BEST: Final = r"(\w*_)?(best|checkpoint|ckpt)(_\w+)?"
_NEAR: Final = 12


def look(repository: Repository) -> Answer:
    """Look for a step that compares a metric and then stops, raises or keeps; then for anything that might be one."""
    found = list(signs(repository, calls=_CALLS)) or said(
        ours(repository), frozenset(("validation_thresholds",))
    )
    if found:
        return yes(f"{found[0][0]} can stop a release", *[place for _, place in found][:SHOWN])
    compared = [(file, each) for file in repository.production for each in _compared(file)]
    gates = [(file, each) for file, each in compared if _has_consequence(file, each)]
    tested = [
        (file, each) for file in repository.tests for each in _compared(file) if _FIGURE.search(each.text)
    ]
    if gates or tested:
        file, comparison = (gates or tested)[0]
        said_of = f"{file.at(comparison)} compares: {comparison.text}"
        return yes(said_of, *[file.at(each) for file, each in gates or tested][:SHOWN])
    return _without(repository, [file.at(each) for file, each in compared])


_FIGURE: Final = re.compile(r"accuracy|\bacc\b|auc|f1|r2|rmse|\bmae\b|recall|precision", re.IGNORECASE)


def _without(repository: Repository, compared: list[Location]) -> Answer:
    """What can be said where no gate is seen: a comparison that leads nowhere, or a word, leaves it open."""
    if compared:
        return unknown(
            "metrics are compared, but whether that can stop a release cannot be told", *compared[:SHOWN]
        )
    words = matching(ours(repository), _GATE_WORDS)
    words += [
        (f"a step of {workflow.host}", step.at)
        for workflow in repository.workflows
        for step in workflow.running(
            r"threshold", r"\bgate\b", r"min[-_](accuracy|auc|f1|score)", r"cml\b", r"dvc metrics diff"
        )
    ]
    if words:
        return unknown(f"{words[0][0]} may be a gate", *[place for _, place in words][:SHOWN])
    kept = [each for each in kept_by_training(repository) if not each.file.notebook]
    if not kept:
        return unknown("nothing is seen that keeps a trained model, so neither is what might stop it")
    if all("torch.save" in each.format and matching((each.file,), _BEST) for each in kept):
        places = [each.file.at(each.call) for each in kept]
        return unknown(
            "checkpoints are kept; which is released, and on what grounds, cannot be told", *places[:SHOWN]
        )
    paths = {each.file.path for each in kept}
    said_of = f"{listed(paths)} {'keeps' if len(paths) == 1 else 'keep'} the model whatever its metrics are"
    return no(said_of, *[each.file.at(each.call) for each in kept][:SHOWN], saves=len(kept))


def _compared(file: PythonFile) -> Iterator[Comparison]:
    computed = _computed(file) if file.comparisons else {}
    stops = _stops(file) if file.comparisons else []
    return (
        each
        for each in file.comparisons
        if is_metric(each.text)
        or (each.scope in computed and not computed[each.scope].isdisjoint(_NAME.findall(each.text)))
        or any(_right_below(each, call) for call in stops)
    )


_NAME: Final = re.compile(r"[A-Za-z_]\w*")


def _computed(file: PythonFile) -> Mapping[str, set[str]]:
    """The names that a metric's call gave in each function: ``found = roc_auc_score(…)``."""
    computed: dict[str, set[str]] = {}
    for call in file.calls:
        if call.results and is_metric(call.method):
            computed.setdefault(call.scope, set()).update(call.results)
    return computed


def _stops(file: PythonFile) -> list[Call]:
    """The calls that stop and name a metric in their message."""
    methods = (each for each in file.methods if _may_stop(each))
    return [
        call
        for call in file.called(*methods)
        if _STOPS.fullmatch(call.name) and any(is_metric(each.text) for each in call.args)
    ]


@lru_cache(maxsize=10_000)
def _may_stop(method: str) -> bool:
    return _STOPS.fullmatch(method) is not None


def _right_below(comparison: Comparison, call: Call) -> bool:
    return (
        call.scope == comparison.scope
        and call.cell == comparison.cell
        and comparison.line <= call.line <= comparison.line + 2
    )


def _has_consequence(file: PythonFile, comparison: Comparison) -> bool:
    """Whether something stops or is kept just below, or the function around is there to decide."""
    if comparison.looped:
        return False
    if comparison.asserted or _DECIDES.search(comparison.scope.lower()):
        return True
    return any(
        comparison.line <= call.line <= comparison.line + _NEAR
        and call.cell == comparison.cell
        and (_STOPS.fullmatch(call.name) or _KEEPS.fullmatch(call.name.lower()))
        for call in file.within(comparison.scope)
    )


PROBE = Probe(
    id="model.quality_gate",
    title="a model that misses a metric cannot be released",
    why="The night on which the labels come empty, the job is green and the useless model is live.",
    remedy='gate(scores.auc > 0.8, "...") in the pipeline; or: if auc < 0.8: sys.exit("AUC below 0.8") before saving',
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    source="ML Test Score (Breck et al. 2017), Infrastructure 4; Google, MLOps level 1, model validation",
)
