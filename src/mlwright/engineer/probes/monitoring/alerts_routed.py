"""Does an alert reach a person?"""

from collections.abc import Iterator

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.cloud import of_types
from mlwright.engineer.vocabulary.signs import Sign, shown
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_ROUTES: tuple[str, ...] = (
    "aws_sns_topic_subscription",
    "AWS::SNS::Subscription",
    "google_monitoring_notification_channel",
)
_ROUTES += (
    "pagerduty_service",
    "pagerduty_escalation_policy",
    "opsgenie_team",
    "azurerm_monitor_action_group",
)


def look(repository: Repository) -> Answer:
    """Look for receivers of alerts."""
    return shown(_routes(repository), "alerts go out", "no receiver of alerts as code")


def _routes(repository: Repository) -> Iterator[Sign]:
    for document in repository.of_kind(DocumentKind.ALERTMANAGER):
        if document.get("receivers"):
            yield "receivers of Alertmanager", document.at("receivers")
    for each in repository.objects("AlertmanagerConfig"):
        yield f"AlertmanagerConfig {each.name}", each.at
    for resource in of_types(repository, _ROUTES):
        yield f"{resource.type} {resource.name}", resource.at
    for document in repository.of_kind(DocumentKind.MLWRIGHT):
        if document.get("notify"):
            yield "[[notify]] of mlwright.toml", document.at("notify")


PROBE = Probe(
    id="monitoring.alerts_routed",
    title="alerts reach a person",
    why="A rule that fires into a channel that nobody reads is decoration.",
    remedy="keep Alertmanager's receivers, with an escalation, as code beside the rules",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    after="monitoring.alerts",
    elsewhere=True,
    source="Google SRE Book, ch. 11",
)
