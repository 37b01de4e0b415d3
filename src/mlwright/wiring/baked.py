"""The inference process of an image: one endpoint with one version, from a folder, without a database.

What it may need is loaded when it is needed: data frames for feature views and contracts.
"""

from hashlib import blake2b
from pathlib import Path

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.runtimes.order import all_runtimes
from mlwright.errors import StorageError
from mlwright.model.endpoints import CHAMPION, Route, Variant
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.images import Baked
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.images.baked import MODEL, read_baked
from mlwright.stages.pipelines.choosing import choose, not_loadable
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.host import InferenceHost
from mlwright.stages.serving.recording import RecordPolicy, record_key
from mlwright.stages.serving.ring import RingJournal
from mlwright.stages.serving.slots import Slots
from mlwright.wiring.edges import online_store, value_checks


def open_baked(place: Path, state: Path) -> InferenceHost:
    """Build the host of what a folder holds; everything that is written goes below ``state``.

    Raises:
        ArtifactCorrupt: a file of the folder is not what was put there.
        StorageError: nothing can be written below ``state``.
    """
    baked = read_baked(place)
    endpoint, clock = baked.endpoint, SystemClock()
    try:
        state.mkdir(parents=True, exist_ok=True)
        journal = RingJournal(state / "log", clock)
        slots = Slots(state / "run" / "metrics")
        key = record_key(state)
    except OSError as error:
        raise StorageError(
            "the state folder cannot be written",
            where=str(state),
            why=error.strerror,
            next_command=f"docker run --mount type=volume,target={state} …  # or --tmpfs {state}",
        ) from error
    core = EndpointCore(
        endpoint,
        baked.views,
        online_store(state, endpoint),
        lambda _: _load(place / MODEL, baked.flavor),
        journal,
        clock,
        checks=value_checks(place, endpoint),
        record=RecordPolicy(endpoint.serving.record, key),
        counters=Counters(endpoint.name, slots, limit_s=endpoint.slo.latency_p99.total_seconds()),
    )
    route = route_of(baked)
    return InferenceHost({endpoint.name: core}, lambda: [route], journal, None, slots, state / "log")


def route_of(baked: Baked) -> Route:
    """The one route: the version alone, with the salt that the endpoint's name gives everywhere."""
    alone = Variant(name=CHAMPION, model=ModelName(baked.model), version=baked.version, share=1.0)
    salt = blake2b(baked.endpoint.name.encode(), digest_size=8).hexdigest()
    return Route(endpoint=EndpointName(baked.endpoint.name), generation=1, salt=salt, variants=(alone,))


def _load(folder: Path, flavor: str) -> LoadedModel:
    runtimes = all_runtimes()
    choice = choose(runtimes, folder, flavor)
    if choice.runtime is None:
        raise not_loadable(choice, runtimes)
    return choice.runtime.load(folder)
