"""Is anybody told?"""

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.engineer.vocabulary.cloud import of_types
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_ALARMS = (
    "aws_cloudwatch_metric_alarm",
    "AWS::CloudWatch::Alarm",
    "google_monitoring_alert_policy",
    "azurerm_monitor_metric_alert",
    "datadog_monitor",
    "grafana_rule_group",
    "pagerduty_service",
)


def look(repository: Repository) -> Answer:
    """Look for alerting rules, alarms as code, and mlwright's own."""
    if repository.alerts:
        first = repository.alerts[0]
        return yes(
            f"{len(repository.alerts)} rules: {first.name}", *(each.at for each in repository.alerts[:10])
        )
    alarms = of_types(repository, _ALARMS)
    if alarms:
        return yes(f"{len(alarms)} alarms: {alarms[0].name}", *(each.at for each in alarms[:10]))
    for document in repository.of_kind(DocumentKind.MLWRIGHT):
        endpoints = document.get("endpoint")
        if isinstance(endpoints, list) and endpoints:
            return yes("mlwright alerts on quality, drift and age of each endpoint", document.at("endpoint"))
    return no("no alerting rule and no alarm as code")


PROBE = Probe(
    id="monitoring.alerts",
    title="alert rules tell somebody",
    why="A dashboard that nobody looks at on Sunday is not monitoring.",
    remedy="alert on errors, latency and falling quality; keep the rules as code (promtool checks them)",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    elsewhere=True,
    source="ML Test Score Monitor 1–7; Google SRE Workbook, ch. 5",
)
