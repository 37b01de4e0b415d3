"""The model repository extension: what is here, and taking endpoints in and out of service.

Standards: https://github.com/kserve/open-inference-protocol (index) and Triton's extension_model_repository.md
(load and unload). A model of the protocol is an endpoint here. Loading puts the version that the endpoint's alias names
behind it, or the one of ``parameters.version``; unloading leaves nothing behind it. Both change the route that all
processes follow, so they last, and the next deploy undoes them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec

from mlwright.doors.http.inference.exchange import Response
from mlwright.doors.http.inference.parsing import decode_as
from mlwright.doors.http.inference.rendering import as_json
from mlwright.doors.http.inference.versions import versions_of
from mlwright.errors import BadRequest, Fault, near_match
from mlwright.stages.serving.host import InferenceHost

T = TypeVar("T")
Verb: TypeAlias = Literal["load", "unload"]

_PARAMETERS: Final[Mapping[Verb, tuple[str, ...]]] = {"load": ("version",), "unload": ("unload_dependents",)}
"""``unload_dependents`` is what Triton's clients always send; nothing depends on an endpoint."""


class _Index(msgspec.Struct):
    ready: bool = False


class _Change(msgspec.Struct, forbid_unknown_fields=True):
    parameters: dict[str, Any] = {}


_index = msgspec.json.Decoder(_Index)
_change = msgspec.json.Decoder(_Change)


def index(host: InferenceHost, body: bytes) -> Response:
    """Every version behind every endpoint with its state; with ``{"ready": true}`` only those that answer.

    Raises:
        BadRequest: the body is not of this form.
    """
    ready = _read(_index, body, _Index()).ready
    entries = [each for name in sorted(host.cores) for each in _entries(host, name)]
    return as_json([each for each in entries if not ready or each["state"] == "READY"])


def changed(host: InferenceHost, name: str, verb: Verb, body: bytes) -> Response:
    """Load or unload an endpoint. It blocks until this process has done it.

    Raises:
        BadRequest: the body is not of this form, or has a parameter that there is not.
        MlwrightError: see :meth:`InferenceHost.load` and :meth:`InferenceHost.unload`.
    """
    parameters = _read(_change, body, _Change()).parameters
    known = _PARAMETERS[verb]
    faults = [
        Fault(
            where=f"parameters.{each}"[:80],
            what=f"there is no such parameter; {' and '.join(known)} is offered",
            near=near_match(each, known),
        )
        for each in parameters
        if each not in known
    ]
    if faults:
        raise BadRequest(f"endpoint {name!r} cannot be {verb}ed with these parameters", faults=faults[:20])
    if verb == "load":
        host.load(name, _version(parameters.get("version")))
    else:
        host.unload(name)
    return as_json({})


def _entries(host: InferenceHost, name: str) -> Iterator[dict[str, str]]:
    status = host.status(name)
    reason = status.reason or ""
    versions = versions_of(host.core(name))
    for version in versions:
        yield {"name": name, "version": version, "state": "READY", "reason": reason}
    if not versions:
        state = "LOADING" if status.loading else "UNAVAILABLE"
        yield {"name": name, "version": "", "state": state, "reason": reason}


def _version(given: object) -> int | None:
    if given is None:
        return None
    text = str(given) if isinstance(given, int | str) and not isinstance(given, bool) else ""
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        what = f"must be the number of a version, not {given!r:.40}"
        raise BadRequest("the version cannot be used", faults=[Fault(where="parameters.version", what=what)])
    return int(text)


def _read(decoder: msgspec.json.Decoder[T], body: bytes, empty: T) -> T:
    return decode_as(decoder, body) if body.strip() else empty
