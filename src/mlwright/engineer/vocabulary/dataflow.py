"""What can be followed from call to call inside one function: splits, their parts, fits, targets.

Names are followed within one scope of one file, in the order of the lines; what goes through functions, attributes or
loops is not, and a question about it stays open.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.facts.code import Argument, Binding, Call, PythonFile
from mlwright.engineer.vocabulary.sides import TRANSFORMERS

SHUFFLED_FOLDS: Final = ("KFold", "StratifiedKFold", "StratifiedGroupKFold")
RANDOM_FOLDS: Final = (
    "ShuffleSplit", "StratifiedShuffleSplit", "GroupShuffleSplit", "RepeatedKFold", "RepeatedStratifiedKFold",
    "MultilabelStratifiedShuffleSplit",
)  # fmt: skip
CROSS_VALIDATION: Final = ("cross_val_score", "cross_validate", "cross_val_predict")
# What they learn is a column's names, not its values: fitted on all rows they tell the model nothing.
HARMLESS: Final = (
    "LabelEncoder", "LabelBinarizer", "MultiLabelBinarizer", "OneHotEncoder", "OrdinalEncoder", "FunctionTransformer",
    "HashingVectorizer", "FeatureHasher", "Normalizer", "Binarizer", "CountVectorizer", "PolynomialFeatures",
)  # fmt: skip


def positional(call: Call) -> tuple[Argument, ...]:
    """The arguments without keyword."""
    return tuple(each for each in call.args if each.keyword is None)


def opaque(call: Call) -> bool:
    """Whether a call takes ``*more`` or ``**more``: what is in there cannot be told."""
    for each in call.args:  # noqa: SIM110 - asked of every call; any() costs twice as much
        if each.keyword == "**" or each.text.startswith("*"):
            return True
    return False


def reads(call: Call) -> frozenset[str]:
    """The names that a call's arguments read."""
    names: set[str] = set()
    for each in call.args:
        names.update(each.names)
    return frozenset(names)


def touches(call: Call, names: frozenset[str]) -> bool:
    """Whether a call's arguments read one of these names."""
    for each in call.args:  # noqa: SIM110 - asked of every call; any() costs twice as much
        if not names.isdisjoint(each.names):
            return True
    return False


def is_split(call: Call) -> bool:
    """Whether a call cuts rows into parts by ``train_test_split`` of scikit-learn, cuML or dask-ml."""
    return call.method == "train_test_split" and call.name.startswith(("sklearn.", "cuml.", "dask_ml."))


def shuffles(call: Call) -> bool:
    """Whether a split draws rows at random: all do that are not told ``shuffle=False``."""
    given = call.argument("shuffle")
    return given is None or not given.constant or bool(given.value)


def splits(file: PythonFile) -> tuple[Call, ...]:
    """The calls of ``train_test_split`` in a file."""
    return tuple(call for call in file.called("train_test_split") if is_split(call))


def parts(file: PythonFile, scope: str | None = None) -> tuple[frozenset[str], frozenset[str]]:
    """The names that hold rows to train on, and those that hold rows to test on.

    ``train_test_split`` returns them in pairs. A second part that is called after validation is neither; nor is a name
    that is split once more.
    """
    train: set[str] = set()
    test: set[str] = set()
    again: set[str] = set()
    for call in splits(file):
        if scope is not None and call.scope != scope:
            continue
        train.update(call.results[::2])
        test.update(each for each in call.results[1::2] if not _VALIDATION.search(each))
        again |= reads(call)
    return frozenset(train - again), frozenset(test - again)


_VALIDATION: Final = re.compile(r"val|dev|tune|calib|stop|es_|_es|hold_?in", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Leak:
    """A transformer that learned from rows before they were split: its fit, and the split or fold that came after."""

    fit: Call
    split: Call


LEARNING: Final = ("fit", "fit_transform", "fit_resample")


def learns(call: Call) -> bool:
    """Whether a call lets a transformer learn values from rows (``scaler.fit_transform(X)``)."""
    return (
        call.method in LEARNING
        and call.made_by.startswith((*TRANSFORMERS, "imblearn."))
        and call.made_by.rpartition(".")[2] not in (*HARMLESS, "Pipeline", "make_pipeline")
        and bool(positional(call))
    )


def leaks(file: PythonFile) -> Iterator[Leak]:
    """Fits on all rows whose outcome goes into a later split or cross-validation of the same scope."""
    for scope in sorted({call.scope for call in file.called(*LEARNING) if learns(call)}):
        yield from _leaks(file, scope)


def _leaks(file: PythonFile, scope: str) -> Iterator[Leak]:
    """Follow what came out of a fit, line by line: ``from_fit`` maps a name to the fits that it depends on."""
    from_fit: dict[str, tuple[Call, ...]] = {}
    divided: set[str] = set()
    said: set[int] = set()
    fitted_here: dict[tuple[int, int], Call] = {}
    for step in _steps(file, scope):
        if isinstance(step, Binding):
            # A frame of which only a column is set keeps what it held.
            sources = [fitted_here[_line(step)]] if _line(step) in fitted_here else []
            sources += [each for name in step.names for each in from_fit.get(name, ())]
            for target in step.targets:
                root = target.partition(".")[0]
                if sources:
                    from_fit[root] = tuple(dict.fromkeys(sources))
                elif root == target and not (set(step.names) & {root}):
                    from_fit.pop(root, None)
            continue
        used = reads(step)
        if is_split(step) or step.method in CROSS_VALIDATION:
            for source in (each for name in sorted(used) for each in from_fit.get(name, ())):
                if source.line not in said:
                    said.add(source.line)
                    yield Leak(source, step)
            divided |= set(step.results)
        elif learns(step) and not (used & divided) and not any("train" in name.lower() for name in used):
            fitted_here[_line(step)] = step
            if step.receiver:
                from_fit[step.receiver] = (step,)


def _line(step: Call | Binding) -> tuple[int, int]:
    return step.cell or 0, step.line


def _steps(file: PythonFile, scope: str) -> list[Call | Binding]:
    """Bindings and calls of a scope in the order in which they happen: a line's calls come before its assignment."""
    mine: list[tuple[int, int, int, Call | Binding]] = [
        (each.cell or 0, each.line, 1, each) for each in file.bindings if each.scope == scope
    ]
    mine += [(each.cell or 0, each.line, 0, each) for each in file.calls if each.scope == scope]
    return [each[3] for each in sorted(mine, key=lambda each: each[:3])]


_TARGET_NAME: Final = re.compile(r"(y|Y|y_all|y_raw|y_full|target|targets|label|labels)")
_COLUMN_OF: Final = re.compile(
    r"""(\w+)(?:\[\s*["']([^"'\]]+)["']\s*\]|\.loc\[\s*:\s*,\s*["']([^"'\]]+)["']\s*\])(?:\.(?:values|to_numpy\(\)|copy\(\)))?"""
)


@dataclass(frozen=True, slots=True)
class Target:
    """``y = frame["price"]``: the name that holds the target, its frame and column, and where that is said."""

    name: str
    frame: str
    column: str
    binding: Binding


def targets(file: PythonFile) -> Iterator[Target]:
    """The assignments that take one column out of a frame as the target."""
    for each in file.bindings:
        found = _COLUMN_OF.fullmatch(each.text.strip())
        if found and len(each.targets) == 1 and _TARGET_NAME.fullmatch(each.targets[0]):
            yield Target(each.targets[0], found.group(1), found.group(2) or found.group(3), each)
