"""Is anything fitted on all rows before they are split?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.dataflow import (
    CROSS_VALIDATION,
    LEARNING,
    leaks,
    learns,
    parts,
    reads,
    splits,
)
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Follow each transformer's fit to the splits of the same function."""
    found = [(file, leak) for file in repository.production for leak in leaks(file)]
    if found:
        _, leak = found[0]
        what = leak.fit.made_by.rpartition(".")[2] or leak.fit.name
        more = f"; {len(found) - 1} more" if len(found) > 1 else ""
        return no(
            f"{what} is fitted on all rows before {leak.split.method} at line {leak.split.line}{more}",
            *[file.at(leak.fit) for file, leak in found][:SHOWN],
            leaks=len(found),
        )
    cuts = [file.at(call) for file in repository.production for call in splits(file)]
    folds = [file.at(each) for file, each in repository.calls(*(f"*{name}" for name in CROSS_VALIDATION))]
    if not cuts and not folds:
        return no_question("no split that can be followed is made here")
    fits = [
        (file, call)
        for file in repository.production
        for call in file.called(*LEARNING)
        if learns(call) and not any("train" in name.lower() or name in parts(file)[0] for name in reads(call))
    ]
    if fits:
        return unknown(
            f"{counted(len(fits), 'transformer')} fitted on rows that cannot be followed to a split",
            *[file.at(call) for file, call in fits][:SHOWN],
            splits=len(cuts),
        )
    return yes(
        f"{counted(len(cuts) + len(folds), 'split')}, and no transformer learns from rows before one",
        *[*cuts, *folds][:SHOWN],
        splits=len(cuts) + len(folds),
    )


PROBE = Probe(
    id="data.split_before_fit",
    title="nothing is fitted on all rows before the split",
    why="Means, vocabularies and made-up rows of the test set then sit in the training set, and the score flatters.",
    remedy="split first and fit the transformer on the training part only, or put it into a Pipeline with the model",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="scikit-learn user guide, Common pitfalls: data leakage; Kapoor & Narayanan 2023, L1.2",
)
