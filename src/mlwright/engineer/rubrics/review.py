"""The second pair of eyes on files that deploy a model: security, observability, maintainability, recovery, cost."""

from typing import Final

from mlwright.engineer.probe import When
from mlwright.engineer.rubrics.scales import count
from mlwright.engineer.rubrics.shape import Chapter, Check, Rubric, check


def _item(id: str, title: str, next_step: str, executable: str, executed: str = "") -> Check:
    return check(id, title, next_step, executable=executable, executed=executed)


_SECURITY: Final = (
    _item(
        "secrets",
        "no secret is in the files",
        "revoke it, and take it from a secret store",
        "security.no_secrets + container.no_secrets + kubernetes.secrets_referenced + security.env_ignored",
    ),
    _item(
        "secret-scanning", "secrets are scanned for", "scan in CI or pre-commit", "security.secret_scanning"
    ),
    _item(
        "root",
        "nothing runs as root",
        "set a user in the image, and runAsNonRoot in the pod",
        "container.non_root + kubernetes.non_root",
    ),
    _item(
        "privileges",
        "containers have no more rights than they need",
        "drop capabilities, mount the root read-only, take no host access",
        "kubernetes.not_privileged + kubernetes.capabilities_dropped + kubernetes.read_only_root"
        " + kubernetes.no_host_access",
    ),
    _item(
        "network",
        "the network is closed where nobody needs it",
        "write a network policy, close ports, bind to 127.0.0.1",
        "kubernetes.network_policy + cloud.network_closed + security.compose_ports + serving.guarded",
    ),
    _item(
        "image-digests",
        "images are named by digest",
        "pin base images and images by digest",
        "container.pinned_base + kubernetes.images_pinned + release.versioned_images",
    ),
    _item("image-scan", "images are scanned", "scan images in CI", "security.scanned_images"),
    _item(
        "rights",
        "cloud and cluster rights are narrow",
        "name actions and resources; give no cluster-admin",
        "cloud.iam_narrow + kubernetes.rights_narrow",
    ),
    _item(
        "storage",
        "storage is private",
        "close it",
        "cloud.storage_private",
    ),
    _item(
        "infrastructure-scan",
        "infrastructure code was scanned",
        "mend what the scanner found",
        "cloud.scanned",
    ),
    _item("signed", "artifacts are signed", "sign images and models", "security.signed_artifacts"),
    _item("sbom", "what images contain is listed", "write an SBOM in CI", "security.sbom"),
    _item(
        "pickles",
        "model files run no code when loaded",
        "store models as safetensors, ONNX or skops, and load nothing else",
        "model.format_safe + model.pickles_clean + model.loads_trusted",
    ),
    _item(
        "code",
        "code opens no door",
        "take out eval and shells, verify TLS, trust no unknown index",
        "code.no_shell_injection + code.verifies_tls + dependencies.from_trusted_indexes",
    ),
    _item(
        "supply-chain",
        "CI runs what was reviewed",
        "pin actions by commit, keep untrusted input out of scripts, audit dependencies",
        "ci.pinned_actions + ci.safe_workflows + dependencies.audited",
    ),
    _item(
        "debug",
        "no debug mode is served",
        "serve by a production server",
        "serving.no_debug + serving.production_server",
    ),
)

_OBSERVABILITY: Final = (
    _item("metrics", "metrics are exported", "export them", "monitoring.metrics"),
    _item(
        "logs", "logs are configured", "configure structured logs", "monitoring.logs + code.logs_not_prints"
    ),
    _item("traces", "requests can be traced", "add OpenTelemetry", "monitoring.traces"),
    _item(
        "health",
        "health is told, and ready means that the model is loaded",
        "add health and readiness routes, and probes that ask them",
        "serving.health + serving.ready_means_loaded + kubernetes.probes + container.healthcheck",
    ),
    _item(
        "alerts",
        "alerts reach people and say what to do",
        "write alert rules with severity, runbook and a route",
        "monitoring.alerts + monitoring.alerts_actionable + monitoring.alerts_routed",
        "running.alerts_reach",
    ),
    _item("slo", "a service level is declared", "declare it", "monitoring.slo", "running.slo_set"),
    _item("dashboard", "a dashboard exists", "keep one as code", "monitoring.dashboard"),
    _item(
        "predictions",
        "predictions are logged with their model version",
        "log inputs, output and version",
        "monitoring.predictions_logged + serving.version_told",
        "running.predictions_logged",
    ),
)

