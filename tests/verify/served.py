"""One real inference process: ``python served.py FOLDER [--grpc]``. Prints its port when it takes requests.

The endpoint ``delay`` is served by a gradient-boosted classifier that our runtime saved and loaded.
"""

import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.doors.grpc.server import serve_grpc
from mlwright.doors.http.inference.server import serve
from mlwright.doors.up.processes import free_port
from mlwright.model.endpoints import Route, Variant
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.registry import Field, Signature
from mlwright.model.settings import EndpointSettings, LabelSettings
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost
from mlwright.stages.serving.journal import Journal

SIGNATURE = Signature(
    inputs=(
        Field(name="distance", type="double"),
        Field(name="hour", type="long"),
        Field(name="carrier", type="string"),
    ),
    outputs=(Field(name="score", type="double"),),
)


def save_model(folder: Path) -> None:
    random = np.random.default_rng(3)
    features = np.column_stack(
        [random.uniform(100, 2500, 500), random.integers(5, 24, 500), random.integers(0, 2, 500)]
    )
    late = features[:, 0] / 2500 + features[:, 1] / 24 > 1.2
    SklearnRuntime().save(
        HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(features, late),
        folder,
        signature=SIGNATURE,
        example={"distance": [500.0], "hour": [8], "carrier": ["UA"]},
        categories={"carrier": ("AA", "UA")},
    )


def main(folder: Path, *options: str) -> None:
    model = folder / "model"
    model.mkdir(parents=True)
    save_model(model)
    clock = SystemClock()
    journal = Journal(folder / "log", clock)
    spec = EndpointSettings(
        name="delay",
        model="flight-delay@champion",
        entity="flight",
        timestamp="predicted_at",
        label=LabelSettings(column="late", horizon=timedelta(hours=12)),
    )
    core = EndpointCore(spec, [], None, lambda _: SklearnRuntime().load(model), journal, clock)
    champion = Variant(name="champion", model=ModelName("flight-delay"), version=3, share=1.0)
    route = Route(endpoint=EndpointName("delay"), generation=1, salt="s", variants=(champion,))
    host = InferenceHost({"delay": core}, lambda: [route], journal)
    port = free_port()
    run = serve_grpc if "--grpc" in options else serve
    run(host, "127.0.0.1", port, ready=lambda: print(port, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
