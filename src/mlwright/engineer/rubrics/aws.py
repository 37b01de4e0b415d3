"""A subset of the Machine Learning Lens of AWS: what files and records can tell, in any cloud."""

from typing import Final

from mlwright.engineer.rubrics.scales import count
from mlwright.engineer.rubrics.shape import Chapter, Rubric, check

AWS: Final = Rubric(
    id="aws-ml-lens",
    title="AWS Machine Learning Lens (subset)",
    source="AWS Well-Architected Framework: Machine Learning Lens (ids as of the 2023 edition)",
    chapters=(
        Chapter(
            title="Operational excellence",
            checks=(
                check(
                    "MLOE-02",
                    "a prediction can be explained",
                    "add an explanation of one prediction",
                    executable="model.explainable",
                ),
                check(
                    "MLOE-08",
                    "feedback returns from production",
                    "join labels with predictions",
                    executable="monitoring.labels_joined",
                    executed="running.labels_arrive",
                ),
                check(
                    "MLOE-13",
                    "packages come from approved sources",
                    "install from trusted indexes, over TLS, by version",
                    executable="dependencies.from_trusted_indexes",
                ),
                check(
                    "MLOE-16",
                    "environments are built alike",
                    "define staging and production by the same code",
                    executable="release.environments + release.infrastructure_as_code",
                ),
                check(
                    "lineage", "lineage is tracked", "link data, run and version", executable="data.lineage"
                ),
                check(
                    "health",
                    "endpoints tell their health and metrics",
                    "add a health route, and export metrics",
                    executable="serving.health + monitoring.metrics",
                ),
                check(
                    "human-in-loop",
                    "people can oversee decisions",
                    "write down who may overrule the model, and how",
                    executable="governance.human_oversight",
                ),
            ),
        ),
        Chapter(
            title="Security",
            checks=(
                check(
                    "least-privilege",
                    "rights are narrow",
                    "name actions and resources",
                    executable="cloud.iam_narrow",
                ),
                check(
                    "encryption",
                    "storage is private",
                    "close the buckets",
                    executable="cloud.storage_private",
                ),
                check(
                    "endpoint-access",
                    "endpoints are guarded",
                    "put authentication before the endpoint",
                    executable="serving.guarded",
                ),
                check(
                    "poisoning",
                    "training data is checked before use",
                    "check the data contract on the training path",
                    executable="data.validation_runs",
                    executed="running.checks_recent",
                ),
                check(
                    "audit",
                    "who did what is recorded",
                    "keep an audit log",
                    executable="governance.event_logs",
                    executed="running.audited",
                ),
            ),
        ),
        Chapter(
            title="Reliability",
            checks=(
                check(
                    "rollback",
                    "model and data can be rolled back",
                    "keep previous versions of both, and script the way back",
                    executable="release.rollback + data.versioned",
                    executed="running.rollback_seen + running.runs_keep_data",
                ),
                check(
                    "canary",
                    "releases are tried on little traffic",
                    "roll out by canary",
                    executable="release.canary",
                    executed="running.rollouts_judged",
                ),
                check(
                    "features",
                    "training and serving share feature code",
                    "share the transform code",
                    executable="data.feature_code_shared",
                ),
                check(
                    "scaling",
                    "endpoints scale, within bounds",
                    "set replicas and an autoscaler with a maximum",
                    executable="recovery.redundancy + cost.autoscaling_bounded",
                ),
            ),
        ),
        Chapter(
            title="Performance efficiency",
            checks=(
                check(
                    "benchmark",
                    "latency and throughput are measured",
                    "write a benchmark",
                    executable="monitoring.performance_benchmarked",
                ),
                check(
                    "drift",
                    "drift is watched",
                    "watch drift of inputs and predictions",
                    executable="monitoring.drift",
                    executed="running.drift_evaluated",
                ),
                check(
                    "hardware",
                    "accelerators are used where asked for",
                    "drop the GPU",
                    executable="cost.gpu_needed",
                ),
            ),
        ),
        Chapter(
            title="Cost optimization",
            checks=(
                check(
                    "MLCOST-18",
                    "long training keeps checkpoints",
                    "save checkpoints, and resume from them",
                    executable="model.checkpoints",
                ),
                check(
                    "MLCOST-20",
                    "resources carry tags, and a budget is set",
                    "tag resources, and set a budget with an alert",
                    executable="cost.tagged + cost.budget",
                ),
                check(
                    "MLCOST-29",
                    "the use of endpoints is watched and sized",
                    "watch the endpoint, and set what it requests",
                    executable="cloud.endpoint_monitored + cost.requests_set",
                ),
                check(
                    "spot",
                    "interruptible training can resume",
                    "save checkpoints",
                    executable="cost.spot_checkpointed",
                ),
            ),
        ),
        Chapter(
            title="Sustainability",
            checks=(
                check(
                    "idle",
                    "what is idle stops",
                    "scale to zero, or set a time to live",
                    executable="cost.idle_stopped",
                ),
                check(
                    "jobs",
                    "jobs end",
                    "set deadlines, and clean up after jobs",
                    executable="cost.jobs_bounded",
                ),
            ),
        ),
    ),
    read=count,
    note="A subset: the lens asks much that no file tells. Items without its own id are our wording of its practices.",
)
