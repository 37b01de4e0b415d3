"""The language model that may talk about answers, where a person asked for one."""

import os
from pathlib import Path

from mlwright.adapters.advisor import choose_advisor
from mlwright.adapters.advisor.choose import MODEL, PROJECT
from mlwright.adapters.config import find_project, load_settings
from mlwright.ports.advisor import Advisor


def open_advisor(asked: str | None, start: Path | None = None) -> Advisor | None:
    """The advisor that ``--advisor`` or ``MLWRIGHT_ADVISOR`` names; None where neither does.

    Args:
        asked: a model such as ``openai:gpt-5``, or ``project`` for what the mlwright.toml at ``start`` says.
        start: the project's folder or one below it; the working folder without it.

    Raises:
        SettingsError: ``project`` was said, and there is none, or its settings have faults.
        UsageError: the model cannot be meant, or its key is not where it should be.
    """
    here = start or Path.cwd()
    if (asked or os.environ.get(MODEL)) != PROJECT:
        return choose_advisor(asked, None, root=here, environment=os.environ)
    settings = load_settings(find_project(here))
    return choose_advisor(asked, settings.advisor, root=settings.root, environment=os.environ)
