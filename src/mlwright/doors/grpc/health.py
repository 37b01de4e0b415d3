"""gRPC's own health check, which Kubernetes and load balancers call.

Standard: https://github.com/grpc/grpc-proto/blob/master/grpc/health/v1/health.proto. Its messages are one field each,
so they are read and written here: no second package registers the names of its protobuf file.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeAlias

import grpc

SERVING: Final = 1
NOT_SERVING: Final = 2
UNKNOWN_SERVICE: Final = 3

Look: TypeAlias = Callable[[str], int]
"""The state of a service by name, one of the three above; the empty name is the whole server."""

_SERVICE: Final = "grpc.health.v1.Health"
_WATCH_S: Final = 0.25
_FIELD_1: Final = 0x0A
_MOST_BYTES: Final = 127
"""A length below 128 is one byte; no service has a longer name."""


def health_handler(look: Look) -> grpc.GenericRpcHandler:
    """The calls Check and Watch over ``look``."""

    async def check(body: bytes, context: grpc.aio.ServicerContext) -> bytes:
        state = look(await _asked_about(body, context))
        if state == UNKNOWN_SERVICE:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no service has this name")
        return _state(state)

    async def watch(body: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        service = await _asked_about(body, context)
        said = None
        while True:
            state = look(service)
            if state != said:
                said = state
                yield _state(state)
            await asyncio.sleep(_WATCH_S)

    return grpc.method_handlers_generic_handler(
        _SERVICE,
        {
            "Check": grpc.unary_unary_rpc_method_handler(check),
            "Watch": grpc.unary_stream_rpc_method_handler(watch),
        },
    )


async def _asked_about(body: bytes, context: grpc.aio.ServicerContext) -> str:
    """The name in a HealthCheckRequest."""
    if not body:
        return ""
    if body[0] == _FIELD_1 and 2 <= len(body) <= _MOST_BYTES and body[1] == len(body) - 2:
        try:
            return body[2:].decode()
        except UnicodeDecodeError:
            pass
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the body is no HealthCheckRequest")
    raise AssertionError  # abort raises


def _state(state: int) -> bytes:
    return bytes((0x08, state))
