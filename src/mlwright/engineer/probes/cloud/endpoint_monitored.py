"""Does somebody watch the managed endpoint?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.cloud import of_types, prop
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_ENDPOINTS = (
    "aws_sagemaker_endpoint_configuration",
    "AWS::SageMaker::EndpointConfig",
    "google_vertex_ai_endpoint",
)
_WATCHES = (
    "aws_cloudwatch_metric_alarm",
    "AWS::CloudWatch::Alarm",
    "google_monitoring_alert_policy",
    "aws_sagemaker_monitoring_schedule",
    "AWS::SageMaker::MonitoringSchedule",
)


def look(repository: Repository) -> Answer:
    """Look for data capture and alarms beside managed endpoints."""
    endpoints = of_types(repository, _ENDPOINTS)
    if not endpoints:
        return no_question("no managed endpoint as code here")
    watches = of_types(repository, _WATCHES)
    captured = [each for each in endpoints if prop(each, "data_capture_config", "DataCaptureConfig")]
    if watches or captured:
        return yes(
            f"{len(watches)} alarms and schedules, capture at {len(captured)} of {len(endpoints)} endpoints",
            *(each.at for each in (*watches, *captured)),
        )
    return no("neither data capture nor an alarm beside the endpoint", *(each.at for each in endpoints))


PROBE = Probe(
    id="cloud.endpoint_monitored",
    title="managed endpoints keep their requests and raise alarms",
    why="A managed endpoint that nobody watches answers wrongly for weeks with every light green.",
    remedy="add data_capture_config and an alarm on errors and latency",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    source="AWS Machine Learning Lens, endpoint health monitoring",
)
