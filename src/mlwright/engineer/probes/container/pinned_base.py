"""Will the same Dockerfile build the same image tomorrow?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.images import NOTHING, at, bases, run_images
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for a digest at every base image from outside."""
    found = [(file, each, image) for file in run_images(repository) for each, image in bases(file)]
    if not found:
        return no_question(NOTHING)
    loose = [(file, each, image) for file, each, image in found if "@sha256:" not in image]
    moving = [image for _, _, image in loose if _moves(image)]
    values = {"bases": len(found), "without_digest": len(loose), "latest": len(moving)}
    if loose:
        said = f"{moving[0]} is whatever is newest" if moving else f"{loose[0][2]} has a tag and no digest"
        return no(
            f"{said} ({len(loose)} of {len(found)} bases)",
            *(at(file, each) for file, each, _ in loose),
            **values,
        )
    return yes(f"{len(found)} base images by digest", *(at(file, each) for file, each, _ in found), **values)


def _moves(image: str) -> bool:
    name = image.rpartition("/")[2]
    return ":" not in name or name.endswith(":latest")


PROBE = Probe(
    id="container.pinned_base",
    title="base images are pinned by digest",
    why="A tag is moved by others: the image that passed the tests is not the one that is built next week.",
    remedy="docker buildx imagetools inspect IMAGE:TAG, then FROM IMAGE:TAG@sha256:…; Dependabot renews it",
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    fix="dockerfile",
    source="ML Test Score Infra 1; OpenSSF Scorecard, Pinned-Dependencies",
)
