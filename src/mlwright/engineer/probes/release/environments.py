"""Is there a place to be wrong before production?"""

import re
from collections.abc import Iterator

from mlwright.engineer.facts.configuration import Document, DocumentKind, Plain
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import Sign, shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_BEFORE = re.compile(
    r"^(staging|stage|dev|development|test|qa|preprod|pre-production|uat|sandbox)$", re.IGNORECASE
)


def look(repository: Repository) -> Answer:
    """Look for settings of an environment before production."""
    return shown(
        _before(repository), "there is an environment before production", "one environment is all that shows"
    )


def _before(repository: Repository) -> Iterator[Sign]:
    yield from signs(
        repository,
        files=(
            *(
                "values-staging*.y*ml",
                "values-dev*.y*ml",
                "values.staging*.y*ml",
                "*overlays/staging/*",
                "*overlays/dev/*",
            ),
            *(
                "*environments/staging*",
                "*environments/dev/*",
                "*envs/staging*",
                "*staging.tfvars",
                "*dev.tfvars",
            ),
            *("*config/staging*", "*config/stage*", "*-staging.y*ml", "*_staging.y*ml", "*_staging.toml"),
        ),
    )
    for document in repository.of_kind(DocumentKind.WORKFLOW):
        for keys, name, job in _jobs(document):
            given = job.get("environment") if isinstance(job, dict) else None
            said = given.get("name") if isinstance(given, dict) else given
            if isinstance(said, str) and _BEFORE.match(said):
                yield f"environment {said} of job {name}", document.at(*keys, name, "environment")


def _jobs(document: Document) -> Iterator[tuple[tuple[str, ...], str, Plain]]:
    """The jobs of a workflow: below ``jobs``, or, as GitLab has them, at the top."""
    jobs = document.get("jobs")
    keys = ("jobs",) if isinstance(jobs, dict) else ()
    found = jobs if isinstance(jobs, dict) else document.data
    for name, job in sorted(found.items(), key=lambda each: str(each[0])) if isinstance(found, dict) else ():
        yield keys, str(name), job


PROBE = Probe(
    id="release.environments",
    title="there is an environment before production",
    why="Without a staging environment the first test of a deployment is production.",
    remedy="deploy to a staging namespace first, with the same files and other values",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    elsewhere=True,
    source="Google MLOps level 2, multi-environment promotion",
)
