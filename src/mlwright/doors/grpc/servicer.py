"""The calls of the Open Inference Protocol over gRPC, over the same core and batcher as REST's."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from time import monotonic
from typing import Any, Final, NoReturn, Protocol, TypeVar

import grpc
import msgspec
from google.protobuf.json_format import Parse as ParseMessage
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message

from mlwright import __version__
from mlwright.doors.grpc import open_inference_pb2 as wire
from mlwright.doors.grpc.answering import response_of
from mlwright.doors.grpc.asking import read_ask, value_of, wanted_outputs
from mlwright.doors.grpc.failures import details_of, status_of, trailers_of
from mlwright.doors.grpc.health import NOT_SERVING, SERVING, UNKNOWN_SERVICE
from mlwright.doors.http.inference import oip, repository
from mlwright.doors.http.inference.exchange import Request
from mlwright.doors.http.inference.oip_answer import OURS
from mlwright.doors.http.inference.parsing import DEADLINE
from mlwright.doors.http.inference.statistics import statistics
from mlwright.doors.http.inference.versions import require_alone, require_standing, versions_of
from mlwright.errors import BadRequest, MlwrightError, NotFound
from mlwright.model.batches import DATATYPES
from mlwright.model.registry import Field
from mlwright.stages.serving.asks import Answer, Ask
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost

SERVICE: Final = "inference.GRPCInferenceService"
EXTENSIONS: Final = ("model_configuration", "model_repository", "statistics")

M = TypeVar("M", bound=Message)

_log: Final = logging.getLogger("mlwright.serving")

_LEAST_MS: Final = 0.001
"""What is left of a deadline that has passed while the request was read: the core says that it has."""
_NOT_OFFERED: Final = {
    "TraceSetting": "tracing is set by the environment variables of OpenTelemetry",
    "LogSettings": "the log is set where the server is started",
    **dict.fromkeys(
        [
            f"{kind}SharedMemory{verb}"
            for kind in ("System", "Cuda")
            for verb in ("Status", "Register", "Unregister")
        ],
        "shared memory is not offered: send raw_input_contents",
    ),
}
"""Calls that Triton's clients make and this server does not answer, and what to do instead."""


class Answering(Protocol):
    """What answers an endpoint's requests: the batcher."""

    async def ask(self, ask: Ask) -> Answer:
        """The answer to one request.

        Raises:
            MlwrightError: there is none.
        """


class Heard:
    """What became known of a request."""

    __slots__ = ("answer", "ask")

    def __init__(self) -> None:
        self.ask: Ask | None = None
        self.answer: Answer | None = None


