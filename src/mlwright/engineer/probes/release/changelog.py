"""Can one see what changed between two versions?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        files=(
            "changelog*",
            "history.md",
            "changes.md",
            "changes.rst",
            "news.md",
            "releases.md",
            "release-notes*",
            ".changeset/*",
            "newsfragments/*",
        ),
        robots=("release-please", "semantic-release", "changesets", "action-gh-release", "git-cliff"),
    )
    return shown(found, "changes are written down", "neither a changelog nor release notes")


PROBE = Probe(
    id="release.changelog",
    title="versions and what changed in them are written down",
    why="The first question of an incident is what changed, and git log is no answer to a product owner.",
    remedy="tag releases and keep CHANGELOG.md",
    look=look,
    when=When.ML,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="Keep a Changelog 1.1",
)
