"""Does a broken connection end the night's training?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_HAVE = frozenset(
    ("airflow", "prefect", "dagster", "kubeflow", "metaflow", "argo", "mlwright", "ray", "zenml", "sagemaker")
)


def look(repository: Repository) -> Answer:
    """Look for retries at pipelines of orchestrators that have them."""
    able = [each for each in repository.pipelines if each.tool in _HAVE]
    if not able:
        return no_question("no pipeline of an orchestrator that retries")
    without = [each for each in able if not each.retries]
    if len(without) == len(able):
        return no(
            f"{able[0].tool} {able[0].name} retries nothing",
            *(each.at for each in without[:10]),
            pipelines=len(able),
        )
    return yes(
        f"{len(able) - len(without)} of {len(able)} pipelines retry", *(e.at for e in able if e.retries)
    )


PROBE = Probe(
    id="pipeline.retries",
    title="steps of the pipeline are tried again",
    why="A database that restarts at two costs the training of the night.",
    remedy="set retries and a back-off at steps that read or write over the network",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    after="pipeline.defined",
    source="Kreuzberger P2",
)
