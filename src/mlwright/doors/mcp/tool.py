"""A tool as the protocol describes it: input from a function's signature, output from the type of what it returns."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from contextvars import ContextVar
from inspect import Parameter, Signature, getdoc, signature
from time import monotonic
from typing import Annotated, Any, Final

import msgspec
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from mlwright.doors.wire import error_to_plain, to_plain
from mlwright.engineer.progress import Progress, silent
from mlwright.errors import MlwrightError

Where = Annotated[str, Field(description="A folder below the server's root; '.' is the root itself.")]

READS: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
WRITES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False
)

_LOG: Final = logging.getLogger(__name__)
_BETWEEN_S: Final = 0.2
_PATIENCE_S: Final = 2.0

progress_here: ContextVar[Progress] = ContextVar("progress_here", default=silent)
"""Where the work of the present call says how far it has come."""


class Stopped(Exception):
    """The call that the work was for is gone."""


def make_tool(function: Callable[..., object], *, title: str, annotations: ToolAnnotations = READS) -> Tool:
    """Describe a function to agents; it runs in a thread, so that the protocol goes on meanwhile.

    Its first parameter may not be ``context``. What it returns is sent as the wire has it, in the schema of its return
    annotation; errors are told with what, where, why and the next command, and end nothing.
    """
    shape = signature(function)

    async def call(context: Context[Any, Any], **given: Any) -> CallToolResult:
        stopped = threading.Event()
        progress_here.set(_teller(context, stopped))
        try:
            value = await asyncio.to_thread(function, **given)
        except MlwrightError as error:
            return refusal(error)
        except asyncio.CancelledError:
            stopped.set()
            raise
        except Exception as fault:  # noqa: BLE001 - the session goes on, and the agent learns what failed
            _LOG.exception("tool %s", function.__name__)
            return refusal(_unexpected(fault))
        plain = to_plain(value)
        assert isinstance(plain, dict)  # every answer is a dataclass
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=plain)

    _sign(call, function, shape)
    made = Tool.from_function(
        call,
        title=title,
        description=" ".join((getdoc(function) or "").split()),
        context_kwarg="context",
        annotations=annotations,
        structured_output=False,
    )
    made.fn_metadata.output_schema = schema_of(shape.return_annotation)
    return made


def refusal(error: MlwrightError) -> CallToolResult:
    """An error of ours as the answer of a tool. It is text only: some clients hold all else against the schema."""
    text = json.dumps(error_to_plain(error), ensure_ascii=False)
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _unexpected(fault: Exception) -> MlwrightError:
    return MlwrightError(
        f"{type(fault).__name__}: {fault}",
        why="this is a fault in mlwright or in code that it called; the server's log has the details",
        next_command="mlwright doctor",
    )


def schema_of(kind: type) -> dict[str, Any]:
    """The JSON Schema of a dataclass as the wire sends it; the root is written out, the rest is in ``$defs``."""
    found = msgspec.json.schema(kind, schema_hook=_other)
    definitions = found["$defs"]
    root = definitions.pop(found["$ref"].removeprefix("#/$defs/"))
    whole: dict[str, Any] = _relaxed({**root, "$defs": definitions} if definitions else root)
    return whole


def _other(kind: type) -> dict[str, Any]:
    """``object`` is anything, which an empty schema would say if msgspec took one; a path is a text."""
    return {"$comment": "anything"} if kind is object else {"type": "string"}


def _relaxed(schema: Any) -> Any:
    """A number that is not finite is sent as null; titles and defaults are noise to a reader."""
    if isinstance(schema, list):
        return [_relaxed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: {name: _relaxed(each) for name, each in value.items()}
        if key in ("properties", "$defs")
        else _relaxed(value)
        for key, value in schema.items()
        if key not in ("title", "default")
    }
    return {**made, "type": ["number", "null"]} if made.get("type") == "number" else made


def _sign(call: Callable[..., object], function: Callable[..., object], shape: Signature) -> None:
    """Give ``call`` the function's name and parameters, and the context that the protocol hands over."""
    context = Parameter("context", Parameter.KEYWORD_ONLY, annotation=Context)
    call.__name__ = function.__name__
    call.__signature__ = shape.replace(  # type: ignore[attr-defined]
        parameters=[*shape.parameters.values(), context], return_annotation=CallToolResult
    )
    call.__annotations__ = {
        **{name: each.annotation for name, each in shape.parameters.items()},
        "context": Context,
    }


def _teller(context: Context[Any, Any], stopped: threading.Event) -> Progress:
    """Progress as notifications, a few a second, numbered upwards as the protocol wants it; raises ``Stopped``."""
    loop = asyncio.get_running_loop()
    told, last = 0, monotonic()

    def tell(what: str, done: int, total: int) -> None:
        nonlocal told, last
        if stopped.is_set():
            raise Stopped
        if monotonic() - last < _BETWEEN_S:
            return
        told, last = told + 1, monotonic()
        message = f"{what}: {done} of {total}" if total else what
        sent = asyncio.run_coroutine_threadsafe(context.report_progress(told, None, message), loop)
        try:
            sent.result(_PATIENCE_S)
        except Exception:  # noqa: BLE001 - a client that does not listen is no reason to stop the work
            sent.cancel()

    return tell
