"""Was code copied from training to serving?"""

from collections import defaultdict

from mlwright.engineer.facts.code import Function, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.sides import serving_files, trains
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity

# Every program starts the same way; only code that touches values matters here.
_FRAME = ("main", "run", "parse_args", "get_args", "get_logger", "setup_logging", "setup_logger", "load_model",
          "load_config", "get_config", "save_model", "forward", "seed_everything", "set_seed")  # fmt: skip


def look(repository: Repository) -> Answer:
    """Compare the shapes of the functions that stand in training files and in serving files."""
    serving = [each for each in serving_files(repository) if not trains(each)]
    training = [each for each in repository.production if trains(each) and each not in serving]
    if not serving or not training:
        return no_question("training and serving do not stand in files of their own")
    known: dict[tuple[str, str], list[tuple[PythonFile, Function]]] = defaultdict(list)
    for file in training:
        for each in file.functions:
            known[_key(each)].append((file, each))
    pairs = [
        ((file, each), other)
        for file in serving
        for each in file.functions
        if each.shape and not _key(each)[0].startswith("__") and _key(each)[0] not in _FRAME
        for other in known.get(_key(each), ())
    ]
    if not pairs:
        return yes(f"no function of {counted(len(serving), 'serving file')} is a copy out of a training file")
    (file, each), (other_file, other) = pairs[0]
    return no(
        f"{each.name} stands in {other_file.at(other)} and again in {file.at(each)} ({each.statements} statements)",
        *[place for one, two in pairs for place in (one[0].at(one[1]), two[0].at(two[1]))][:SHOWN],
        copies=len(pairs),
    )


def _key(function: Function) -> tuple[str, str]:
    return function.name.rpartition(".")[2], function.shape


PROBE = Probe(
    id="data.no_copied_features",
    title="no function is copied between training and serving",
    why="One of the two is repaired first, and from then on the model is asked about other values than it knows.",
    remedy="move the function into a module that both import",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    source="ML Test Score (Breck et al. 2017), Monitoring 3; Google Rules of ML, rule 32",
)
