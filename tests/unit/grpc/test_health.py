"""gRPC's health check: what Kubernetes asks."""

import pytest

grpc = pytest.importorskip("grpc")

CHECK = "/grpc.health.v1.Health/Check"


def named(service: bytes) -> bytes:
    return b"\x0a" + bytes((len(service),)) + service if service else b""


@pytest.fixture
def check(channel, host):
    return lambda body: channel.unary_unary(CHECK)(body, timeout=20)


@pytest.mark.parametrize("service", [b"", b"inference.GRPCInferenceService", b"numbers"])
def test_serving(check, service) -> None:
    assert check(named(service)) == b"\x08\x01"


@pytest.mark.parametrize("service", [b"", b"numbers"])
def test_not_serving_while_it_ends(check, door, service) -> None:
    door.calls.draining = True
    assert check(named(service)) == b"\x08\x02"


def test_not_serving_without_a_model(check, host) -> None:
    host.cores["numbers"].route = None
    assert check(named(b"numbers")) == b"\x08\x02"
    assert check(named(b"")) == b"\x08\x01"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (named(b"nobody"), grpc.StatusCode.NOT_FOUND),
        (b"\x0a\x05ab", grpc.StatusCode.INVALID_ARGUMENT),
        (b"\x12\x01a", grpc.StatusCode.INVALID_ARGUMENT),
        (named(b"\xff"), grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_refusals(check, body, code) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        check(body)
    assert caught.value.code() is code


def test_watching_sees_the_change(channel, door, host) -> None:
    watching = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=20)
    assert next(watching) == b"\x08\x01"
    door.calls.draining = True
    assert next(watching) == b"\x08\x02"
    watching.cancel()
