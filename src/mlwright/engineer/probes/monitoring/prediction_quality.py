"""Does somebody measure how good the predictions were?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, unknown
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_TITLES = ("(live|production|realised|realized) (quality|accuracy|metrics?|performance)",)


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = list(
        signs(
            repository,
            packages=("nannyml",),
            calls=(
                "*live_metric*",
                "*realised_*",
                "*realized_*",
                "*production_metric*",
                "*online_metric*",
                "*evaluate_production*",
                "*evaluate_live*",
                "*monitor_performance*",
                "*performance_monitor*",
                "*model_performance*",
                "*prediction_quality*",
                "*evaluate_predictions_log*",
            ),
            files=(
                "*monitor*performance*",
                "*performance*monitor*",
                "*prediction_quality*",
                "*model_quality*monitor*",
                "*live_evaluation*",
                "*evaluate_live*",
                "*online_eval*",
            ),
        )
    )
    told = () if found else signs(repository, headings=_TITLES)
    for said, place in told:
        return unknown(f"{said} speaks of it, and no code here computes it", place)
    return shown(iter(found), "live quality is computed", "nothing computes the quality of live predictions")


PROBE = Probe(
    id="monitoring.prediction_quality",
    title="the quality of live predictions is measured again and again",
    why="A model decays in silence: answers keep coming, only they are wrong.",
    remedy="join labels to logged predictions and compute the metric daily; mlwright monitor does both",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    effort=Effort.DAYS,
    elsewhere=True,
    source="ML Test Score Monitor 7",
)
