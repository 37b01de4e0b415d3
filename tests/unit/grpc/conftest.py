"""A gRPC server in a thread over stubs of the core, as a client in another process would see it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Thread

import numpy as np
import pytest

from mlwright.errors import MlwrightError, NotFound
from mlwright.model.endpoints import Route, Variant
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.registry import Field
from mlwright.model.settings import EndpointSettings
from mlwright.stages.serving.asks import Answer, Ask
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.form import Form
from mlwright.stages.serving.host import EndpointStatus


def form_of(name: str, *inputs: Field, keyed: bool = False, extra: str = "ignore") -> Form:
    outputs = (Field(name="score", type="double"), Field(name="label", type="string"))
    return Form(
        endpoint=name,
        model="m",
        version="3",
        generation=1,
        inputs=inputs,
        outputs=outputs,
        entity="flight",
        timestamp="at",
        keyed=keyed,
        extra=extra,
    )


NUMBERS = (Field(name="x", type="double"), Field(name="n", type="long"), Field(name="b", type="boolean"))
FORMS = {
    "floats": form_of("floats", *(Field(name=name, type="double") for name in "xyz")),
    "numbers": form_of("numbers", *NUMBERS),
    "mixed": form_of(
        "mixed",
        Field(name="x", type="float"),
        Field(name="carrier", type="string", required=False),
        Field(name="blob", type="binary", required=False),
        keyed=True,
        extra="reject",
    ),
    "image": form_of("image", Field(name="pixels", type="uint8", shape=(2, -1))),
    "unsigned": form_of("unsigned"),
}


def route_of(name: str, *versions: int) -> Route:
    variants = tuple(
        Variant(name=f"v{version}", model=ModelName("m"), version=version, share=1.0 if at == 0 else 0.0)
        for at, version in enumerate(versions)
    )
    return Route(endpoint=EndpointName(name), generation=1, salt="s", variants=variants)


@dataclass
class StubCore:
    """What the door asks of a core, and of its batcher."""

    form: Form
    route: Route | None
    spec: EndpointSettings
    asked: list[Ask] = field(default_factory=list)
    fails: Exception | None = None
    answer: Answer | None = None
    wait_s: float = 0.0
    counters: Counters = field(default_factory=Counters)

    async def ask(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        await asyncio.sleep(self.wait_s)
        if self.fails is not None:
            raise self.fails
        if self.answer is not None:
            return self.answer
        rows = ask.rows
        return Answer(
            id=ask.id,
            rows=rows,
            outputs={
                "score": np.arange(rows, dtype="f8") / 8,
                "label": np.array([f"é{row}" for row in range(rows)], dtype=object),
            },
            variants=["v3"] * rows,
            versions=["m/3"] * rows,
        )


class StubHost:
    """The cores by name, and what was done to them."""

    def __init__(self) -> None:
        self.cores = {
            name: StubCore(
                form, route_of(name, 3), EndpointSettings(name=name, model="m"), counters=Counters(name)
            )
            for name, form in FORMS.items()
        }
        self.ready = True
        self.done: list[tuple[object, ...]] = []
        self.fails: MlwrightError | None = None

    def core(self, name: str) -> StubCore:
        if name not in self.cores:
            raise NotFound.named("endpoint", name, self.cores)
        return self.cores[name]

    def status(self, name: str) -> EndpointStatus:
        serving = self.core(name).route is not None
        reason = None if serving else "no model was deployed to it yet"
        return EndpointStatus(endpoint=name, ready=serving, serving=serving, generation=1, reason=reason)

    def load(self, name: str, version: int | None = None) -> None:
        self.core(name)
        if self.fails is not None:
            raise self.fails
        self.done.append(("load", name, version))

    def unload(self, name: str) -> None:
        self.core(name)
        self.done.append(("unload", name))

    def refresh(self) -> dict[str, int]:
        self.done.append(("refresh",))
        return {}

    poll = refresh

    def close(self) -> None:
        self.done.append(("close",))


@dataclass
class Door:
    """A running server: where it listens, its calls and what stands behind it."""

    port: int
    calls: object
    host: StubHost


@pytest.fixture(scope="session")
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop in a thread: gRPC's threads are bound to the first that a process uses."""
    pytest.importorskip("grpc")
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def run(_loop):
    """Runs a coroutine on that loop, and returns what it does."""
    return lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, _loop).result(30)


@pytest.fixture(scope="module")
def door(_loop) -> Iterator[Door]:
    from mlwright.doors.grpc.running import build_server
    from mlwright.doors.grpc.servicer import Calls
    from mlwright.doors.up.processes import free_port

    host = StubHost()
    calls = Calls(host, host.cores)
    port = free_port()

    async def start():
        server = build_server(calls, "127.0.0.1", port, most_bytes=1 << 20)
        await server.start()
        return server

    server = asyncio.run_coroutine_threadsafe(start(), _loop).result(10)
    yield Door(port=port, calls=calls, host=host)
    asyncio.run_coroutine_threadsafe(server.stop(None), _loop).result(10)


@pytest.fixture
def host(door) -> Iterator[StubHost]:
    """What stands behind the server, as it was at the beginning."""
    yield door.host
    fresh = StubHost()
    for name, core in fresh.cores.items():
        door.host.cores[name].__dict__.update(core.__dict__)
    door.host.ready, door.host.done, door.host.fails = True, [], None
    door.calls.draining = False


@pytest.fixture(scope="module")
def channel(door):
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{door.port}") as opened:
        yield opened


@pytest.fixture
def call(channel, host):
    """``call("ModelInfer", message, …)`` returns the answer, or raises ``grpc.RpcError``."""
    from mlwright.doors.grpc import open_inference_pb2 as wire

    def ask(method, message=None, answer=None, **how):
        name = method.rpartition("/")[2]
        kind = getattr(wire, answer or f"{name}Response")
        request = getattr(wire, f"{name}Request")() if message is None else message
        speak = channel.unary_unary(
            f"/inference.GRPCInferenceService/{method}",
            request_serializer=lambda each: each if isinstance(each, bytes) else each.SerializeToString(),
            response_deserializer=kind.FromString,
        )
        return speak(request, timeout=how.pop("timeout", 20), **how)

    return ask
