"""Measurements that were made up: nothing is started."""

from collections.abc import Callable
from pathlib import Path

from mlwright.errors import ModelLoadFailed
from mlwright.model.conversions import Footprint
from mlwright.model.endpoints import Route
from mlwright.model.profiles import LoadPoint, Served
from mlwright.model.settings import EndpointSettings, Settings
from mlwright.ports.measuring import Load

_MIB = 1 << 20


class ImaginedMeasuring:
    """Says the same of every model, and remembers in ``served`` what it was asked to serve."""

    def __init__(self) -> None:
        self.served: list[tuple[EndpointSettings, Route, Load]] = []

    def footprint(self, folder: Path) -> Footprint:
        """The same for every complete folder; see ``Measuring.footprint``."""
        if not (folder / "MLmodel").is_file():
            raise ModelLoadFailed("there is no MLmodel", where=str(folder))
        return Footprint(load_s=0.5, first_s=0.1, base=30 * _MIB, loaded=90 * _MIB, peak=95 * _MIB)

    def serve(
        self,
        settings: Settings,
        endpoint: EndpointSettings,
        route: Route,
        load: Load,
        say: Callable[[str], None],
    ) -> Served:
        """A process of which a tenth of the work cannot run beside other work; see ``Measuring.serve``."""
        self.served.append((endpoint, route, load))
        points = tuple(
            LoadPoint(
                connections=count,
                requests=int(1000 * count / (1 + 0.1 * (count - 1))),
                seconds=1.0,
                cpu_s=0.5,
                p50_s=1e-3,
                p99_s=2e-3,
                rss=90 * _MIB,
            )
            for count in load.connections
        )
        return Served(
            cold_start_s=0.9,
            idle=80 * _MIB,
            peak=95 * _MIB,
            request_bytes=200,
            answer_bytes=150,
            points=points,
        )
