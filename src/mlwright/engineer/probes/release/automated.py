"""Does a machine deploy?"""

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
            "\\bkubectl (apply|set image|rollout)",
            "\\bhelm (upgrade|install)",
            "terraform apply",
            "pulumi up",
            "cdk deploy",
            "sam deploy",
            "serverless deploy",
            "flyctl deploy",
            "\\bgcloud (run|app|ai).*(deploy|submit)",
            "\\baz (ml|webapp|containerapp).*(create|update|up)",
            "\\baws (ecs|lambda|sagemaker).*(update|create)",
            "amazon-ecs-deploy",
            "azure/webapps-deploy",
            "google-github-actions/deploy",
            "argocd app sync",
            "mlwright deploy",
            "bentoml deploy",
            "ansible-playbook",
        ),
        objects=("Application", "ApplicationSet", "HelmRelease"),
    )
    return shown(found, "a machine deploys", "no step of CI deploys")


PROBE = Probe(
    id="release.automated",
    title="a machine deploys",
    why="A deployment by hand is different each time, and only one person can do it.",
    remedy="let CI deploy what passed the tests (environment, then helm upgrade, kubectl apply, or mlwright deploy)",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    elsewhere=True,
    source="Microsoft MLOps level 3",
)
