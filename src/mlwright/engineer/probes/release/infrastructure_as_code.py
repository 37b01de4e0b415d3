"""Can the place where it runs be built again?"""

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
            "*.tf",
            "*.bicep",
            "pulumi.yaml",
            "cdk.json",
            "serverless.yml",
            "serverless.yaml",
            "kustomization.yaml",
            "kustomization.yml",
            "chart.yaml",
            "docker-compose*.y*ml",
            "compose.y*ml",
            "template.yaml",
            "samconfig.toml",
            "fly.toml",
            "app.yaml",
            "ansible.cfg",
            "playbook*.yml",
            "skaffold.yaml",
            "mlwright.toml",
        ),
        objects=(
            "Deployment",
            "StatefulSet",
            "InferenceService",
            "Rollout",
            "SeldonDeployment",
            "RayService",
        ),
        calls=("aws_cdk.*", "pulumi*", "sagemaker.*.deploy"),
    )
    return shown(found, "infrastructure stands as code", "no infrastructure as code")


PROBE = Probe(
    id="release.infrastructure_as_code",
    title="what it runs on stands as code",
    why="Infrastructure that was clicked together cannot be reviewed, repeated or restored.",
    remedy="keep Terraform, Helm or manifests in the repository",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    elsewhere=True,
    source="AWS Machine Learning Lens, automated operations by IaC",
)
