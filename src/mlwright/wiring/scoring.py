"""What scores files and streams, in any process: settings → EndpointCore, without a server."""

from collections.abc import Callable
from functools import partial

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.fs.artifacts import FsArtifactStore
from mlwright.adapters.parquet.online import ParquetOnlineStore
from mlwright.model.settings import Settings
from mlwright.ports.streams import RecordStream
from mlwright.stages.serving.batch.job import Scored
from mlwright.stages.serving.batch.working import LookUps, OpenCore
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.journal import Journal, NoJournal, Recorder
from mlwright.stages.serving.recording import RecordPolicy, record_key
from mlwright.wiring.inference import (
    decode_settings,
    encode_settings,
    open_database,
    value_checks,
    version_loader,
)


def core_opener(settings: Settings) -> OpenCore:
    """Opens what answers; it may be sent to other processes."""
    return partial(_open_core, encode_settings(settings))


def stream_opener() -> Callable[[str, str, str], RecordStream]:
    """Opens one consumer of a stream: its URL, that of the output, and the group."""
    from mlwright.adapters.redis.streams import open_stream

    return open_stream


def _open_core(line: bytes, scored: Scored, looked: LookUps) -> EndpointCore:
    settings, clock, spec = decode_settings(line), SystemClock(), scored.spec
    engine = open_database(settings, clock)
    loader = version_loader(settings, engine, FsArtifactStore(settings.artifacts), clock)
    journal: Recorder = Journal(settings.state / "log", clock) if scored.log else NoJournal()
    core = EndpointCore(
        spec,
        [view for view in settings.feature_views if view.name in spec.features],
        looked.counting(ParquetOnlineStore(settings.state / "features")) if spec.features else None,
        loader.load_variant,
        journal,
        clock,
        checks=value_checks(settings.root, spec),
        record=RecordPolicy(spec.serving.record, record_key(settings.state)) if scored.log else None,
    )
    core.apply(scored.route)
    engine.dispose()
    return core
