"""Nine principles of MLOps: chapters of a report for people who do not read code."""

from typing import Final

from mlwright.engineer.rubrics.scales import shares
from mlwright.engineer.rubrics.shape import Chapter, Check, Rubric, check


def _has(id: str, title: str, next_step: str, executed: str = "") -> Check:
    """One finding decides; ``executed`` are records that show the same from what ran."""
    return check(id, title, next_step, executable=id, executed=executed)


PRINCIPLES: Final = Rubric(
    id="principles",
    title="Nine principles of MLOps",
    source="Kreuzberger, Kühl, Hirschl: Machine Learning Operations, arXiv 2205.02302",
    chapters=(
        Chapter(
            title="P1 CI/CD automation",
            checks=(
                _has("ci.exists", "CI builds each change", "add a CI workflow"),
                _has("ci.runs_tests", "CI runs the tests", "run the tests in CI"),
                _has("ci.builds_image", "CI builds what is deployed", "build and push the image in CI"),
                _has("release.automated", "CI deploys", "deploy from CI"),
            ),
        ),
        Chapter(
            title="P2 Workflow orchestration",
            checks=(
                _has("pipeline.defined", "training is one pipeline", "define it", "running.trained_recently"),
                _has("pipeline.modular", "it is made of modules", "split the script into functions"),
                _has("pipeline.retries", "its steps survive a passing fault", "set retries and timeouts"),
            ),
        ),
        Chapter(
            title="P3 Reproducibility",
            checks=(
                _has(
                    "dependencies.locked",
                    "dependencies are locked",
                    "lock them with digests",
                    "running.runs_keep_environment",
                ),
                _has("model.seeded", "chance is seeded", "seed every source of chance"),
                _has("model.deterministic", "computation is deterministic", "set the framework's flags"),
                _has("data.split_seeded", "splits are seeded", "give each random split a seed"),
                _has("pipeline.parameters", "the training window is a parameter", "pass the dates in"),
                _has("container.pinned_base", "base images are pinned", "name base images by digest"),
            ),
        ),
        Chapter(
            title="P4 Versioning of data, model and code",
            checks=(
                _has("code.versioned", "code", "put it under version control", "running.runs_name_commit"),
                _has("data.versioned", "data", "name the data's version", "running.runs_keep_data"),
                _has("model.registered", "models", "register each version", "running.versions_from_runs"),
                _has("release.versioned_images", "images", "tag images by version or digest"),
            ),
        ),
        Chapter(
            title="P5 Collaboration",
            checks=(
                _has("code.readme", "a README says how to train and run it", "write it"),
                _has("code.owners", "owners are named", "add CODEOWNERS"),
                _has("model.reviewed", "changes are reviewed", "protect the main branch"),
                _has("model.card", "a model card exists", "write one", "running.versions_described"),
                _has("data.documented", "a data sheet exists", "write one"),
            ),
        ),
        Chapter(
            title="P6 Continuous training and evaluation",
            checks=(
                check(
                    "retraining",
                    "retraining starts by itself",
                    "add a schedule or trigger",
                    executable="pipeline.scheduled | pipeline.triggered_by_data",
                    executed="running.runs_scheduled | running.retrains_by_itself",
                ),
                _has("model.evaluated_apart", "evaluation uses unseen rows", "hold out a test set"),
                _has("model.quality_gate", "a gate can refuse a model", "add one", "running.versions_gated"),
            ),
        ),
        Chapter(
            title="P7 Metadata tracking",
            checks=(
                _has(
                    "model.runs_tracked",
                    "runs are tracked",
                    "track parameters and metrics",
                    "running.params_recorded + running.metrics_recorded",
                ),
                _has(
                    "model.signature_recorded",
                    "inputs and outputs are recorded",
                    "save a signature with the model",
                    "running.versions_signed",
                ),
                _has("data.lineage", "lineage is kept", "link data, run and version"),
            ),
        ),
        Chapter(
            title="P8 Continuous monitoring",
            checks=(
                _has("monitoring.metrics", "metrics are exported", "export them"),
                _has("monitoring.logs", "logs are configured", "configure structured logs"),
                _has("monitoring.drift", "drift is watched", "watch it", "running.drift_evaluated"),
                _has("monitoring.data_quality", "violations are counted", "count them while serving"),
                _has("monitoring.alerts", "alerts exist", "write alert rules", "running.alerts_reach"),
            ),
        ),
        Chapter(
            title="P9 Feedback loops",
            checks=(
                _has(
                    "monitoring.predictions_logged",
                    "predictions are logged",
                    "log inputs, output and version",
                    "running.predictions_logged",
                ),
                _has(
                    "monitoring.labels_joined",
                    "labels come back",
                    "join them with predictions",
                    "running.labels_arrive",
                ),
                _has(
                    "monitoring.prediction_quality",
                    "realised quality is computed",
                    "compute it on a schedule",
                    "running.quality_evaluated",
                ),
                _has(
                    "pipeline.triggered_by_data",
                    "what is seen starts a retraining",
                    "retrain on drift or lost quality",
                    "running.retrains_by_itself",
                ),
            ),
        ),
    ),
    read=shares,
    note="Each principle weighs the same, whatever number of items it has.",
)
