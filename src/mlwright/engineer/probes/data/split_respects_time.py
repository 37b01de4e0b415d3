"""Are rows that follow each other in time split at random?"""

import re

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.dataflow import is_split, shuffles, splits
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_TIME = re.compile(
    r"(?<![a-z])(date|time|day|month|year|week|hour|ts|ds)s?(?![a-z])|timestamp|datetime|(?-i:[a-z](Date|Time)\b)",
    re.IGNORECASE,
)
_BY_TIME = ("TimeSeriesSplit", "GroupTimeSeriesSplit", "PurgedGroupTimeSeriesSplit", "ExpandingWindowSplitter",
            "SlidingWindowSplitter", "TimeBasedCV", "temporal_train_test_split")  # fmt: skip
_FROM_EARLIER = re.compile(r"\.(shift|rolling|pct_change|ewm|expanding|diff)\(")
# Sorting by time to keep the newest row, or to number the rows of a group, is no sign of a series.
_OTHER_REASONS = (
    "drop_duplicates",
    "groupby",
    "group_by",
    "unique",
    "merge_asof",
    "tail",
    "head",
    "plot",
    "cumcount",
)


def look(repository: Repository) -> Answer:
    """Look at each random split for a sort by time or features from earlier rows of what it splits."""
    by_time = [
        file.at(call)
        for file in repository.production
        for call in file.called("train_test_split", *_BY_TIME)
        if call.method in _BY_TIME or (is_split(call) and not shuffles(call) and _dated(file, call.scope))
    ]
    by_time += [
        file.at(call) for file, call in repository.calls("mlwright.split") if call.argument("by") is not None
    ]
    strong: list[Location] = []
    weak: list[Location] = []
    for file in repository.production:
        for call in splits(file):
            if shuffles(call) and _dated(file, call.scope):
                (strong if _series(file, call) else weak).append(file.at(call))
    if strong:
        return no(
            f"{counted(len(strong), 'random split')} of rows in order of time, or that look back at earlier rows",
            *strong[:SHOWN],
            splits=len(strong),
        )
    if by_time:
        return yes("rows are split by time", *by_time[:SHOWN], splits=len(by_time))
    if weak:
        return unknown(
            "dates are parsed and the rows split at random: what the model is asked tells whether later "
            "rows may teach about earlier ones",
            *weak[:SHOWN],
        )
    return no_question("no split of rows with dates is seen")


def _dated(file: PythonFile, scope: str) -> bool:
    """Whether the same function parses dates or sorts by a column of time."""
    return any(
        (
            call.method in ("to_datetime", "strptime", "set_index")
            and any(_TIME.search(each.text) for each in call.args)
        )
        or _parses(call)
        or _sorts(call)
        for call in file.within(scope)
    )


def _parses(call: Call) -> bool:
    given = call.argument("parse_dates")
    return given is not None and not (given.constant and not given.value)


def _sorts(call: Call) -> bool:
    return call.method in ("sort_values", "sort", "sort_by", "orderBy") and any(
        _TIME.search(each.text) for each in call.args if each.keyword in (None, "by")
    )


def _series(file: PythonFile, split: Call) -> bool:
    before = [each for each in file.calls if each.scope == split.scope and each.line < split.line]
    used = _ancestors(file, split)
    for each in file.bindings:
        given = {target.partition(".")[0] for target in each.targets}
        if (
            each.scope == split.scope
            and each.line < split.line
            and (given & used or (not given and set(each.names) & used))
            and _FROM_EARLIER.search(each.text)
        ):
            return True
    return any(_sorts(each) and _of(each, used) for each in before) and not any(
        each.method in _OTHER_REASONS for each in before
    )


def _of(call: Call, used: set[str]) -> bool:
    """Whether a call belongs to one of these names: it is a method of it, or gives it."""
    return call.name.partition(".")[0] in used or any(each.partition(".")[0] in used for each in call.results)


def _ancestors(file: PythonFile, split: Call) -> set[str]:
    """The names that what is split was made from, in the same function."""
    used = {name for each in split.args for name in each.names}
    for each in sorted(file.bindings, key=lambda each: -each.line):
        given = {target.partition(".")[0] for target in each.targets}
        if each.scope == split.scope and each.line < split.line and given & used:
            used |= set(each.names)
    return used


PROBE = Probe(
    id="data.split_respects_time",
    title="rows that follow each other in time are not split at random",
    why="A model that saw Tuesday and Thursday is tested on Wednesday, and fails on next week.",
    remedy="cut by a date, train on what was before it and test on what came after (TimeSeriesSplit, shuffle=False)",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    source="Kapoor & Narayanan 2023, Leakage and the reproducibility crisis, L3.1 temporal leakage",
)
