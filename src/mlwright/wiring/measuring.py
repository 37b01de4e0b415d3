"""What a measured serving process needs: the host of one endpoint that logs into a folder of its own."""

from pathlib import Path

import msgspec

from mlwright.adapters.clock.system import SystemClock
from mlwright.model.endpoints import Route
from mlwright.model.settings import EndpointSettings, Settings
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.host import InferenceHost
from mlwright.stages.serving.readings import metrics_folder
from mlwright.stages.serving.ring import RingJournal
from mlwright.stages.serving.slots import Slots
from mlwright.wiring.edges import online_store, value_checks
from mlwright.wiring.inference import open_database, version_loader


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A route to serve on a port, and the folder to write into."""

    settings: Settings
    endpoint: EndpointSettings
    route: Route
    state: str
    port: int


def decode_job(line: str) -> Job:
    """The job that a line holds."""
    return msgspec.json.decode(line, type=Job, dec_hook=lambda kind, value: kind(value))


def open_measured(job: Job) -> InferenceHost:
    """The host of one endpoint with one route; it reads the project's state and writes into its own folder."""
    settings, endpoint, route, state = job.settings, job.endpoint, job.route, Path(job.state)
    clock = SystemClock()
    loader = version_loader(settings, open_database(settings, clock), clock)
    journal = RingJournal(state / "log", clock)
    slots = Slots(metrics_folder(state))
    core = EndpointCore(
        endpoint,
        [view for view in settings.feature_views if view.name in endpoint.features],
        online_store(settings.state, endpoint),
        loader.load_variant,
        journal,
        clock,
        checks=value_checks(settings.root, endpoint),
        counters=Counters(endpoint.name, slots),
    )
    return InferenceHost({endpoint.name: core}, lambda: [route], journal, None, slots, state / "log")
