"""Does a database survive a slip?"""

from mlwright.engineer.facts.configuration import CloudResource
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.cloud import DATABASES, of_types, prop, text, truth
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for switched-off backups and public addresses."""
    databases = of_types(repository, DATABASES)
    if not databases:
        return no_question("no managed database as code here")
    faults = [(each, said) for each in databases if (said := _fault(each))]
    if faults:
        first, said = faults[0]
        return no(f"{first.type} {first.name}: {said}", *(each.at for each, _ in faults), faults=len(faults))
    return yes(f"{len(databases)} databases, none without backups", *(each.at for each in databases))


def _fault(database: CloudResource) -> str:
    days = prop(database, "backup_retention_period", "BackupRetentionPeriod")
    if text(days) == "0":
        return "backups are off (retention 0)"
    if truth(prop(database, "publicly_accessible", "PubliclyAccessible")) is True:
        return "reachable from the internet"
    # Instances of AWS keep one day by default by API and none through Terraform.
    if database.type == "aws_db_instance" and days is None and not prop(database, "replicate_source_db"):
        return "no backup_retention_period, and Terraform's default is 0: no backups"
    return ""


PROBE = Probe(
    id="cloud.databases_protected",
    title="managed databases have backups and no public address",
    why="The tracking database without a backup is the history of every model, one mistake away from gone.",
    remedy="set backup_retention_period = 7 and deletion_protection = true",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="CIS AWS Foundations 2.3",
)
