"""The doctor: is this project well, and if not, what should be done?"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from mlwright.engineer.checks import machine, operation, project, state
from mlwright.engineer.findings import broke, holds, refused, unknown
from mlwright.errors import MlwrightError
from mlwright.model.findings import Finding
from mlwright.platform.facade import Platform

Check = Callable[[Platform], Iterator[Finding]]

CHECKS: Final[tuple[tuple[str, str, Check], ...]] = (
    ("state", "the state folder is fit for use", machine.state_folder),
    ("database.schema", "the database has this version's schema", state.schema),
    ("database.integrity", "the database file is sound", state.integrity),
    ("audit.chain", "the audit chain is whole", state.audit_chain),
    ("artifacts.reachable", "the artifact store answers", state.artifact_store),
    ("log.sound", "the prediction log is sound", state.prediction_log),
    ("contracts", "the contracts are valid", project.contracts),
    ("sources", "the data sources are there", project.sources),
    ("pipelines", "the pipeline files import", project.pipelines),
    ("endpoints", "every endpoint has a champion that loads", operation.endpoints),
    ("runs.interrupted", "every running run has a process", operation.interrupted_runs),
    ("alerts.sent", "every message about an alert has left", operation.unsent_alerts),
    ("serve.ports", "the ports are free or ours", machine.ports),
)
"""What is looked at, in order: the id and title stand in where a check cannot say anything itself."""

_OPENS: Final = ("project.opens", "the project opens: its settings have no fault, its database can be used")


def examine(
    patient: Platform | MlwrightError, *, without: Mapping[str, str] | None = None
) -> tuple[Finding, ...]:
    """Look at everything; whatever is wrong becomes a finding, nothing is raised and nothing is changed.

    Args:
        patient: an open platform, or the error with which the project refused to open.
        without: checks that are left out, by id, with the reason.
    """
    if isinstance(patient, MlwrightError):
        reason = "the project does not open"
        rest = tuple(unknown(id, title, reason) for id, title, _ in CHECKS)
        return (machine.python(), refused(*_OPENS, patient), *rest)
    opened = holds(*_OPENS, str(patient.parts.settings.root))
    left = without or {}
    found = [
        finding
        for id, title, check in CHECKS
        for finding in ([unknown(id, title, left[id])] if id in left else _look(id, title, check, patient))
    ]
    return (machine.python(), opened, *found)


def _look(id: str, title: str, check: Check, platform: Platform) -> Iterator[Finding]:
    try:
        yield from check(platform)
    except MlwrightError as error:
        yield refused(id, title, error)
    except Exception as error:  # noqa: BLE001 - a broken project may break anything, and the others still count
        yield broke(id, title, error)
