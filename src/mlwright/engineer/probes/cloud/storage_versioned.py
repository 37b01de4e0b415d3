"""Can an overwritten object be brought back?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.cloud import BUCKETS, of_types, prop
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for versioning at buckets, or for a resource that switches it on."""
    buckets = of_types(repository, BUCKETS)
    if not buckets:
        return no_question("no bucket as code here")
    switches = of_types(repository, ("aws_s3_bucket_versioning", "aws:s3:BucketVersioningV2"))
    with_it = [each for each in buckets if prop(each, "versioning", "VersioningConfiguration")]
    if switches or with_it:
        return yes(
            f"versioning at {len(switches) + len(with_it)} of {len(buckets)} buckets",
            *(each.at for each in (*switches, *with_it)),
        )
    return no(f"none of {len(buckets)} buckets keeps old versions", *(each.at for each in buckets))


PROBE = Probe(
    id="cloud.storage_versioned",
    title="buckets keep old versions of objects",
    why="An overwritten model or data file in an unversioned bucket is gone.",
    remedy="add versioning to the bucket that holds models and data",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="AWS Machine Learning Lens, model and data rollback",
)
