"""Is the model good for every part of those it is meant for?"""

from collections.abc import Iterator
from typing import Final

from mlwright.engineer.facts.code import PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.learning import importing, is_metric, matching, ours, tabular, training
from mlwright.engineer.vocabulary.sections import sections
from mlwright.engineer.vocabulary.sources import only_bundled
from mlwright.engineer.vocabulary.words import SHOWN
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_PACKAGES: Final = (
    "fairlearn", "tensorflow_model_analysis", "aequitas", "aif360", "giskard", "deepchecks.tabular", "sliceguard",
    "domino", "robustness_gym", "checklist", "responsibleai", "raiwidgets", "fairness_indicators", "meerkat",
)  # fmt: skip
_NAMED: Final = (
    r"metricframe|slicingspec|(\w*_)?(slice|subgroup|segment|cohort|group|site|region|country)_?"
    r"(metrics?|scores?|performance|evaluation|accuracy|auc|rmse|mae|errors?)"
    r"|(\w*_)?(metrics?|scores?|performance|evaluate|evaluation|accuracy|auc|rmse|mae|errors?|results?)_"
    r"(by|per)_(?!epoch|fold|step|iter|batch|class|model|horizon|second|run|trial)\w+"
    r"|(\w*_)?(by|per)_(slice|segment|group|subgroup|cohort|region|country|category|site|store|bucket)(_\w+)?"
    r"|data_slices?|eval_slices?|slice_(fn|functions?|columns?)|sensitive_features"
)

_NEAR: Final = 4


def look(repository: Repository) -> Answer:
    """Look for metrics by group: a package, a name that says so, or a metric applied to groups of a frame."""
    files = ours(repository)
    found = importing(files, *_PACKAGES) or matching(files, _NAMED)
    if found:
        return yes(f"{found[0][0]} looks at parts", *[place for _, place in found][:SHOWN])
    grouped = [
        file.at(call)
        for file in files
        for call in file.calls
        if "groupby" in call.name
        and ".groupby." in f".{call.name}"
        and any(is_metric(arg.text) for arg in call.args)
    ]
    grouped += [at for file in files for at in _looped(file)]
    if grouped:
        return yes(f"a metric is computed by group at {grouped[0]}", *grouped[:SHOWN])
    written = sections(
        repository, r".*\b(slices|subgroups?|per[- ](group|segment|region|class)|disaggregated)\b.*"
    )
    if written:
        return yes(f'written down under "{written[0].title}"', *[each.at for each in written][:SHOWN])
    if only_bundled(repository):
        return no_question("the only data seen is public; which parts would matter nobody can say")
    if not tabular(repository):
        return unknown("no table is read, and which parts of images, text or sound matter cannot be told")
    return no(
        "one figure for all rows, none by group", *[Location(path=each.path) for each in training(repository)]
    )


def _looped(file: PythonFile) -> Iterator[Location]:
    """Metrics in the loop over the groups of a frame: ``for name, part in frame.groupby(…)``."""
    groups = [call for call in file.called("groupby", "group_by") if not call.looped]
    for call in file.calls if groups else ():
        if call.looped and is_metric(call.method):
            near = (
                each.scope == call.scope and each.cell == call.cell and 0 < call.line - each.line <= _NEAR
                for each in groups
            )
            if any(near):
                yield file.at(call)


PROBE = Probe(
    id="model.slices_evaluated",
    title="metrics are computed for the parts that matter",
    why="An average hides the region or device on which the model is worse than nothing.",
    remedy="compute the metric with frame.groupby(column) on the test part for two columns that matter; log the worst",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    source="ML Test Score (Breck et al. 2017), Model 6",
)
