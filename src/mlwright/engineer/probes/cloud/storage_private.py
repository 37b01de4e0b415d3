"""Can anybody read a bucket?"""

from mlwright.engineer.facts.configuration import CloudResource
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.cloud import BUCKETS, of_types, prop, text, truth
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_ACLS = ("aws_s3_bucket_acl", "google_storage_bucket_access_control", "google_storage_bucket_iam_member")
_BLOCKS = ("aws_s3_bucket_public_access_block", "AWS::S3::AccountPublicAccessBlock")


def look(repository: Repository) -> Answer:
    """Look for public access lists and blocks that are switched off."""
    resources = of_types(repository, (*BUCKETS, *_ACLS, *_BLOCKS))
    if not resources:
        return no_question("no bucket as code here")
    faults = [(each, said) for each in resources if (said := _fault(each))]
    if faults:
        first, said = faults[0]
        return no(f"{first.type} {first.name}: {said}", *(each.at for each, _ in faults), faults=len(faults))
    return yes(f"{len(resources)} buckets and access rules, none is public", *(each.at for each in resources))


def _fault(resource: CloudResource) -> str:
    acl = text(prop(resource, "acl", "AccessControl", "predefined_acl"))
    if acl.lower().replace("-", "") in ("publicread", "publicreadwrite"):
        return f"access list {acl}"
    if text(prop(resource, "member", "entity")) in ("allUsers", "allAuthenticatedUsers"):
        return "open to everybody"
    if resource.type in _BLOCKS and truth(prop(resource, "block_public_acls", "BlockPublicAcls")) is False:
        return "the block of public access is off"
    return ""


PROBE = Probe(
    id="cloud.storage_private",
    title="no bucket is public",
    why="Training data and models in a public bucket are found by scanners within hours.",
    remedy="set the access list to private and add a public access block",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="CIS AWS Foundations 2.1.4",
)
