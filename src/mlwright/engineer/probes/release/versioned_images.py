"""Does CI push images that can be told apart?"""

import re

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_PUSH = re.compile(r"docker push|--push\b|docker tag|buildx build", re.IGNORECASE)
_LATEST = re.compile(r"(docker (push|tag)|--tag|-t)\s[^\n]*:latest\b")
_TOLD = re.compile(
    r"github\.sha|github\.ref|GITHUB_SHA|CI_COMMIT|rev-parse|CIRCLE_SHA1|BUILD_ID|VERSION|TAG\b|metadata-action|describe",
    re.IGNORECASE,
)


def look(repository: Repository) -> Answer:
    """Look at the steps of CI that push."""
    steps = [step for workflow in repository.workflows for step in workflow.steps if _PUSH.search(step.run)]
    if not steps:
        return no_question("no step of CI pushes an image by hand")
    blind = [step for step in steps if _LATEST.search(step.run) and not _TOLD.search(step.run)]
    if blind and not any(_TOLD.search(step.run) for step in steps):
        return no(f"job {blind[0].job} pushes latest and nothing else", *(step.at for step in blind))
    return yes(f"{len(steps)} steps push images", *(step.at for step in steps))


PROBE = Probe(
    id="release.versioned_images",
    title="images are pushed with a version",
    why="With nothing but latest there is no image to go back to.",
    remedy="tag with the commit: docker/metadata-action, or -t image:$GITHUB_SHA",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="ML Test Score Infra 7",
)
