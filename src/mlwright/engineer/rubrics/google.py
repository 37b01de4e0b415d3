"""Google's levels 0 to 2 of MLOps."""

from typing import Final

from mlwright.engineer.probe import When
from mlwright.engineer.rubrics.scales import levels
from mlwright.engineer.rubrics.shape import Chapter, Rubric, check

_PIPELINE: Final = (
    check(
        "1.pipeline",
        "training is one pipeline that a machine runs",
        "define training as one pipeline that starts without a person",
        executable="pipeline.defined",
        executed="running.trained_recently",
    ),
    check(
        "1.trigger",
        "a schedule, new data or lost quality starts it",
        "start the pipeline by a schedule or a trigger",
        executable="pipeline.scheduled | pipeline.triggered_by_data",
        executed="running.runs_scheduled | running.retrains_by_itself",
    ),
    check(
        "1.data-validation",
        "the pipeline validates its data",
        "check the data contract as a step of the pipeline",
        executable="data.validation_runs",
        executed="running.checks_recent",
    ),
    check(
        "1.model-validation",
        "the pipeline validates its model",
        "end the pipeline by a gate that can refuse the model",
        executable="model.quality_gate",
        executed="running.versions_gated",
    ),
    check(
        "1.metadata",
        "runs keep their parameters and metrics",
        "track each run's parameters and metrics",
        executable="model.runs_tracked",
        executed="running.params_recorded + running.metrics_recorded",
    ),
    check(
        "1.registry",
        "models go to a registry",
        "register each model that passes the gate, with a version",
        executable="model.registered",
        executed="running.champion_named",
    ),
    check(
        "1.modular",
        "the pipeline is made of modules",
        "split the training script into functions that steps call",
        executable="pipeline.modular",
    ),
    check(
        "1.delivery",
        "a new model reaches its service without handwork",
        "let the pipeline or CI deploy the registered model",
        executable="release.automated",
    ),
)

_CICD: Final = (
    check(
        "2.source",
        "all code is under source control",
        "put it under version control",
        executable="code.versioned",
    ),
    check("2.tests", "CI builds and tests each change", "run the tests in CI", executable="ci.runs_tests"),
    check(
        "2.components",
        "the pipeline's parts are tested",
        "test the model code, and the pipeline on a small sample",
        executable="tests.model_tested + tests.pipeline_tested",
    ),
    check(
        "2.pipeline-delivery",
        "CI deploys the pipeline's definition",
        "let CI deploy the pipeline's definition to where it runs",
        executable="pipeline.deployed_by_ci",
    ),
    check(
        "2.environments",
        "releases pass through environments",
        "release to a staging environment first",
        executable="release.environments",
    ),
    check(
        "2.features",
        "features are defined in one place for training and serving",
        "define features once, in a feature store or feature views",
        executable="data.feature_definitions",
    ),
    check(
        "2.monitoring",
        "live quality or drift is watched",
        "watch quality or drift of what is served",
        executable="monitoring.prediction_quality | monitoring.drift",
        executed="running.quality_evaluated | running.drift_evaluated",
    ),
)

GOOGLE: Final = Rubric(
    id="google",
    title="Google MLOps level",
    source="Google Cloud: MLOps, continuous delivery and automation pipelines in machine learning",
    chapters=(
        Chapter(title="Level 1: ML pipeline automation", checks=_PIPELINE),
        Chapter(title="Level 2: CI/CD pipeline automation", checks=_CICD),
    ),
    read=levels("manual process", "ML pipeline automation", "CI/CD pipeline automation"),
    when=When.TRAINS,
    note="A level counts only when all of it and of the levels below is shown.",
)
