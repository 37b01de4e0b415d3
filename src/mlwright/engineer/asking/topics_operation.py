"""Topics about what runs: releases, monitoring, money, security, duties."""

from collections.abc import Mapping
from typing import Final

from mlwright.engineer.asking.topic import ASSESS, MONITOR, REVIEW, Topic, step

OPERATION: Final[Mapping[str, Topic]] = {
    "cost": Topic(
        about=(
            "cost.*",
            "serving.model_loaded_once",
            "monitoring.performance_benchmarked",
            "monitoring.slo",
            "recovery.redundancy",
            "model.checkpoints",
        ),
        lead="Money goes to what is reserved, so first come idle endpoints, missing limits and unbounded scaling.",
        advice=(
            (
                (
                    "Replicas follow from the arrival rate times the service time, plus room for the "
                    "tail: measure the service time on real requests before you choose a machine."
                ),
                "Harchol-Balter, Performance Modeling and Design of Computer Systems, 2013",
            ),
            (
                (
                    "Sending each request to the replica with the fewest open ones needs far fewer "
                    "replicas than random choice."
                ),
                "Mitzenmacher, The Power of Two Choices in Randomized Load Balancing, IEEE TPDS 2001",
            ),
            (
                (
                    "Join the bill with the number of requests: the row of an idle endpoint looks like "
                    "that of a busy one."
                ),
                "AWS Well-Architected, Machine Learning Lens, MLCOST-29",
            ),
        ),
        commands=(REVIEW, ASSESS),
        questions=(
            "How many requests come in the busiest minute, and how long may the slowest 1 % take?",
            "What may it cost a month, and does anything have to answer at night?",
        ),
        blind=(
            (
                "prices, bills and traffic: no figure in money is given without them; sizing is not "
                "built in this version"
            ),
        ),
    ),
    "noise": Topic(
        about=(
            "monitoring.drift",
            "monitoring.prediction_quality",
            "monitoring.labels_joined",
            "monitoring.alerts",
            "monitoring.alerts_actionable",
            "monitoring.alerts_routed",
            "monitoring.predictions_logged",
            "running.drift_evaluated",
            "running.quality_evaluated",
            "running.alerts_reach",
        ),
        lead=(
            "Page on consequence (realised quality, broken data, the promise to callers); show "
            "drift as context only."
        ),
        advice=(
            (
                (
                    "Tests on each feature call almost any change significant once samples are large; "
                    "alert on the size of a change, from a minimum number of rows on."
                ),
                "evidentlyai/evidently, issues 50 and 509",
            ),
            (
                "Practitioners report that many false alarms make them ignore all alerts.",
                "Shankar et al., Operationalizing Machine Learning: An Interview Study, 2022",
            ),
        ),
        commands=(ASSESS,),
        project=(MONITOR, step("mlwright alerts", "what fired, and on which evidence")),
        questions=(
            "Which of the last alarms led to an action? Those that never do can go to a dashboard.",
            "How long after a prediction is the truth known?",
        ),
        blind=("how many alarms fired and who read them, unless an mlwright project runs here",),
    ),
    "compliance": Topic(
        about=(
            "governance.*",
            "model.card",
            "model.card_complete",
            "model.card_agrees",
            "data.documented",
            "data.datasheet_complete",
            "model.fairness_evaluated",
            "monitoring.predictions_logged",
            "running.audited",
        ),
        lead="What files can show of the documentation duties; this is not legal advice.",
        advice=(
            (
                (
                    "Whether the duties of a high-risk system apply depends on what the system is used "
                    "for, not on its technique."
                ),
                "Regulation (EU) 2024/1689, Article 6 and Annex III",
            ),
            (
                (
                    "Providers and deployers of high-risk systems keep automatically generated logs for "
                    "at least six months."
                ),
                "Regulation (EU) 2024/1689, Articles 19 and 26(6)",
            ),
        ),
        commands=(
            step("mlwright assess . --html report.html", "the report with the EU AI Act view, as one file"),
        ),
        project=(step("mlwright audit --verify", "whether the chain of changes of state is unbroken"),),
        questions=("Who is affected by a decision of this model, and can a person overrule it?",),
        blind=(
            (
                "what the system is used for, contracts, processes and everything that is kept "
                "outside of the repository"
            ),
        ),
    ),
    "security": Topic(
        about=(
            "security.*",
            "model.pickles_clean",
            "model.loads_trusted",
            "model.format_safe",
            "code.no_shell_injection",
            "code.verifies_tls",
            "container.*",
            "kubernetes.*",
            "cloud.*",
            "ci.safe_workflows",
            "ci.pinned_actions",
            "dependencies.from_trusted_indexes",
            "dependencies.audited",
            "serving.guarded",
            "serving.limits",
        ),
        lead="What speaks for and against the security of code, containers, manifests and model files.",
        advice=(
            (
                (
                    "A pickle runs whatever it wants when it is loaded: prefer safetensors, ONNX or a "
                    "booster's own format."
                ),
                "Python documentation, module pickle",
            ),
            (
                "A secret that was ever committed has to be revoked; deleting the file leaves it in the history.",
                "OWASP Secrets Management Cheat Sheet",
            ),
        ),
        commands=(REVIEW,),
        blind=(
            "running systems, access rights and networks; whether a found secret is still valid",
            "that nothing was found does not show that it is secure",
        ),
    ),
    "monitoring": Topic(
        about=(
            "monitoring.predictions_logged",
            "monitoring.labels_joined",
            "monitoring.prediction_quality",
            "monitoring.*",
            "serving.health",
            "running.predictions_logged",
            "running.labels_arrive",
            "running.quality_evaluated",
            "running.slo_set",
            "running.alerts_reach",
        ),
        lead=(
            "In this order: log every prediction with its inputs and version, join the truth, "
            "measure quality, then drift."
        ),
        advice=(
            (
                "Before labels arrive, watch inputs against the contract and the mean of the predictions.",
                "Breck et al., The ML Test Score, IEEE Big Data 2017 (Monitor 2 and 7)",
            ),
            (
                "Page on symptoms that a user would notice, not on every cause that might lead to one.",
                "Beyer et al., Site Reliability Engineering, 2016, chapter 6",
            ),
        ),
        commands=(
            ASSESS,
            step("mlwright demo --months 2", "a whole monitored loop on real flights, to look at"),
        ),
        project=(MONITOR, step("mlwright alerts", "what fired, and on which evidence")),
        questions=(
            "How long after a prediction is the truth known, and where does it arrive?",
            "Who is woken, and what would they do?",
        ),
        blind=("dashboards and alert rules that live outside of this repository",),
    ),
    "release": Topic(
        about=(
            "release.canary",
            "release.rollback",
            "model.quality_gate",
            "release.environments",
            "release.ab_tests",
            "release.automated",
            "release.approved",
            "release.versioned_images",
            "recovery.drill",
            "running.rollouts_judged",
            "running.rollback_seen",
            "running.versions_gated",
            "running.gate_has_blocked",
        ),
        lead="Shadow first, then a small share judged on evidence, with a way back that was tried before.",
        advice=(
            (
                (
                    "Looking at a running test again and again inflates false alarms unless the intervals "
                    "hold at all times."
                ),
                (
                    "Howard et al., Time-uniform, Nonparametric, Nonasymptotic Confidence Sequences, "
                    "Annals of Statistics 2021"
                ),
            ),
            (
                (
                    "Little traffic proves little: a rollout needs an answer “not enough evidence”, which "
                    "is neither promote nor roll back."
                ),
                "argo-rollouts issue 1905",
            ),
        ),
        commands=(REVIEW, ASSESS),
        project=(
            step("mlwright rollout start ENDPOINT MODEL/VERSION", "shadow, then shares, judged by evidence"),
            step("mlwright rollout status ENDPOINT", "the verdict so far, with every test behind it"),
        ),
        questions=(
            ("How long after a prediction is the truth known? A rollout cannot be judged on quality before."),
        ),
        blind=("how releases are really done, where that is not written in this repository",),
    ),
    "slow": Topic(
        about=(
            "serving.model_loaded_once",
            "serving.async_not_blocked",
            "serving.production_server",
            "serving.no_debug",
            "serving.timeouts",
            "monitoring.performance_benchmarked",
            "monitoring.slo",
            "cost.requests_set",
            "cost.gpu_needed",
            "serving.ready_means_loaded",
        ),
        lead="Measure before changing: where a request spends its time, and at which load the queue begins.",
        advice=(
            (
                "Send requests on a schedule, not one after another's answer: a closed loop hides the waiting time.",
                "Tene, How NOT to Measure Latency (coordinated omission), 2013",
            ),
            (
                (
                    "Waiting grows without bound as utilisation nears one: past that point only more "
                    "capacity or less work helps."
                ),
                "Harchol-Balter, Performance Modeling and Design of Computer Systems, 2013",
            ),
        ),
        commands=(
            REVIEW,
            step("k6 run load.js", ("an open-model load test; you write load.js with your own requests")),
        ),
        questions=(
            "Which quantile is too slow, at how many requests a second?",
            "Is it the first request or every one?",
        ),
        blind=("latency: nothing here was executed or measured",),
    ),
}
