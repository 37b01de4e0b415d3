from dataclasses import replace

import pytest

from mlwright.errors import DatabaseUnavailable, ModelLoadFailed, NotFound, Unsupported
from mlwright.stages.serving import host as host_module
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost


@pytest.fixture
def routes() -> list:
    return []


@pytest.fixture
def host(kit, spec, models, journal, clock, routes) -> InferenceHost:
    def load(variant):
        return replace(models[variant.version], seen=[])  # each endpoint holds its own, and closes it

    def core(name: str) -> EndpointCore:
        return EndpointCore(replace(spec, name=name), [], None, load, journal, clock)

    cores = {name: core(name) for name in ("delay", "churn")}
    return InferenceHost(cores, lambda: list(routes), journal, Database(kit, routes))


class Database:
    """Fills ``Releasing`` on the list of routes that the host reads."""

    def __init__(self, kit, routes) -> None:
        self._kit = kit
        self._routes = routes

    def load(self, endpoint: str, version: int | None) -> None:
        self._routes[:] = [at(self._kit, endpoint, version or 3, len(self._routes) + 10)]

    def unload(self, endpoint: str) -> None:
        self._routes[:] = [
            replace(each, generation=each.generation + 1, variants=()) for each in self._routes
        ]


def at(kit, endpoint: str, version: int, generation: int):
    return replace(kit.route(kit.variant("champion", version, 1.0), generation=generation), endpoint=endpoint)


def test_nothing_deployed(host) -> None:
    assert not host.ready
    assert host.refresh() == {}
    assert host.ready
    status = host.status("delay")
    assert (status.ready, status.serving, status.generation) == (False, False, None)
    assert status.next_command == "mlwright deploy delay"


def test_new_routes_are_put_in_force(kit, host, routes) -> None:
    routes[:] = [at(kit, "delay", 1, 1), at(kit, "unknown", 1, 1)]
    assert host.refresh() == {"delay": 1}
    routes[:] = [at(kit, "delay", 2, 2), at(kit, "churn", 1, 7)]
    assert host.poll() == {"delay": 2, "churn": 7}
    assert list(host.core("delay").predict(kit.ask(["a"])).versions) == ["m/2"]
    assert host.status("delay").ready


def test_one_bad_model_takes_nobody_down(kit, host, routes) -> None:
    routes[:] = [at(kit, "delay", 1, 1)]
    host.refresh()
    routes[:] = [at(kit, "delay", 9, 2), at(kit, "churn", 2, 1)]
    assert host.refresh() == {"delay": 1, "churn": 1}
    status = host.status("delay")
    assert (status.ready, status.serving, status.generation) == (False, True, 1)
    assert "m/9 cannot be used" in (status.reason or "")
    assert "next:" not in (status.reason or "")
    assert status.next_command == "mlwright doctor"
    assert list(host.core("delay").predict(kit.ask(["a"])).versions) == ["m/1"]
    assert host.status("churn").ready


def test_a_failed_route_is_tried_again_with_growing_waits(kit, host, routes, models, monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(host_module, "monotonic", lambda: now[0])
    tries = []

    class Broken(dict):
        def __missing__(self, version):
            tries.append(now[0])
            raise KeyError(version)

    routes[:] = [at(kit, "delay", 9, 1)]
    host.core("delay")._load = lambda variant: Broken()[variant.version]
    while now[0] < 116:
        host.poll()
        now[0] += 0.25
    assert tries == [100.0, 101.0, 103.0, 107.0, 115.0]
    host.refresh()
    assert len(tries) == 6
    host.core("delay")._load = lambda variant: models[1]
    assert host.poll() == {}
    assert host.refresh() == {"delay": 1}
    assert host.status("delay").ready


def test_routes_that_cannot_be_read(kit, spec, journal, host, routes) -> None:
    routes[:] = [at(kit, "delay", 1, 1)]
    host.refresh()

    def fail() -> list:
        raise DatabaseUnavailable("locked")

    host._read_routes = fail
    with pytest.raises(DatabaseUnavailable):
        host.refresh()
    assert host.core("delay").predict(kit.ask(["a"])).outputs["score"].tolist() == [1.0]


def test_unknown_endpoint(host) -> None:
    with pytest.raises(NotFound, match="did you mean 'delay'"):
        host.core("dely")
    with pytest.raises(NotFound):
        host.status("nobody")


def test_unload_gives_the_models_back_and_says_so(kit, host, routes) -> None:
    routes[:] = [at(kit, "delay", 1, 1)]
    host.refresh()
    host.unload("delay")
    status = host.status("delay")
    assert (status.ready, status.serving, status.reason) == (False, False, "unloaded")
    assert status.next_command == "mlwright deploy delay"
    with pytest.raises(ModelLoadFailed):
        host.core("delay").predict(kit.ask(["a"]))
    host.load("delay")
    assert list(host.core("delay").predict(kit.ask(["a"])).versions) == ["m/3"]
    host.load("delay", 2)
    assert list(host.core("delay").predict(kit.ask(["a"])).versions) == ["m/2"]
    assert host.status("delay").ready


def test_a_version_that_this_process_cannot_load_is_said_to_who_asked(kit, host, routes) -> None:
    routes[:] = [at(kit, "delay", 1, 1)]
    host.refresh()
    with pytest.raises(ModelLoadFailed, match="m/9"):
        host.load("delay", 9)
    assert list(host.core("delay").predict(kit.ask(["a"])).versions) == ["m/1"]


def test_loading_is_seen_while_it_goes_on(kit, host, routes) -> None:
    seen = []
    core = host.core("delay")
    load = core._load

    def watched(variant):
        seen.append(host.status("delay").loading)
        return load(variant)

    core._load = watched
    routes[:] = [at(kit, "delay", 1, 1)]
    host.refresh()
    assert seen == [True]
    assert not host.status("delay").loading


def test_a_host_that_changes_nothing(host, journal) -> None:
    alone = InferenceHost(host.cores, list, journal)
    for change in (alone.load, alone.unload):
        with pytest.raises(Unsupported) as refusal:
            change("delay")
        assert refusal.value.next_command == "mlwright deploy delay"
        with pytest.raises(NotFound):
            change("nobody")
