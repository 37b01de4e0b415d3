"""Every call that predicts or describes a model, by path: what the router needs to know of the protocols.

A name in braces matches one part of a path without ``/`` and ``:``. ``{model}`` is the endpoint, ``{version}`` must be
a version behind it and ``{label}`` the name of a variant; the router sees to these. Whether a model is ready needs the
host's status, so the router answers ``/v2/models/{model}/ready`` itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from mlwright.doors.http.inference import invocations, kserve, oip, openapi, statistics, tfserving
from mlwright.doors.http.inference.exchange import Response
from mlwright.doors.http.inference.parsing import Encode as Encode
from mlwright.doors.http.inference.parsing import Parse as Parse
from mlwright.errors import BadRequest, MlwrightError
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost

Refuse: TypeAlias = Callable[[MlwrightError, int], Response]
"""Writes an error, with its HTTP status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A POST that predicts.

    A pattern without ``{model}`` is for the one endpoint of the process: :func:`only`. Without ``fault`` errors
    have the form of the Open Inference Protocol, which is that of TensorFlow Serving and of KServe as well:
    ``{"error": …}``.
    """

    pattern: str
    parse: Parse
    fault: Refuse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A GET about one endpoint: its core, and the version in the path or None."""

    pattern: str
    answer: Callable[[EndpointCore, str | None], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A GET about all endpoints of the process."""

    pattern: str
    answer: Callable[[InferenceHost], Response]


SURFACES: Final[tuple[Surface, ...]] = (
    Surface(pattern="/v2/models/{model}/infer", parse=oip.parse),
    Surface(pattern="/v2/models/{model}/versions/{version}/infer", parse=oip.parse),
    Surface(pattern="/invocations", parse=invocations.parse, fault=invocations.fault),
    Surface(pattern="/models/{model}/invocations", parse=invocations.parse, fault=invocations.fault),
    Surface(pattern="/endpoints/{model}/invocations", parse=invocations.parse, fault=invocations.fault),
    *(
        Surface(pattern=f"/v1/models/{{model}}{where}:{verb}", parse=parse)
        for verb, parse in tfserving.VERBS.items()
        for where in ("", "/versions/{version}", "/labels/{label}")
    ),
)
LOOKS: Final[tuple[Look, ...]] = (
    Look(pattern="/v2/models/{model}", answer=oip.metadata),
    Look(pattern="/v2/models/{model}/versions/{version}", answer=oip.metadata),
    Look(pattern="/v2/models/{model}/config", answer=oip.config),
    Look(pattern="/v2/models/{model}/versions/{version}/config", answer=oip.config),
    Look(pattern="/v2/models/{model}/stats", answer=statistics.of_one),
    Look(pattern="/v2/models/{model}/versions/{version}/stats", answer=statistics.of_one),
    *(
        Look(pattern=f"/v1/models/{{model}}{where}{what}", answer=answer)
        for what, answer in (("", kserve.status), ("/metadata", tfserving.metadata))
        for where in ("", "/versions/{version}", "/labels/{label}")
    ),
)
OVERVIEWS: Final[tuple[Overview, ...]] = (
    Overview(pattern="/", answer=kserve.alive),
    Overview(pattern="/v1/models", answer=kserve.listed),
    Overview(pattern="/v2/models/stats", answer=statistics.of_all),
    Overview(pattern="/ping", answer=invocations.ping),
    Overview(pattern="/health", answer=invocations.ping),
    Overview(pattern="/version", answer=invocations.version),
    Overview(pattern="/openapi.json", answer=openapi.document),
)


def only(names: tuple[str, ...]) -> str:
    """The one endpoint of this process, for a path that names none.

    Raises:
        BadRequest: there are several, or none.
    """
    if len(names) == 1:
        return names[0]
    raise BadRequest(
        f"this process serves {len(names)} endpoints, so the path has to name one",
        why=f"they are {', '.join(names)}" if names else None,
        next_command=f"POST /models/{names[0] if names else '{model}'}/invocations",
    )
