"""Does anything notice that the container hangs?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.images import NOTHING, at, run_images
from mlwright.engineer.vocabulary.workloads import cluster_containers, compose_containers
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for HEALTHCHECK, a Compose healthcheck or a Kubernetes probe where a port is exposed."""
    images = [
        file for file in run_images(repository) if any(each.name == "EXPOSE" for each in file.last_stage)
    ]
    if not images:
        return no_question(NOTHING + " exposes a port" if run_images(repository) else NOTHING)
    checked = [file for file in images if file.all("HEALTHCHECK")]
    outside = [each for each in compose_containers(repository) if each.spec.get("healthcheck")]
    outside += [each for each in cluster_containers(repository) if each.spec.get("livenessProbe")]
    if checked or outside:
        return yes(
            f"{len(checked)} HEALTHCHECKs, {len(outside)} checks of whoever runs the image",
            *(at(file, file.all("HEALTHCHECK")[0]) for file in checked),
            *(each.at for each in outside),
        )
    return no(f"{images[0].path} exposes a port and nothing asks whether it answers", *map(at, images))


PROBE = Probe(
    id="container.healthcheck",
    title="something notices a container that hangs",
    why="A hung server keeps its port open: without a check it keeps getting requests too.",
    remedy="HEALTHCHECK CMD curl -f http://127.0.0.1:PORT/health || exit 1, or a livenessProbe",
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    elsewhere=True,
    source="CIS Docker Benchmark 4.6",
)
