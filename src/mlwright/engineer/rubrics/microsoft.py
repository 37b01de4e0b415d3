"""Microsoft's maturity levels 0 to 4; what people do is asked of people."""

from typing import Final

from mlwright.engineer.probe import When
from mlwright.engineer.rubrics.scales import levels
from mlwright.engineer.rubrics.shape import Chapter, Rubric, check, question

_DEVOPS: Final = (
    check("1.versioned", "code is versioned", "put it under version control", executable="code.versioned"),
    check("1.builds", "builds run by themselves", "build each change in CI", executable="ci.exists"),
    check(
        "1.tests",
        "application code has tests that CI runs",
        "write unit tests, and run them in CI",
        executable="tests.exist + ci.runs_tests",
    ),
)

_TRAINING: Final = (
    question(
        "microsoft.people.2",
        "data scientists work with data engineers to turn experiments into repeatable jobs",
    ),
    check(
        "2.training",
        "training runs by itself",
        "define training as a pipeline with a schedule or trigger",
        executable="pipeline.defined + pipeline.scheduled",
        executed="running.runs_scheduled + running.trained_recently",
    ),
    check(
        "2.tracking",
        "experiments are tracked in one place",
        "track each run's parameters and metrics",
        executable="model.runs_tracked",
        executed="running.params_recorded + running.metrics_recorded",
    ),
    check(
        "2.models",
        "models are managed in versions",
        "register models with versions",
        executable="model.registered",
        executed="running.versions_from_runs",
    ),
    check(
        "2.traceable",
        "a model can be traced to the data that trained it",
        "name the version of the data with each run",
        executable="data.versioned",
        executed="running.runs_keep_data",
    ),
    check(
        "2.scoring",
        "scoring code is versioned and tested",
        "test the service by requests",
        executable="tests.serving_tested",
    ),
)

_DEPLOYMENT: Final = (
    question(
        "microsoft.people.3",
        "software engineers work with data engineers to put models into the application automatically",
    ),
    check("3.release", "CI/CD releases models", "let CI deploy the service", executable="release.automated"),
    check(
        "3.comparison",
        "models are compared on live traffic",
        "compare versions by A/B test, shadow or canary",
        executable="release.ab_tests | release.canary",
        executed="running.rollouts_judged",
    ),
    check(
        "3.tests",
        "all code has tests, the pipeline's included",
        "test the model code, and the pipeline on a small sample",
        executable="tests.model_tested + tests.pipeline_tested",
    ),
    check(
        "3.traceable",
        "what is deployed can be traced back to its data",
        "keep the lineage: data, run, version, release",
        executable="data.lineage",
        executed="running.versions_from_runs + running.runs_keep_data + running.runs_name_commit",
    ),
)

_FULL: Final = (
    question(
        "microsoft.people.4",
        "software engineers and data scientists act together on what production measures",
    ),
    check(
        "4.retraining",
        "what production measures starts the retraining",
        "retrain on drift, lost quality or new data",
        executable="pipeline.triggered_by_data",
        executed="running.retrains_by_itself",
    ),
    check(
        "4.metrics",
        "metrics of service and model come together",
        "export the service's metrics, and compute realised quality",
        executable="monitoring.metrics + monitoring.prediction_quality",
        executed="running.quality_evaluated + running.drift_evaluated",
    ),
    check(
        "4.downtime",
        "releases cause next to no downtime",
        "run at least two replicas, release by canary, and script the way back",
        executable="recovery.redundancy + release.canary + release.rollback",
    ),
)

MICROSOFT: Final = Rubric(
    id="microsoft",
    title="Microsoft MLOps maturity",
    source="Microsoft Azure Architecture Center: Machine Learning operations maturity model",
    chapters=(
        Chapter(title="Level 1: DevOps but no MLOps", checks=_DEVOPS),
        Chapter(title="Level 2: Automated training", checks=_TRAINING),
        Chapter(title="Level 3: Automated model deployment", checks=_DEPLOYMENT),
        Chapter(title="Level 4: Full MLOps automated operations", checks=_FULL),
    ),
    read=levels(
        "no MLOps",
        "DevOps but no MLOps",
        "automated training",
        "automated model deployment",
        "full MLOps automated operations",
    ),
    when=When.TRAINS,
    note="A level counts only when all of it and of the levels below is shown. How people work together stands in no "
    "file: answer those questions in .mlwright-answers.toml.",
)