class Calls:
    """One method a call; each takes the body as bytes, so that one that cannot be read is the client's error."""

    def __init__(self, host: InferenceHost, answering: Mapping[str, Answering]) -> None:
        self._host = host
        self._answering = answering
        self.draining = False

    def handler(self) -> grpc.GenericRpcHandler:
        """All calls, as a gRPC server takes them."""
        unary: dict[str, tuple[type[Message], Callable[..., Awaitable[Message]]]] = {
            "ServerLive": (wire.ServerLiveRequest, self.server_live),
            "ServerReady": (wire.ServerReadyRequest, self.server_ready),
            "ModelReady": (wire.ModelReadyRequest, self.model_ready),
            "ServerMetadata": (wire.ServerMetadataRequest, self.server_metadata),
            "ModelMetadata": (wire.ModelMetadataRequest, self.model_metadata),
            "ModelConfig": (wire.ModelConfigRequest, self._config),
            "ModelStatistics": (wire.ModelStatisticsRequest, self._statistics),
            "ModelInfer": (wire.ModelInferRequest, self.infer),
            "RepositoryIndex": (wire.RepositoryIndexRequest, self.index),
            "RepositoryModelLoad": (wire.RepositoryModelLoadRequest, self.load),
            "RepositoryModelUnload": (wire.RepositoryModelUnloadRequest, self.unload),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(_guarded(kind, call))
            for name, (kind, call) in unary.items()
        }
        for name, instead in _NOT_OFFERED.items():
            handlers[name] = grpc.unary_unary_rpc_method_handler(_not_offered(name, instead))
        handlers["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(self.stream)
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def health(self, service: str) -> int:
        """The state of the server (no name or this service's), or of one endpoint by its name."""
        if service in ("", SERVICE):
            return SERVING if self._host.ready and not self.draining else NOT_SERVING
        if service not in self._host.cores:
            return UNKNOWN_SERVICE
        return SERVING if self._host.status(service).serving and not self.draining else NOT_SERVING

    async def server_live(
        self, _: wire.ServerLiveRequest, __: grpc.aio.ServicerContext
    ) -> wire.ServerLiveResponse:
        """Whether this process answers."""
        return wire.ServerLiveResponse(live=True)

    async def server_ready(
        self, _: wire.ServerReadyRequest, __: grpc.aio.ServicerContext
    ) -> wire.ServerReadyResponse:
        """Whether the routes were read."""
        return wire.ServerReadyResponse(ready=self._host.ready and not self.draining)

    async def model_ready(
        self, request: wire.ModelReadyRequest, _: grpc.aio.ServicerContext
    ) -> wire.ModelReadyResponse:
        """Whether an endpoint serves its newest route; False for a name or version that there is not."""
        try:
            core = self._core(request.name, request.version)
        except NotFound:
            return wire.ModelReadyResponse(ready=False)
        return wire.ModelReadyResponse(ready=self._host.status(core.spec.name).ready)

    async def server_metadata(
        self, _: wire.ServerMetadataRequest, __: grpc.aio.ServicerContext
    ) -> wire.ServerMetadataResponse:
        """The name and version of the server."""
        return wire.ServerMetadataResponse(name="mlwright", version=__version__, extensions=EXTENSIONS)

    async def model_metadata(
        self, request: wire.ModelMetadataRequest, _: grpc.aio.ServicerContext
    ) -> wire.ModelMetadataResponse:
        """What to send to an endpoint, and what comes back."""
        core = self._core(request.name, request.version)
        form = core.form
        given = [Field(name=form.entity, type="string"), Field(name=form.timestamp, type="long")]
        taken = {each.name for each in form.outputs}
        ours = [Field(name=name, type="string") for name in OURS if name not in taken]
        return wire.ModelMetadataResponse(
            name=core.spec.name,
            versions=versions_of(core),
            platform="mlwright",
            inputs=[_metadata(each) for each in (*(given if form.keyed else ()), *form.inputs)],
            outputs=[_metadata(each) for each in (*form.outputs, *ours)],
        )

    async def _config(
        self, request: wire.ModelConfigRequest, _: grpc.aio.ServicerContext
    ) -> wire.ModelConfigResponse:
        """The same in Triton's words."""
        core = self._core(request.name, request.version)
        said = oip.config(core, request.version or None).body
        return wire.ModelConfigResponse(config=ParseMessage(said, wire.ModelConfig()))

    async def _statistics(
        self, request: wire.ModelStatisticsRequest, _: grpc.aio.ServicerContext
    ) -> wire.ModelStatisticsResponse:
        """What was counted of an endpoint, or of all."""
        named = [self._core(request.name, request.version)] if request.name else self._host.cores.values()
        found = await asyncio.to_thread(statistics, named, request.version or None)
        said = wire.ModelStatisticsResponse()
        ParseDict({"model_stats": found}, said)
        return said

    async def infer(
        self, request: wire.ModelInferRequest, context: grpc.aio.ServicerContext
    ) -> wire.ModelInferResponse:
        """Predictions for the rows of a request."""
        return await self._answered(request, call_of(context), Heard())

    async def _answered(
        self, request: wire.ModelInferRequest, call: Request, heard: "Heard"
    ) -> wire.ModelInferResponse:
        """The response to a request; ``heard`` gets what it asked for and what it got, as far as it comes."""
        core = self._core(request.model_name, request.model_version, alone=True)
        form = core.form
        wanted = wanted_outputs(request, form)
        ask = heard.ask = read_ask(request, form, call)
        answer = heard.answer = await self._answering[core.spec.name].ask(ask)
        return response_of(
            answer,
            request.id or ask.id,
            model=core.spec.name,
            version=form.version,
            wanted=wanted,
            raw=bool(request.raw_input_contents),
        )

    async def stream(
        self, bodies: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        """Triton's stream: one answer a request, in their order; an error does not end it."""
        async for body in bodies:
            response = wire.ModelStreamInferResponse()
            try:
                request = _read(wire.ModelInferRequest, body)
                response.infer_response.id = request.id
                response.infer_response.CopyFrom(await self.infer(request, context))
            except MlwrightError as error:
                response.error_message = details_of(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer and no internals
                response.error_message = _broken("ModelStreamInfer", error)
            yield response.SerializeToString()

    async def index(
        self, request: wire.RepositoryIndexRequest, _: grpc.aio.ServicerContext
    ) -> wire.RepositoryIndexResponse:
        """All endpoints, and whether they serve."""
        asked = msgspec.json.encode({"ready": request.ready})
        found = msgspec.json.decode(repository.index(self._host, asked).body)
        entry = wire.RepositoryIndexResponse.ModelIndex
        return wire.RepositoryIndexResponse(models=[entry(**each) for each in found])

    async def load(
        self, request: wire.RepositoryModelLoadRequest, _: grpc.aio.ServicerContext
    ) -> wire.RepositoryModelLoadResponse:
        """Put the newest version behind an endpoint, or that of the parameter ``version``, in all processes."""
        name = await self._change(request, "load")
        return wire.RepositoryModelLoadResponse(model_name=name, isLoaded=True)

    async def unload(
        self, request: wire.RepositoryModelUnloadRequest, _: grpc.aio.ServicerContext
    ) -> wire.RepositoryModelUnloadResponse:
        """Take an endpoint out of service in all processes."""
        name = await self._change(request, "unload")
        return wire.RepositoryModelUnloadResponse(model_name=name, isUnloaded=True)

    async def _change(
        self,
        request: wire.RepositoryModelLoadRequest | wire.RepositoryModelUnloadRequest,
        verb: repository.Verb,
    ) -> str:
        """Load or unload by the rules of REST; returns the name of the endpoint."""
        name: str = request.model_name or request.repository_name  # KServe's file has the name as field 1
        self._host.core(name)
        said = {each: value_of(parameter) for each, parameter in request.parameters.items()}
        body = msgspec.json.encode({"parameters": said})
        await asyncio.to_thread(repository.changed, self._host, name, verb, body)
        return name

    def _core(self, name: str, version: str, *, alone: bool = False) -> EndpointCore:
        """The endpoint of that name; a version must be one behind it and, with ``alone``, the only one, because during
        a rollout the route decides who answers, not the client.
        """
        core = self._host.core(name)
        if version:
            require_standing(core, version)
            if alone:
                require_alone(core, "leave model_version empty")
        return core


def _guarded(kind: type[M], call: Callable[[M, Any], Awaitable[Message]]) -> Callable[..., Awaitable[bytes]]:
    """A call over bytes that answers every error with its status."""

    async def answer(body: bytes, context: grpc.aio.ServicerContext) -> bytes:
        try:
            answered: bytes = (await call(_read(kind, body), context)).SerializeToString()
            return answered
        except MlwrightError as error:
            return await _refuse(error, context)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer and no internals
            broken = _broken(kind.__name__, error)
        return await _abort(context, grpc.StatusCode.INTERNAL, broken)

    return answer


def _not_offered(name: str, instead: str) -> Callable[..., Awaitable[bytes]]:
    async def refuse(_: bytes, context: grpc.aio.ServicerContext) -> bytes:
        return await _abort(context, grpc.StatusCode.UNIMPLEMENTED, f"{name} is not offered: {instead}")

    return refuse


async def _refuse(error: MlwrightError, context: grpc.aio.ServicerContext) -> NoReturn:
    code = status_of(error)
    details = details_of(error)
    if code is grpc.StatusCode.INTERNAL:
        _log.error("%s", error)
        details = error.what
    await _abort(context, code, details, trailers_of(error))


async def _abort(
    context: grpc.aio.ServicerContext,
    code: grpc.StatusCode,
    details: str,
    trailers: tuple[tuple[str, str], ...] = (),
) -> NoReturn:
    await context.abort(code, details, trailers)
    raise AssertionError  # abort raises


def _broken(call: str, error: Exception) -> str:
    _log.error("%s failed", call, exc_info=error)
    return f"the server failed: {type(error).__name__}"


def _read(kind: type[M], body: bytes) -> M:
    try:
        read: M = kind.FromString(body)
        return read
    except DecodeError as error:
        raise BadRequest(f"the body is no {kind.__name__}") from error


def _metadata(each: Field) -> wire.ModelMetadataResponse.TensorMetadata:
    return wire.ModelMetadataResponse.TensorMetadata(
        name=each.name, datatype=DATATYPES[each.type], shape=[-1, *each.shape]
    )


def _address(peer: str) -> str:
    """The address in ``ipv4:127.0.0.1:5000`` or ``ipv6:%5B::1%5D:5000``; another kind as it is."""
    if peer.startswith(("ipv4:", "ipv6:")):
        return peer[5:].rpartition(":")[0].removeprefix("%5B").removesuffix("%5D")
    return peer


def call_of(context: grpc.aio.ServicerContext) -> Request:
    """What HTTP has in its headers: the metadata of the call, and its deadline as the header that says the same."""
    received = monotonic()
    headers = {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
    remaining_s = context.time_remaining()
    if remaining_s is not None:
        told_ms = headers.get(DEADLINE)
        left_ms = max(remaining_s * 1e3, _LEAST_MS)
        if told_ms is None or not told_ms.isdecimal() or left_ms < int(told_ms):
            headers[DEADLINE] = str(left_ms)
    return Request("POST", "", "", headers, b"", _address(context.peer()), received)
