"""What scores files and streams, in any process: settings → EndpointCore, without a server."""

from functools import partial

from mlwright.adapters.clock.system import SystemClock
from mlwright.model.settings import Settings
from mlwright.stages.serving.batch.job import Scored
from mlwright.stages.serving.batch.working import LookUps, NoJournal, OpenCore
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.journal import Journal, Recorder
from mlwright.stages.serving.recording import RecordPolicy, record_key
from mlwright.wiring.edges import online_store, value_checks
from mlwright.wiring.inference import decode_settings, encode_settings, open_database, version_loader


def core_opener(settings: Settings) -> OpenCore:
    """Opens what answers; it may be sent to other processes."""
    return partial(_open_core, encode_settings(settings))


def _open_core(line: bytes, scored: Scored, looked: LookUps) -> EndpointCore:
    settings, clock, spec = decode_settings(line), SystemClock(), scored.spec
    loader = version_loader(settings, open_database(settings, clock), clock)
    online = online_store(settings.state, spec)
    journal: Recorder = Journal(settings.state / "log", clock) if scored.log else NoJournal()
    core = EndpointCore(
        spec,
        [view for view in settings.feature_views if view.name in spec.features],
        None if online is None else looked.counting(online),
        loader.load_variant,
        journal,
        clock,
        checks=value_checks(settings.root, spec),
        record=RecordPolicy(spec.serving.record, record_key(settings.state)) if scored.log else None,
    )
    core.apply(scored.route)
    return core
