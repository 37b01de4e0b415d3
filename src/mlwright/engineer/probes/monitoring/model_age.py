"""Is an old model noticed?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        calls=("*model_age*", "*staleness*", "*model_freshness*", "*days_since_train*"),
        files=("*model_age*", "*model-age*", "*model_freshness*", "*model-freshness*"),
        headings=("model age", "staleness", "model freshness"),
    )
    return shown(found, "the age is watched", "nothing watches the age of the model")


PROBE = Probe(
    id="monitoring.model_age",
    title="the age of the model is watched",
    why="A schedule that broke in spring is found in autumn, by the numbers.",
    remedy="export the training time of the served version as a metric and alert on its age; mlwright alerts on it",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    source="ML Test Score Monitor 4",
)
