"""Duties of the EU AI Act for high-risk systems that leave a trace in files or records."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

from mlwright.engineer.rubrics.scales import count
from mlwright.engineer.rubrics.shape import Chapter, Check, Rubric, check, question
from mlwright.model.findings import Rung

HIGH_RISK: Final = "ai-act.high_risk"


def _duty(id: str, title: str, next_step: str, documents: str, executed: str = "") -> Check:
    """A duty that a document or a measure shows; whether it is enough is for people."""
    return check(id, title, next_step, declared=documents, executed=executed, whole=Rung.DECLARED)


@cache
def dates() -> str:
    """When the duties apply, one sentence, from ``ai_act.toml``."""
    data = tomllib.loads(files(__package__).joinpath("ai_act.toml").read_text(encoding="utf-8"))
    terms = "; ".join(
        f"{each['to']}: from {each['from']} (first {each['originally']})" for each in data["applies"]
    )
    return f"{terms}. As of {data['as_of']}; source: {data['source']}."


AI_ACT: Final = Rubric(
    id="ai-act",
    title="EU AI Act: duties for high-risk systems",
    source="Regulation (EU) 2024/1689, Articles 9 to 19, 26, 72, 73",
    chapters=(
        Chapter(
            title="Requirements for the system",
            checks=(
                _duty("Art. 9", "risks are managed", "keep a register of risks", "governance.risk_register"),
                _duty(
                    "Art. 10 provenance",
                    "data is described, and its version named",
                    "write a data sheet, and name the data's version",
                    "data.documented + data.versioned",
                ),
                _duty(
                    "Art. 10 quality",
                    "data keeps declared rules, all features included",
                    "write a data contract that covers every feature",
                    "data.contract + data.contract_covers",
                ),
                _duty(
                    "Art. 10 personal",
                    "no personal attribute is used without a policy",
                    "take it out of the features, or write the policy",
                    "data.personal_columns + data.feature_policy",
                ),
                _duty(
                    "Art. 10 bias",
                    "data and errors were examined for bias",
                    "compare errors between groups of people",
                    "model.fairness_evaluated",
                ),
                _duty(
                    "Art. 11, Annex IV",
                    "technical documentation exists",
                    "write the technical documentation of Annex IV",
                    "governance.technical_documentation",
                ),
                _duty(
                    "Art. 12",
                    "events are recorded over the system's life",
                    "log each prediction with model version, input reference and time, append-only",
                    "governance.event_logs",
                    "running.audited + running.predictions_logged",
                ),
                _duty(
                    "Art. 13",
                    "deployers get instructions for use",
                    "write instructions with purpose, limits and accuracy",
                    "governance.instructions + governance.intended_use",
                ),
                _duty(
                    "Art. 14",
                    "people oversee the system",
                    "write down who may overrule it, and how",
                    "governance.human_oversight",
                ),
                _duty(
                    "Art. 15 accuracy",
                    "accuracy is measured on rows that training did not see",
                    "evaluate by metrics that suit the task, on held-out rows that nothing was fitted or tuned on",
                    "model.evaluated_apart + model.metric_fits + model.too_good + data.target_dropped"
                    " + data.split_before_fit + data.split_respects_time + data.test_untouched",
                ),
                _duty(
                    "Art. 15 robustness",
                    "drift and violations are watched",
                    "watch drift, and count violations while serving",
                    "monitoring.drift + monitoring.data_quality",
                    "running.drift_evaluated",
                ),
                _duty(
                    "Art. 15 cybersecurity",
                    "the system is protected against manipulation",
                    "guard the endpoint, load models safely, keep secrets out of the repository",
                    "serving.guarded + model.loads_trusted + security.no_secrets",
                ),
            ),
        ),
        Chapter(
            title="Duties of providers and deployers",
            checks=(
                question("ai-act.art_17", "a quality management system is in place (Art. 17)"),
                _duty(
                    "Art. 18",
                    "documentation is kept for 10 years",
                    "write down where the documentation is kept, and how long",
                    "governance.documents_kept",
                ),
                _duty(
                    "Art. 19, 26(6)",
                    "logs are kept for 6 months at least",
                    "set the retention of logs to 6 months or more",
                    "governance.log_retention",
                ),
                question(
                    "ai-act.art_26_5", "the deployer watches the system and tells the provider (Art. 26(5))"
                ),
                _duty(
                    "Art. 72",
                    "a plan for monitoring after release exists",
                    "write the monitoring plan",
                    "governance.monitoring_plan",
                ),
                _duty(
                    "Art. 73",
                    "serious incidents are reported",
                    "write down how an incident is reported, to whom, by when",
                    "governance.incident_process",
                ),
            ),
        ),
    ),
    read=count,
    unless=HIGH_RISK,
    note="Not legal advice. These duties concern high-risk systems: whether this is one, only people can say "
    f'(question = "{HIGH_RISK}" in .mlwright-answers.toml). {dates()}',
)
