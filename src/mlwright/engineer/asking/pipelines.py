"""The question for a training pipeline: what is there, which runner fits, and what a recommender needs besides."""

from collections.abc import Sequence
from typing import Final

from mlwright.engineer.asking.seen import Seen, any_of, places_text
from mlwright.engineer.asking.ways import Reason, Way, choices
from mlwright.engineer.asking.words import tokens
from mlwright.model.answers import Choice, NextCommand, Statement
from mlwright.model.findings import Effort

ABOUT: Final = (
    "pipeline.*",
    "data.contract",
    "data.validation_runs",
    "data.split_respects_time",
    "data.split_before_fit",
    "model.baseline_compared",
    "model.quality_gate",
    "model.slices_evaluated",
    "model.runs_tracked",
    "model.checkpoints",
    "tests.pipeline_tested",
    "notebook.not_production",
)

_RECOMMENDER_PACKAGES: Final = (
    "implicit",
    "lightfm",
    "surprise",
    "recbole",
    "tensorflow_recommenders",
    "torchrec",
    "spotlight",
    "cornac",
    "merlin",
)
_RECOMMENDER_WORDS: Final = frozenset(
    "recommender recommenders recommendation recommendations recommending".split()
)

_ORCHESTRATORS: Final = frozenset(
    "airflow kubeflow prefect dagster metaflow zenml argo sagemaker vertex azureml".split()
)

WAYS: Final = (
    Way(
        name="mlwright",
        what="The embedded runner: mlwright run, scheduled by mlwright up",
        good=(
            "nothing to install or operate besides; contract, point-in-time join, gate, registry "
            "and retraining are wired"
        ),
        bad=(
            "one machine; trains and serves scikit-learn models only in this version; no export "
            "to other orchestrators yet"
        ),
        effort=Effort.HOURS,
        cost="none besides the machine that it runs on",
        command="mlwright init",
        there="mlwright run --list",
        packages=("mlwright",),
        pipelines=("mlwright",),
        small=2,
        large=-1,
    ),
    Way(
        name="DVC",
        what="DVC stages, run by a CI schedule",
        good="small; data and stages are versioned next to the code; nothing runs between runs",
        bad=(
            "no retries of a step, no backfill, runs as long as a CI job may; secrets and GPUs "
            "depend on the CI host"
        ),
        effort=Effort.HOURS,
        cost="CI minutes",
        command="dvc repro",
        packages=("dvc",),
        pipelines=("dvc", "make", "snakemake"),
        small=1,
        large=-1,
    ),
    Way(
        name="Airflow",
        what="Apache Airflow",
        good="schedules, backfills, retries and many operators; many engineers know it",
        bad=(
            "a scheduler, a database and workers to operate; passes references between tasks, not "
            "data; no model registry"
        ),
        effort=Effort.DAYS,
        cost="a small cluster or a managed environment that runs all the time",
        command="airflow standalone",
        packages=("airflow", "apache_airflow"),
        pipelines=("airflow",),
        resources=("aws_mwaa", "google_composer"),
        small=-1,
        large=1,
    ),
    Way(
        name="Dagster",
        what="Dagster",
        good="data assets with lineage and checks; good to test locally",
        bad="a daemon, a web server and a database to operate; its model of assets has to be learned",
        effort=Effort.DAYS,
        cost="one small machine, or the vendor's plan",
        command="dagster dev",
        packages=("dagster",),
        pipelines=("dagster",),
    ),
    Way(
        name="Prefect",
        what="Prefect",
        good="plain Python functions with retries and schedules; quick to begin",
        bad="a server (or the vendor's cloud) and workers to operate; lineage is thin",
        effort=Effort.DAYS,
        cost="one small machine, or the vendor's plan",
        command="prefect server start",
        packages=("prefect",),
        pipelines=("prefect",),
        small=1,
    ),
    Way(
        name="Kubeflow Pipelines",
        what="Kubeflow Pipelines",
        good="each step its own container, with GPUs and caching, on Kubernetes",
        bad="heavy: a cluster and people who look after it; slow to iterate",
        effort=Effort.WEEKS,
        cost="a Kubernetes cluster that runs all the time",
        command="pip install kfp",
        packages=("kfp",),
        pipelines=("kubeflow",),
        cluster=2,
        small=-2,
        large=1,
    ),
    Way(
        name="Argo Workflows",
        what="Argo Workflows",
        good="plain Kubernetes objects; steps in any language; light next to Kubeflow",
        bad="YAML; nothing about machine learning: no metadata, no registry",
        effort=Effort.DAYS,
        cost="a Kubernetes cluster",
        command="kubectl get workflows --all-namespaces",
        pipelines=("argo",),
        kinds=("Workflow", "WorkflowTemplate", "CronWorkflow"),
        cluster=2,
        small=-1,
    ),
    Way(
        name="Metaflow",
        what="Metaflow",
        good="a Python class from laptop to cloud batch; artifacts of each step are kept",
        bad="best on AWS; a metadata service to run; scheduling is left to another engine",
        effort=Effort.DAYS,
        cost="cloud batch jobs, paid while they run",
        command="python flow.py run",
        packages=("metaflow",),
        pipelines=("metaflow",),
    ),
    Way(
        name="ZenML",
        what="ZenML on top of an orchestrator",
        good="one definition for several orchestrators; artifacts and lineage are kept",
        bad="a layer more to learn and to upgrade, above an orchestrator that you still operate",
        effort=Effort.DAYS,
        cost="a server, or the vendor's plan, and the orchestrator below",
        command="zenml init",
        packages=("zenml",),
        pipelines=("zenml",),
    ),
    Way(
        name="The cloud's own pipelines",
        what="SageMaker, Vertex AI or Azure ML pipelines",
        good="nothing to operate; GPUs by the minute; ties in with the cloud's registry",
        bad="ties you to that cloud; slow to try locally",
        effort=Effort.DAYS,
        cost="paid by the minute of each step",
        command="pip install sagemaker",
        packages=("sagemaker", "google.cloud.aiplatform", "azure.ai.ml"),
        pipelines=("sagemaker", "vertex", "azureml"),
        resources=("aws_sagemaker", "google_vertex_ai", "azurerm_machine_learning"),
    ),
)


