"""The advisor through pydantic-ai: any provider that it knows, with the extra ``advisor``."""

from mlwright.adapters.advisor.choose import choose_advisor
from mlwright.adapters.advisor.provider import PydanticAiAdvisor

__all__ = ["PydanticAiAdvisor", "choose_advisor"]
