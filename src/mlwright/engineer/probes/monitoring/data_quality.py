"""Are bad inputs counted while serving?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        calls=(
            "*invalid*.inc",
            "*reject*.inc",
            "*violation*.inc",
            "*missing*.inc",
            "*validation_error*.inc",
            "*bad_input*.inc",
            "*data_quality*",
            "*unexpected_*.inc",
        ),
        files=("*data_quality*", "*data-quality*"),
        packages=("whylogs", "soda"),
    )
    return shown(found, "violations are counted", "nothing counts bad inputs while serving")


PROBE = Probe(
    id="monitoring.data_quality",
    title="bad inputs are counted while serving",
    why="An upstream change turns a column into nulls on a Tuesday; nothing crashes.",
    remedy="count rejected and imputed fields per feature and alert on the rate",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    source="ML Test Score Monitor 2",
)
