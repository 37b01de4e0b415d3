"""Are versions compared on live traffic?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        files=("*ab_test*", "*ab-test*", "*shadow*", "*experiment_assignment*", "mlwright.toml"),
        packages=("growthbook", "statsig", "optimizely", "ldclient", "unleashclient", "split_io"),
        calls=("*assign_variant*", "*get_variant*", "*shadow_predict*", "*ab_test*"),
        objects=("Experiment", "Rollout", "Canary"),
        headings=("a/b test", "shadow (mode|traffic|deployment)"),
    )
    return shown(found, "versions are compared live", "no A/B test or shadow")


PROBE = Probe(
    id="release.ab_tests",
    title="versions are compared on live traffic",
    why="Offline gains vanish in production often enough that only live traffic decides.",
    remedy="send a share of traffic to the challenger and compare the outcomes: mlwright rollout",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.DAYS,
    elsewhere=True,
    source="Microsoft MLOps level 3; ML Test Score Model 2",
)
