"""What runs: endpoints and their models, runs, alerts."""

import os
import platform as machine
from collections.abc import Iterator

from sqlalchemy import func, select

from mlwright.engineer.findings import fails, holds, no_question, refused
from mlwright.errors import MlwrightError
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding
from mlwright.model.settings import EndpointSettings
from mlwright.model.tracking import RunStatus
from mlwright.platform.facade import Platform
from mlwright.stages.monitoring.tables import deliveries
from mlwright.stages.tracking.tables import runs


def endpoints(platform: Platform) -> Iterator[Finding]:
    """Every endpoint has a champion, and every model behind it loads."""
    for endpoint in platform.parts.settings.endpoints:
        yield _champion(platform, endpoint)
        yield from _behind(platform, endpoint)


def interrupted_runs(platform: Platform) -> Iterator[Finding]:
    """No run is said to be running whose process is gone. Only processes of this machine can be asked."""
    title = "every running run has a process"
    with platform.parts.read() as tx:
        running = tx.execute(
            select(runs.c.id, runs.c.pid).where(
                runs.c.status == RunStatus.RUNNING.value,
                # Runs of clients have no process that is known here.
                runs.c.pid.is_not(None),
                runs.c.host == machine.node(),
            )
        ).all()
    gone = [row.id for row in running if not _alive(row.pid)]
    if gone:
        evidence = f"{len(gone)} interrupted: {', '.join(gone[:5])}"
        yield fails("runs.interrupted", title, evidence, "mlwright runs --recover", Severity.WARNING)
    else:
        yield holds("runs.interrupted", title, f"{len(running)} running")


def unsent_alerts(platform: Platform) -> Iterator[Finding]:
    """Every message about an alert has left."""
    title = "every message about an alert has left"
    with platform.parts.read() as tx:
        waiting = deliveries.c.sent_at.is_(None) & deliveries.c.cancelled_at.is_(None)
        count = tx.execute(select(func.count()).select_from(deliveries).where(waiting)).scalar_one()
        failed = tx.execute(
            select(deliveries.c.channel, deliveries.c.last_error)
            .where(waiting, deliveries.c.last_error.is_not(None))
            .limit(1)
        ).one_or_none()
    if count == 0:
        yield holds("alerts.sent", title, "none is waiting")
        return
    why = f"; {failed.channel} said: {failed.last_error}" if failed else ""
    remedy = "mlwright tick; correct [[notify]] in mlwright.toml if the channel refuses"
    yield fails("alerts.sent", title, f"{count} waiting{why}", remedy, Severity.WARNING)


def _champion(platform: Platform, endpoint: EndpointSettings) -> Finding:
    id, title = f"endpoint.{endpoint.name}.champion", f"endpoint {endpoint.name} has a champion that loads"
    champion = platform.releases.status(endpoint.name).champion
    if champion is None:
        remedy = f"mlwright run --list, then mlwright deploy {endpoint.name} MODEL/VERSION"
        return fails(id, title, f"nothing is {endpoint.model}", remedy, Severity.WARNING)
    try:
        model = platform.releases.load(champion)
    except MlwrightError as error:
        return refused(id, title, error)
    return holds(id, title, f"{champion.ref} ({champion.flavor}), {len(model.signature.inputs)} inputs")


def _behind(platform: Platform, endpoint: EndpointSettings) -> Iterator[Finding]:
    title = f"all that stands behind endpoint {endpoint.name} loads"
    route = platform.releases.status(endpoint.name).route
    if route is None:
        yield no_question(f"endpoint.{endpoint.name}.route", title, "nothing was deployed to it yet")
        return
    if not route.variants:
        yield no_question(f"endpoint.{endpoint.name}.route", title, "it is out of service")
        return
    for variant in route.variants:
        id = f"endpoint.{endpoint.name}.{variant.name}"
        if variant.name == "champion":
            continue
        try:
            platform.releases.load_variant(variant)
        except MlwrightError as error:
            yield refused(id, title, error)
        else:
            yield holds(id, title, f"{variant.model}/{variant.version} in generation {route.generation}")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
