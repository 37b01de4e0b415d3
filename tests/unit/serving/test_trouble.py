"""A model whose process is down: what health, metrics and clients are told, and who stands in."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from mlwright.doors.http.inference import metrics
from mlwright.doors.http.inference.rendering import status_of, waiting
from mlwright.errors import ModelDown
from mlwright.model.settings import FallbackSettings, ServingSettings
from mlwright.ports.runtimes import trouble_of
from mlwright.stages.serving.batching import Batcher
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost


@dataclass
class Elsewhere:
    """A model that seems to run in a process of its own."""

    inner: object
    trouble: str | None = None
    tells: list[Callable[[], None]] = field(default_factory=list)

    @property
    def signature(self):
        return self.inner.signature

    def infer(self, batch):
        if self.trouble:
            raise ModelDown(f"the model cannot answer now: {self.trouble}", retry_after_s=2.5)
        return self.inner.infer(batch)

    def on_restart(self, tell: Callable[[], None]) -> None:
        self.tells.append(tell)

    def close(self) -> None:
        self.inner.close()


@pytest.fixture
def model(models) -> Elsewhere:
    return Elsewhere(models[1])


def host_of(kit, spec, model, journal, clock, **serving) -> InferenceHost:
    spec = replace(spec, serving=ServingSettings(**serving))
    core = EndpointCore(spec, [], None, lambda _: model, journal, clock)
    route = kit.route(kit.variant("champion", 1, 1.0), generation=1)
    return InferenceHost({spec.name: core}, lambda: [route], journal)


def test_health_is_red_while_it_is_down(kit, spec, model, journal, clock) -> None:
    host = host_of(kit, spec, model, journal, clock)
    assert not host.ready
    host.refresh()
    core = host.core(spec.name)
    assert host.ready
    assert host.status(spec.name).ready
    model.trouble = "its process is down: SIGKILL ended it"
    status = host.status(spec.name)
    assert (host.ready, status.ready, status.serving) == (False, False, False)
    assert "SIGKILL ended it" in (status.reason or "")
    with pytest.raises(ModelDown) as down:
        core.predict(kit.ask(["a"]))
    assert status_of(down.value) == 503
    assert waiting(down.value) == (("retry-after", "3"),)
    model.trouble = None
    assert host.ready
    assert host.status(spec.name).ready
    assert core.predict(kit.ask(["a"])).outputs["score"].tolist() == [1.0]


def test_everybody_in_a_batch_is_told_at_once(kit, spec, model, journal, clock) -> None:
    host = host_of(kit, spec, model, journal, clock)
    host.refresh()
    core = host.core(spec.name)
    model.trouble = "it is down"
    batches = len(model.inner.batches)
    outcomes = core.answer([kit.ask(["a"]), kit.ask(["b"]), kit.ask(["c"])])
    assert [type(each) for each in outcomes] == [ModelDown] * 3
    assert len(model.inner.batches) == batches


def test_a_fallback_stands_in_and_the_endpoint_serves(kit, spec, model, journal, clock) -> None:
    host = host_of(kit, spec, model, journal, clock, fallback=FallbackSettings(to="default", value=0.25))
    host.refresh()
    model.trouble = "it is down"
    answer = host.core(spec.name).predict(kit.ask(["a"]))
    assert (answer.outputs["score"].tolist(), answer.degraded) == ([0.25], "default")
    status = host.status(spec.name)
    assert (host.ready, status.ready, status.serving) == (True, False, True)


def test_starts_are_counted(kit, spec, model, journal, clock) -> None:
    host = host_of(kit, spec, model, journal, clock)
    host.refresh()
    for tell in model.tells * 2:
        tell()
    text, _ = metrics.render(host.cores, "")
    assert f'mlwright_model_process_restarts_total{{endpoint="{spec.name}",model="m/1"}} 2' in text


def test_it_never_computes_on_the_event_loop(kit, spec, model, journal, clock) -> None:
    host = host_of(kit, spec, model, journal, clock)
    host.refresh()
    core = host.core(spec.name)
    assert core.curve is not None
    assert core.curve.t(64) < 1e-3
    assert Batcher(core).mode == "thread"
    assert trouble_of(model.inner) is None
