import json
import runpy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlwright.adapters.advisor import PydanticAiAdvisor
from mlwright.testing.conformance.advisors import ARGUMENTS, LOOK, AdvisorConformance
from mlwright.testing.fakes.advisor import ScriptedAdvisor

provider = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[1] / "unit" / "advisor" / "provider.py"))
)


def look(tools: Mapping[str, Callable[[Mapping[str, object]], str]]) -> str:
    return tools[LOOK](ARGUMENTS)


class TestScriptedAdvisor(AdvisorConformance):
    @pytest.fixture
    def advisor(self) -> ScriptedAdvisor:
        return ScriptedAdvisor(look)

    @pytest.fixture
    def broken(self) -> ScriptedAdvisor:
        return ScriptedAdvisor(broken=True)


class TestPydanticAiAdvisor(AdvisorConformance):
    @pytest.fixture
    def advisor(self) -> Iterator[PydanticAiAdvisor]:
        script = (provider.calls(LOOK, json.dumps(ARGUMENTS)), provider.repeats_the_tool())
        with provider.serving(*script) as server:
            yield PydanticAiAdvisor("openai:scripted", base_url=server.url, key="k", time_limit_s=20)

    @pytest.fixture
    def broken(self) -> Iterator[PydanticAiAdvisor]:
        with provider.serving(provider.fails(400)) as server:
            yield PydanticAiAdvisor("openai:scripted", base_url=server.url, key="k", time_limit_s=20)
