"""Does a machine build what runs?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        robots=(
            "docker(/| )?(build|buildx|compose build)",
            "build-push-action",
            "buildah",
            "kaniko",
            "bentoml (build|containerize)",
            "mlflow models build",
            "cog push",
            "gcloud builds submit",
            "az acr build",
            "pack build",
            "uv build",
            "python -m build",
            "podman build",
        ),
    )
    return shown(found, "CI builds it", "no step of CI builds an image or package")


PROBE = Probe(
    id="ci.builds_image",
    title="CI builds what is deployed",
    why="An image from a laptop holds whatever that laptop held.",
    remedy="build and push the image in CI, tagged with the commit",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    after="ci.exists",
    elsewhere=True,
    source="Google MLOps level 2",
)