def pipeline_choices(seen: Seen) -> tuple[Choice, ...]:
    """The runners that fit, the nearest first."""
    return choices(WAYS, seen, _special)


def _special(way: Way, seen: Seen) -> Sequence[Reason]:
    if way.name != "mlwright":
        return ()
    found = []
    others = [each for each in seen.repository.pipelines if each.tool in _ORCHESTRATORS]
    if others:
        text = f"{others[0].tool} is here already; a second scheduler would be one more"
        found.append(Reason(weight=-3, text=text, places=(others[0].at,)))
    torch = seen.uses("torch", "tensorflow", "keras", "jax")
    if torch:
        text = (
            "this version of mlwright keeps scikit-learn models only, and a deep learning framework is used"
        )
        found.append(Reason(weight=-4, text=text, places=torch))
    elif scikit := seen.uses("sklearn"):
        found.append(
            Reason(weight=1, text="scikit-learn is used, which it trains and serves", places=scikit[:1])
        )
    return found


def is_recommender(seen: Seen) -> bool:
    """Whether the question says so, or a recommender library is used."""
    return any_of(_RECOMMENDER_WORDS, tokens(seen.question)) or bool(seen.uses(*_RECOMMENDER_PACKAGES))


def pipeline_facts(seen: Seen) -> tuple[Statement, ...]:
    """What is there to build on: pipelines and schedules that were found, and recommender libraries."""
    said = []
    for each in seen.repository.pipelines[:5]:
        when = f", schedule {each.schedule}" if each.schedule else ", without a schedule"
        steps = f", {len(each.steps)} steps" if each.steps else ""
        said.append(
            Statement(text=f"There is a {each.tool} pipeline {each.name!r}{steps}{when}.", places=(each.at,))
        )
    crons = [each for each in seen.repository.workflows if each.crons]
    said += [
        Statement(
            text=f"CI workflow {each.name or each.path} runs on the schedule {', '.join(each.crons)}.",
            places=tuple(step.at for step in each.steps[:1]),
        )
        for each in crons[:3]
    ]
    libraries = seen.uses(*_RECOMMENDER_PACKAGES)
    if libraries:
        said.append(
            Statement(text=f"A recommender library is used{places_text(libraries)}.", places=libraries)
        )
    return tuple(said)


RECOMMENDER_ADVICE: Final = (
    (
        (
            "Split by time, all users at the same instant: leaving out each user's last item "
            "alone lets the model see other users' future."
        ),
        (
            "Ji, Sun, Zhang, Li, A Critical Study on Data Leakage in Recommender System Offline "
            "Evaluation, ACM TOIS 2023"
        ),
    ),
    (
        "Use leave-last-out only beside a time split, to compare with published work.",
        "Meng et al., Exploring Data Splitting Strategies for the Evaluation of Recommendation Models, RecSys 2020",
    ),
    (
        "Begin with popularity and nearest neighbours, well tuned, as baselines: they beat many later methods.",
        "Ferrari Dacrema, Cremonesi, Jannach, Are We Really Making Much Progress?, RecSys 2019",
    ),
    (
        (
            "Judge the ranking (recall and NDCG at the length that is shown), against the whole "
            "catalogue: metrics on sampled negatives can order models wrongly."
        ),
        "Krichene, Rendle, On Sampled Metrics for Item Recommendation, KDD 2020",
    ),
    (
        "Two stages scale: candidate generation that is cheap and complete, then ranking that is exact.",
        "Covington, Adams, Sargin, Deep Neural Networks for YouTube Recommendations, RecSys 2016",
    ),
    (
        (
            "The model chooses what it will learn from: log propensities and keep a little random "
            "exploration, or feedback narrows what is shown."
        ),
        (
            "Chaney, Stewart, Engelhardt, How Algorithmic Confounding in Recommendation Systems "
            "Increases Homogeneity, RecSys 2018"
        ),
    ),
    (
        "Measure new users and new items apart: that is where collaborative methods know nothing.",
        "Schein et al., Methods and Metrics for Cold-Start Recommendations, SIGIR 2002",
    ),
)

GENERAL_ADVICE: Final = (
    (
        (
            "The pipeline should check the data, split by time, train, compare with a baseline, "
            "judge slices, and only then register: a gate that can say no."
        ),
        "Google Cloud, MLOps: Continuous delivery and automation pipelines in machine learning (level 1)",
    ),
)

QUESTIONS: Final = (
    "How many rows, and how fresh must the model be (hour, day, month)?",
    "How long after a prediction is the truth known?",
    "Who will operate it, and is there a cloud or a cluster that it has to run on?",
)
RECOMMENDER_QUESTIONS: Final = (
    "Is the list made for each request, or for all users once a day?",
    "Are clicks, purchases or ratings the truth, and what is shown logged with them?",
)


def pipeline_commands(seen: Seen) -> tuple[NextCommand, ...]:
    """What to type."""
    if seen.has_project:
        return (
            NextCommand(command="mlwright run --list", why="the pipelines of this project"),
            NextCommand(
                command="mlwright check", why="the data against its contracts, before anything learns from it"
            ),
        )
    return (
        NextCommand(command="mlwright init pipeline-example/", why="a small, complete project to copy from"),
        NextCommand(command="mlwright assess .", why="what the training code here lacks for a pipeline"),
    )
