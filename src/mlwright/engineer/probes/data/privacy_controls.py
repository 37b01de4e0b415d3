"""Does anything protect people's data on its path?"""

from collections.abc import Iterator

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.columns import about_people
from mlwright.engineer.vocabulary.packages import imports_of
from mlwright.engineer.vocabulary.sources import only_bundled
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_PACKAGES = {
    "presidio_analyzer": "anonymisation",
    "presidio_anonymizer": "anonymisation",
    "scrubadub": "anonymisation",
    "opacus": "differential privacy",
    "diffprivlib": "differential privacy",
    "tensorflow_privacy": "differential privacy",
    "opendp": "differential privacy",
    "cryptography.fernet": "encryption",
    "sdv": "synthetic data",
}
_FUNCTIONS = (
    "anonymi",
    "pseudonymi",
    "redact_pii",
    "mask_pii",
    "scrub_pii",
    "hash_pii",
    "delete_user",
    "forget_user",
)
_RESOURCES = {
    "lifecycle_configuration": "retention",
    "LifecycleConfiguration": "retention",
    "server_side_encryption": "encryption at rest",
    "BucketEncryption": "encryption at rest",
    "aws_kms_key": "encryption at rest",
    "google_kms_crypto_key": "encryption at rest",
}
_SCANNERS = (r"gitleaks", r"detect-secrets", r"trufflehog", r"ggshield")


def look(repository: Repository) -> Answer:
    """Look for retention, anonymisation, encryption and scanning for secrets."""
    found = sorted(_controls(repository), key=lambda each: (each[1].path, each[1].line or 0, each[0]))
    if found:
        return yes(
            f"set up: {listed(what for what, _ in found)}",
            *(at for _, at in found[:SHOWN]),
            controls=len(found),
        )
    if only_bundled(repository):
        return no_question("the only data seen is public and comes with a library")
    if not about_people(repository):
        return unknown("nothing named here tells that the data is about people, and no control is seen")
    return no("no retention, anonymisation, encryption or secret scanning is set up in these files")


def _controls(repository: Repository) -> Iterator[tuple[str, Location]]:
    yield from imports_of(repository.production, _PACKAGES)
    for file in repository.production:
        for function in file.functions:
            if function.name.rpartition(".")[2].lower().lstrip("_").startswith(_FUNCTIONS):
                yield "anonymisation or deletion", file.at(function)
    for resource in repository.resources:
        for word, what in _RESOURCES.items():
            if word in resource.type or (
                isinstance(resource.properties, dict) and word in resource.properties
            ):
                yield what, resource.at
    for workflow in repository.workflows:
        yield from (("secret scanning", step.at) for step in workflow.running(*_SCANNERS))
    for document in repository.of_kind(DocumentKind.PRE_COMMIT):
        repos = document.get("repos")
        for number, each in enumerate(repos if isinstance(repos, list) else []):
            if any(word in str(each) for word in _SCANNERS):
                yield "secret scanning", document.at("repos", number)
    yield from (
        ("retention", Location(path=each.path))
        for each in repository.find("*retention*.py", "*retention*.sql", "*retention*.y*ml")
    )


PROBE = Probe(
    id="data.privacy_controls",
    title="the data path has privacy controls",
    why="Data about people that is kept for ever in the clear is a matter of when, not whether.",
    remedy="set a retention on buckets and tables, drop or hash direct identifiers on the way in, scan for secrets",
    look=look,
    when=When.ML,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    elsewhere=True,
    source="ML Test Score (Breck et al. 2017), Data 5; GDPR Art. 5(1)(e), 25 and 32",
)
