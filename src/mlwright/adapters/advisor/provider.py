"""One language model behind a time limit, a size limit and read-only tools."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mlwright.errors import AdvisorFailed, MissingExtra, UsageError
from mlwright.ports.advisor import AdvisorTool

if TYPE_CHECKING:
    from pydantic_ai import Tool
    from pydantic_ai.models import Model

_REQUESTS: Final = 12
"""Turns of one conversation."""
_TOOL_CALLS: Final = 30
_MOST_BYTES: Final = 4_000_000
"""Of one response; a longer one is no answer."""
_MOST_CHARACTERS: Final = 100_000
_OPENAI: Final = ("openai", "openai-chat", "openai-responses")


class PydanticAiAdvisor:
    """Asks a model by pydantic-ai; fills :class:`mlwright.ports.advisor.Advisor`.

    With a ``base_url`` of your own an ``openai:`` model is asked over Chat Completions, which other servers speak too;
    without one over the provider's newest protocol. Nothing is recorded and no telemetry is sent.

    Args:
        model: provider and model, as ``openai:gpt-5`` or ``anthropic:…``.
        base_url: a server that speaks the provider's protocol; the provider's own without it.
        key: the key itself; the provider's own environment variable without it.
        time_limit_s: for the whole conversation, in seconds.
        attempts: how often one request is tried where the server is busy or broken.

    Raises:
        UsageError: the URL is none.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        key: str | None = None,
        time_limit_s: float = 60.0,
        attempts: int = 2,
    ) -> None:
        if base_url is not None and (
            urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).hostname
        ):
            raise UsageError(
                "the advisor's base URL is not an http or https URL", next_command="mlwright ask --help"
            )
        self._model = model
        self._base_url = base_url
        self._key = key
        self._time_limit_s = time_limit_s
        self._attempts = attempts

    @property
    def name(self) -> str:
        """Provider and model."""
        return self._model

    def advise(self, instructions: str, question: str, tools: Sequence[AdvisorTool]) -> str:
        """Let the model answer; see ``Advisor.advise``. Safe to call from any thread, beside any event loop."""
        try:
            import pydantic_ai  # noqa: F401
        except ImportError as error:
            raise MissingExtra.needed("a language model as advisor", "advisor") from error
        # A thread of its own has no event loop yet, whoever calls.
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(asyncio.run, self._talk(instructions, question, tools)).result()

    async def _talk(self, instructions: str, question: str, tools: Sequence[AdvisorTool]) -> str:
        from pydantic_ai import Agent, Tool, UsageLimits

        limits = UsageLimits(request_limit=_REQUESTS, tool_calls_limit=_TOOL_CALLS)
        made = [_tool(each, Tool) for each in tools]
        try:
            async with AsyncExitStack() as open_things:
                # Built before the clock starts: importing a provider's library can take seconds.
                model = await self._built(open_things)
                agent = Agent(
                    model,
                    instructions=instructions,
                    tools=made,
                    name="mlwright",
                    retries=1,
                    model_settings={"max_retries": self._attempts - 1},
                )
                async with asyncio.timeout(self._time_limit_s):
                    await open_things.enter_async_context(agent)
                    done = await agent.run(question, usage_limits=limits)
        except ImportError as error:
            raise MissingExtra(
                f"the provider of {self._model!r} needs an optional package",
                next_command=f"pip install 'pydantic-ai-slim[{self._model.partition(':')[0]}]'",
            ) from error
        except TimeoutError as error:
            raise self._failed(f"did not finish within {self._time_limit_s:g} s", None) from error
        except Exception as error:
            raise self._failed("did not answer as it should", error) from error
        return done.output[:_MOST_CHARACTERS]

    async def _built(self, open_things: AsyncExitStack) -> "Model":
        provider, _, model = self._model.partition(":")
        if provider in _OPENAI:
            return await self._openai(provider, model, open_things)
        from pydantic_ai.models import infer_model
        from pydantic_ai.providers import infer_provider_class

        given = {
            name: value for name, value in (("api_key", self._key), ("base_url", self._base_url)) if value
        }
        return infer_model(self._model, lambda name: infer_provider_class(name)(**given))

    async def _openai(self, provider: str, model: str, open_things: AsyncExitStack) -> "Model":
        from httpx2 import AsyncClient, AsyncHTTPTransport
        from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
        from pydantic_ai.providers.openai import OpenAIProvider

        from mlwright.adapters.advisor.bounded import bounded

        client = AsyncClient(
            transport=bounded(AsyncHTTPTransport(), _MOST_BYTES),
            headers={"accept-encoding": "identity"},
            timeout=self._time_limit_s,
        )
        await open_things.enter_async_context(client)
        made = OpenAIProvider(base_url=self._base_url, api_key=self._key, http_client=client)
        chat = provider == "openai-chat" or (provider == "openai" and self._base_url is not None)
        return OpenAIChatModel(model, provider=made) if chat else OpenAIResponsesModel(model, provider=made)

    def _failed(self, what: str, error: Exception | None) -> AdvisorFailed:
        return AdvisorFailed(
            f"{self._model} {what}",
            why=_reason(error, self._key) if error else None,
            next_command="ask without --advisor: the rules answer by themselves",
        )


def _reason(error: Exception, key: str | None) -> str:
    """What went wrong in one short line without the key, which a server may have sent back."""
    status = getattr(error, "status_code", None)
    text = f"HTTP {status}" if isinstance(status, int) else f"{type(error).__name__.lstrip('_')}: {error}"
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return (text.replace(key, "…") if key else text)[:300]


def _tool(tool: AdvisorTool, kind: "type[Tool[object]]") -> "Tool[object]":
    return kind.from_schema(
        _caller(tool), name=tool.name, description=tool.description, json_schema=dict(tool.parameters)
    )


def _caller(tool: AdvisorTool) -> Callable[..., Awaitable[str]]:
    async def call(**given: Any) -> str:
        try:
            return tool.call(given)
        except Exception as error:  # noqa: BLE001 - a model's mistake is told to the model and ends nothing
            return json.dumps({"error": f"{type(error).__name__}: {error}"[:300]})

    return call
