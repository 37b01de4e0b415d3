"""The calls, with a span of each request for predictions."""

from collections.abc import Mapping
from time import monotonic

import grpc

from mlwright.doors.grpc import open_inference_pb2 as wire
from mlwright.doors.grpc.failures import status_of
from mlwright.doors.grpc.servicer import Answering, Calls, Heard, call_of
from mlwright.doors.http.inference.exchange import Request
from mlwright.errors import MlwrightError
from mlwright.ports.spans import RequestSpan, Spans
from mlwright.stages.serving.host import InferenceHost

_OK = grpc.StatusCode.OK


class TracedCalls(Calls):
    """What answers while tracing is on."""

    def __init__(self, host: InferenceHost, answering: Mapping[str, Answering], spans: Spans) -> None:
        super().__init__(host, answering)
        self._spans = spans

    async def infer(
        self, request: wire.ModelInferRequest, context: grpc.aio.ServicerContext
    ) -> wire.ModelInferResponse:
        """Predictions for the rows of a request."""
        call, heard = call_of(context), Heard()
        try:
            response = await self._answered(request, call, heard)
        except MlwrightError as error:
            self._tell(request, call, heard, status_of(error), error.code)
            raise
        except BaseException as error:
            self._tell(request, call, heard, grpc.StatusCode.INTERNAL, type(error).__name__)
            raise
        self._tell(request, call, heard, _OK, "")
        return response

    def _tell(
        self,
        request: wire.ModelInferRequest,
        call: Request,
        heard: Heard,
        status: grpc.StatusCode,
        error: str,
    ) -> None:
        header, ask, answer = call.headers.get, heard.ask, heard.answer
        number: int = status.value[0]
        self._spans.request(
            RequestSpan(
                endpoint=request.model_name[:200],
                call="ModelInfer",
                path="",
                client=call.client,
                trace=header("traceparent", ""),
                state=header("tracestate", ""),
                agent=header("user-agent", ""),
                server="",
                received=call.received,
                ended=monotonic(),
                status=number,
                error=error,
                id=ask.id if ask is not None else "",
                rows=ask.rows if ask is not None else 0,
                versions=answer.versions if answer is not None else (),
                degraded=(answer.degraded or "") if answer is not None else "",
            )
        )
