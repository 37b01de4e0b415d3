"""Does every random split give the same rows again?"""

from collections.abc import Iterator

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.dataflow import (
    RANDOM_FOLDS,
    SHUFFLED_FOLDS,
    is_split,
    opaque,
    positional,
    shuffles,
)
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_GLOBAL = ("*random.seed", "*seed_everything", "*set_seed", "*set_random_seed", "*manual_seed", "*set_seeds",
           "*seed_all", "*fix_seed", "*setup_seed", "*fix_random_seed", "*set_global_seed")  # fmt: skip


def look(repository: Repository) -> Answer:
    """Ask each split that draws rows for its seed; a seed for the whole process counts where it is set."""
    drawn = [(file, call, _seeded(call)) for file in repository.production for call in _random_splits(file)]
    if not drawn:
        return no_question("no random split is made here")
    loose = [(file, call) for file, call, seeded in drawn if not seeded]
    values = {"splits": len(drawn), "unseeded": len(loose)}
    if not loose:
        said = f"{counted(len(drawn), 'random split')}, each with a seed"
        return yes(said, *[file.at(call) for file, call, _ in drawn][:SHOWN], **values)
    places = [file.at(call) for file, call in loose][:SHOWN]
    seeding = {file.path for file, _ in repository.calls(*_GLOBAL)}
    if seeding.issuperset(file.path for file, _ in loose):
        said = f"{counted(len(loose), 'split')} of {len(drawn)} without a seed, in files that set one for all"
        return yes(said, *places, **values)
    if seeding:
        where = min(seeding)
        return unknown(
            f"{counted(len(loose), 'split')} of {len(drawn)} without a seed; {where} sets one for the whole process, "
            "if it runs before them",
            *places,
            **values,
        )
    return no(f"{len(loose)} of {counted(len(drawn), 'random split')} without a seed", *places, **values)


def _random_splits(file: PythonFile) -> Iterator[Call]:
    for call in file.called(
        "train_test_split", "random_split", "randomSplit", *SHUFFLED_FOLDS, *RANDOM_FOLDS
    ):
        if opaque(call):
            continue
        if is_split(call) or (
            call.method == "train_test_split" and call.receiver and file.imports_any("datasets")
        ):
            if shuffles(call):
                yield call
        elif call.method in SHUFFLED_FOLDS and call.name.startswith("sklearn."):
            given = call.argument("shuffle")
            if given is not None and given.value is True:
                yield call
        elif (
            (call.method in RANDOM_FOLDS and call.name.startswith("sklearn."))
            or call.name in _TORCH
            or (call.method == "randomSplit" and positional(call))
        ):
            yield call


_TORCH = ("torch.utils.data.random_split", "torch.utils.data.dataset.random_split")


def _seeded(call: Call) -> bool:
    """Whether a split names a seed that is not None, by any of the words that libraries have for it."""
    for each in call.args:
        if each.keyword in ("random_state", "seed", "generator", "data_seed"):
            return not (each.constant and each.value is None)
    return call.method == "randomSplit" and len(positional(call)) > 1


PROBE = Probe(
    id="data.split_seeded",
    title="every random split has a seed",
    why="Two runs then differ by the rows they drew, and nobody can tell that from a better model.",
    remedy="pass random_state=42 (generator=torch.Generator().manual_seed(42), seed=42) to each split",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    fix="seed",
    source="ML Test Score (Breck et al. 2017), Infrastructure 1; scikit-learn user guide, Controlling randomness",
)
