"""Does the target stay among the features?"""

import re

from mlwright.engineer.facts.code import Binding, Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.dataflow import Target, targets
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

# With these a target's own past is an input, or a later step picks the columns.
_OTHER_WAYS = frozenset(
    "shift lag lags window windows sequence sequences timesteps time_step lookback look_back lstm gru rnn simplernn "
    "horizon rolling timeseriesgenerator columntransformer make_column_transformer make_column_selector columnselector "
    "dataframemapper rformula vectorassembler inputcols".split()
)
_TAKES_OUT = (
    "drop",
    "pop",
    "filter",
    "select",
    "select_dtypes",
    "reindex",
    "difference",
    "remove",
    "loc",
    "drop_columns",
)
_WHOLE = re.compile(r"(\w+)(\.copy\(\)|\.values|\.to_numpy\(\)|\.iloc\[:,\s*:\]|\.astype\([\w.\"']+\))*")
_DROPS_OTHERS = re.compile(
    r"(\w+)\.drop\((?:columns=|labels=)?\[?[^\[\]()]*\]?(?:,\s*axis=(?:1|['\"]columns['\"]))?,?\s*\)"
)
_PICKED = re.compile(r"(\w+)(?:\.loc\[\s*:\s*,)?\s*\[\s*\[?([^\[\]]*)\]\s*\]?")


def look(repository: Repository) -> Answer:
    """Follow each ``y = frame["t"]`` to the ``X`` that is made from the same frame in the same function."""
    dropped: list[tuple[str, Location]] = []
    kept: list[tuple[str, Location]] = []
    lost: list[tuple[str, Location]] = []
    for file in repository.production:
        for target in targets(file):
            verdict = _verdict(file, target)
            {True: dropped, False: kept, None: lost}[verdict].append((target.column, file.at(target.binding)))
    if kept:
        return no(
            f"{kept[0][0]} is the target and one of the columns that {counted(len(kept), 'model')} learned from",
            *[at for _, at in kept][:SHOWN],
            targets=len(kept),
        )
    if dropped:
        said = f"{counted(len(dropped), 'target')} taken out of the features"
        return yes(said, *[at for _, at in dropped][:SHOWN], targets=len(dropped))
    if lost:
        return unknown(
            "which columns the features keep beside the target cannot be followed",
            *[at for _, at in lost][:SHOWN],
        )
    return no_question("no target is taken out of a frame by its name")


def _verdict(file: PythonFile, target: Target) -> bool | None:
    """True where the target is out of ``X``, False where it surely is in, None where it cannot be told."""
    scope = target.binding.scope
    near = [each for each in file.bindings if each.scope == scope and each is not target.binding]
    inputs = [each for each in near if _is_input(each) and target.frame in each.names]
    if any(_removes(each, target) for each in inputs) or _gone(file, target):
        return True
    if not _OTHER_WAYS.isdisjoint(file.words) or len(inputs) != 1 or _touched(file, target, inputs[0]):
        return None
    (binding,) = inputs
    text = binding.text.strip()
    picked = _PICKED.fullmatch(text)
    if picked and picked.group(1) == target.frame:
        columns = binding.strings or _columns_of(file, picked.group(2).strip(), scope)
        return None if not columns else target.column not in columns
    whole = _WHOLE.fullmatch(text) or (
        _DROPS_OTHERS.fullmatch(text) if binding.names == (target.frame,) else None
    )
    if whole is None or whole.group(1) != target.frame or not _fitted(file, binding, near):
        return None
    return False


def _touched(file: PythonFile, target: Target, inputs: Binding) -> bool:
    """Whether the frame is narrowed or given anew in a way that was not followed."""
    lines = {inputs.line, target.binding.line}
    first, last = min(lines), max(lines)
    again = any(
        target.frame in each.targets and first < each.line < last
        for each in file.bindings
        if each.scope == target.binding.scope
    )
    return again or any(
        call.receiver == target.frame
        and call.method in _TAKES_OUT
        and call.line not in lines
        and first < call.line
        for call in file.calls
        if call.scope == target.binding.scope
    )


def _is_input(binding: Binding) -> bool:
    return len(binding.targets) == 1 and binding.targets[0] in (
        "X",
        "x",
        "X_all",
        "X_raw",
        "features",
        "X_full",
    )


def _removes(binding: Binding, target: Target) -> bool:
    return "drop" in binding.text and (target.column in binding.strings or not binding.strings)


def _gone(file: PythonFile, target: Target) -> bool:
    """Whether the column is popped, deleted or dropped from the frame in place."""
    for call in file.calls:
        takes = call.receiver in (target.frame, "X") and call.method in ("pop", "drop")
        if takes and any(target.column in each.text for each in call.args):
            return True
    return any(
        each.text == "del" and f"{target.frame}.{target.column}" in each.targets for each in file.bindings
    )


def _columns_of(file: PythonFile, name: str, scope: str) -> tuple[str, ...]:
    """What a list of columns holds that is written out once, in the same function or at module level."""
    found = [each for each in file.bindings if name in each.targets and each.scope in (scope, "")]
    return found[0].strings if len(found) == 1 and found[0].text[:1] in "[(" and not found[0].names else ()


def _fitted(file: PythonFile, binding: Binding, near: list[Binding]) -> bool:
    """Whether ``X`` goes into a split or a fit as it is: nothing renames, narrows or takes away before that."""
    name = binding.targets[0]
    if any(
        name in each.targets or f"{name}." in "".join(each.targets) for each in near if each is not binding
    ):
        return False
    calls = [each for each in file.calls if each.scope == binding.scope]
    if any(each.receiver == name and each.method in _TAKES_OUT for each in calls):
        return False
    return any(_learns_from(each, name) for each in calls)


def _learns_from(call: Call, name: str) -> bool:
    known = call.made_by.startswith(
        ("sklearn.", "xgboost.", "lightgbm.", "catboost.")
    ) and not call.made_by.endswith("ipeline")
    first = call.args[0].text if call.args else ""
    return first == name and ((call.method == "fit" and known) or call.method == "train_test_split")


PROBE = Probe(
    id="data.target_dropped",
    title="the target is not among the features",
    why="The model copies the answer: perfect offline, worthless on a row whose answer is not known yet.",
    remedy='take it out before the fit: X = frame.drop(columns=["target"])',
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="Kapoor & Narayanan 2023, Leakage and the reproducibility crisis, L2",
)