_MAINTAINABILITY: Final = (
    _item(
        "dependencies",
        "dependencies are declared and locked",
        "declare every import, and lock with digests",
        "dependencies.declared + dependencies.complete + dependencies.pinned + dependencies.locked"
        " + dependencies.python_declared",
    ),
    _item(
        "tests",
        "code is tested, in CI",
        "write tests, and run them in CI",
        "tests.exist + ci.exists + ci.runs_tests",
    ),
    _item("service-tests", "the service is tested", "test it by requests", "tests.serving_tested"),
    _item(
        "infrastructure",
        "infrastructure is code, and its state is shared",
        "define it as code, with remote state",
        "release.infrastructure_as_code + cloud.state_remote",
    ),
    _item("container", "the service has an image", "write a Dockerfile", "container.present"),
    _item(
        "image-builds",
        "images build cleanly",
        "copy requirements first, ignore what is not needed, mend what the linter found",
        "container.cached_installs + container.ignored_context + container.lint",
    ),
    _item(
        "documented",
        "people find their way",
        "write a README, a changelog, and name a licence",
        "code.readme + release.changelog + governance.license",
    ),
    _item(
        "linted",
        "a linter keeps the code in order",
        "configure one, with pre-commit",
        "code.linted + code.pre_commit",
    ),
    _item(
        "robust",
        "faults are not swallowed, and waits end",
        "catch what you can handle, and give each outgoing call a timeout",
        "code.no_silent_failures + serving.timeouts",
    ),
    _item(
        "serving",
        "the service loads its model once and does not block",
        "load at start, and run the model outside of the event loop",
        "serving.model_loaded_once + serving.async_not_blocked",
    ),
    _item(
        "protocol",
        "clients find a protocol that they know",
        "speak a standard protocol",
        "serving.standard_protocol",
    ),
    _item(
        "repository",
        "the repository holds code, not data, models or private paths",
        "move data and models out, and make paths portable",
        "data.not_in_git + model.not_in_git + data.paths_portable",
    ),
    _item(
        "notebooks",
        "notebooks ran in order and carry little output",
        "run them from top to bottom, and strip outputs",
        "notebook.in_order + notebook.outputs_small",
    ),
    _item("approval", "a person approves what is released", "protect the environment", "release.approved"),
)

_RECOVERY: Final = (
    _item(
        "backup",
        "state is backed up",
        "back up or version databases and buckets",
        "recovery.backups + cloud.storage_versioned + cloud.databases_protected",
    ),
    _item("objectives", "RPO and RTO are written down", "write them down", "recovery.objectives"),
    _item(
        "rollback",
        "there is a way back",
        "keep the previous version, and script it",
        "release.rollback",
        "running.rollback_seen",
    ),
    _item("drill", "the way back was tried", "drill it, and record the time", "recovery.drill"),
    _item("runbook", "a runbook says what to do", "write it", "recovery.runbook"),
    _item(
        "redundancy",
        "one machine less is no outage",
        "run two replicas, with a disruption budget",
        "recovery.redundancy + kubernetes.disruption_budget",
    ),
)

_COST: Final = (
    _item(
        "requests",
        "containers say what they need",
        "set requests and limits",
        "cost.requests_set + cost.limits_set",
    ),
    _item(
        "limits", "one client cannot take everything", "limit size, rate and concurrency", "serving.limits"
    ),
    _item("autoscaling", "scaling has an upper end", "set a maximum", "cost.autoscaling_bounded"),
    _item("spot", "interruptible training can resume", "save checkpoints", "cost.spot_checkpointed"),
    _item("idle", "what is idle stops", "scale to zero, or set a time to live", "cost.idle_stopped"),
    _item("jobs", "jobs end", "set deadlines", "cost.jobs_bounded"),
    _item("budget", "money is watched", "tag resources, and set a budget", "cost.tagged + cost.budget"),
    _item("accelerators", "accelerators are used where asked for", "drop the GPU", "cost.gpu_needed"),
)

REVIEW: Final = Rubric(
    id="review",
    title="Review of what is deployed",
    source="the checklist that mlwright holds its own generated files to",
    chapters=(
        Chapter(title="Security", checks=_SECURITY),
        Chapter(title="Observability", checks=_OBSERVABILITY),
        Chapter(title="Maintainability", checks=_MAINTAINABILITY),
        Chapter(title="Disaster recovery", checks=_RECOVERY),
        Chapter(title="Cost", checks=_COST),
    ),
    read=count,
    when=When.ALWAYS,
    note="Only what is in the files that were read; a cluster or an account may hold more.",
)
