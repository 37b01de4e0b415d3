"""Is there a way back from a lost disk?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        calls=(),
        files=(
            "*backup*.sh",
            "*backup*.py",
            "*backup*.yaml",
            "*backup*.yml",
            "*backup*.tf",
            "*restore*.sh",
            "*backup*.md",
        ),
        robots=("\\b(pg_dump|mysqldump|velero|restic|borg|aws s3 sync|gsutil rsync|rclone)\\b",),
        headings=("back ?up", "disaster recovery"),
        objects=("Schedule", "Backup", "VolumeSnapshot", "ScheduledBackup"),
    )
    return shown(found, "state is backed up", "nothing backs state up")


PROBE = Probe(
    id="recovery.backups",
    title="state is backed up",
    why="Registry, metadata and labels are the part of the system that cannot be trained again.",
    remedy="schedule a backup of the tracking database and version the bucket of artifacts; try the restore once",
    look=look,
    when=When.ML,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    source="AWS Well-Architected REL09",
)
