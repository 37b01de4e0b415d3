"""Does a person agree before production changes?"""

from collections.abc import Iterator

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import Sign, shown
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for protected environments, manual steps and approvals."""
    return shown(_gates(repository), "a person agrees", "no step waits for a person")


def _gates(repository: Repository) -> Iterator[Sign]:
    for document in repository.of_kind(DocumentKind.WORKFLOW):
        jobs = document.get("jobs")
        for name, job in sorted(jobs.items()) if isinstance(jobs, dict) else ():
            if isinstance(job, dict) and job.get("environment"):
                yield (
                    f"environment of job {name} (who may approve is set at the host)",
                    document.at("jobs", name),
                )
        for name, job in sorted(document.data.items()) if isinstance(document.data, dict) else ():
            if isinstance(job, dict) and job.get("when") == "manual":
                yield f"manual job {name}", document.at(name)
    for document in repository.of_kind(DocumentKind.MLWRIGHT):
        endpoints = document.get("endpoint")
        for number, each in enumerate(endpoints if isinstance(endpoints, list) else []):
            retrain = each.get("retrain") if isinstance(each, dict) else None
            if isinstance(retrain, dict) and retrain.get("approval", "auto") != "auto":
                yield f"approval of endpoint {each.get('name')}", document.at("endpoint", number, "retrain")


PROBE = Probe(
    id="release.approved",
    title="a person can stop a release",
    why="For some models the law, and for all of them the customer, asks who agreed.",
    remedy="protect the production environment of CI with reviewers, or retrain.approval in mlwright.toml",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    elsewhere=True,
    source="EU AI Act Art. 14",
)
