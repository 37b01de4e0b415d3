"""Does the truth come back?"""

from collections.abc import Iterator
from itertools import chain

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import Sign, shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        calls=(
            "*feedback*",
            "*ground_truth*",
            "*join_labels*",
            "*record_label*",
            "*record_outcome*",
            "*log_actual*",
            "*log_label*",
            "*true_label*",
            "*delayed_label*",
            "*join_outcomes*",
            "*label_join*",
            "*attach_labels*",
        ),
        files=(
            "*feedback*",
            "*ground_truth*",
            "*ground-truth*",
            "*label_join*",
            "*join_labels*",
            "*actuals*",
            "*outcomes*",
        ),
    )
    found = chain(found, _declared(repository))
    return shown(found, "labels are joined", "nothing brings labels back to predictions")


def _declared(repository: Repository) -> Iterator[Sign]:
    """Endpoints of mlwright that say where their label comes from."""
    for document in repository.of_kind(DocumentKind.MLWRIGHT):
        endpoints = document.get("endpoint")
        for number, each in enumerate(endpoints if isinstance(endpoints, list) else []):
            if isinstance(each, dict) and each.get("label"):
                yield f"label of endpoint {each.get('name')}", document.at("endpoint", number, "label")


PROBE = Probe(
    id="monitoring.labels_joined",
    title="the truth about predictions comes back",
    why="Without labels nobody ever learns whether the model was right.",
    remedy="add a feedback call with the prediction id, or a job that joins outcomes to the log (mlwright feedback)",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    effort=Effort.DAYS,
    elsewhere=True,
    source="ML Test Score Monitor 7; Kreuzberger P9",
)
