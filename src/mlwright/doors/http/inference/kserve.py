"""KServe's v1 protocol, where it says more than TensorFlow Serving's: the paths are the same, so one answer has both.

Form: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol. Its ``:predict`` is
:func:`~mlwright.doors.http.inference.tfserving.predict`.
"""

from mlwright.doors.http.inference.answering import encoded
from mlwright.doors.http.inference.exchange import Response
from mlwright.doors.http.inference.versions import versions_of
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost


def status(core: EndpointCore, version: str | None) -> Response:
    """``GET /v1/models/{model}``: whether it is ready, and the versions that answer; 503 while none does."""
    versions = [each for each in versions_of(core) if version in (None, each)]
    answer = {
        "name": core.spec.name,
        "ready": bool(versions),
        "model_version_status": [
            {"version": each, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            for each in versions
        ],
    }
    return Response(encoded(answer), 200 if versions else 503)


def alive(host: InferenceHost) -> Response:
    """``GET /``: whether the server is, as KServe's clients ask of version 1."""
    return Response(b'{"status":"alive"}')


def listed(host: InferenceHost) -> Response:
    """``GET /v1/models``: the names of all endpoints."""
    return Response(encoded({"models": sorted(host.cores)}))
