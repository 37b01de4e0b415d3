"""Which language model is asked, if any: what was typed, else the environment, else what the project says.

Nobody is asked unasked: facts of a repository leave the machine only where a person said so, on the command line or in
the environment. A folder that is looked at cannot say it; its settings count only after ``project`` was said.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mlwright.adapters.advisor.provider import PydanticAiAdvisor
from mlwright.errors import UsageError, near_match
from mlwright.model.settings import AdvisorSettings

MODEL: Final = "MLWRIGHT_ADVISOR"
BASE_URL: Final = "MLWRIGHT_ADVISOR_BASE_URL"
KEY: Final = "MLWRIGHT_ADVISOR_KEY"
PROJECT: Final = "project"


def choose_advisor(
    asked: str | None, settings: AdvisorSettings | None, *, root: Path, environment: Mapping[str, str]
) -> PydanticAiAdvisor | None:
    """The advisor, or None where nobody asked for one.

    Args:
        asked: ``--advisor``: a model such as ``openai:gpt-5``, or ``project``; ``MLWRIGHT_ADVISOR`` without it.
        settings: what the project's ``[advisor]`` says, None without a project or without that table.
        root: the project's folder, from which ``file:PATH`` is read.
        environment: variables of the process.

    Raises:
        UsageError: no such model can be meant, the project has none, or the key is not where it should be.
    """
    said = asked or environment.get(MODEL, "")
    if not said:
        return None
    if said == PROJECT:
        if settings is None:
            raise UsageError(
                "the project names no advisor",
                where=str(root / "mlwright.toml"),
                next_command='write [advisor] with model = "openai:…", or give --advisor openai:…',
            )
    else:
        if ":" not in said.strip(":"):
            raise UsageError(
                f"{said!r} is not a provider and its model",
                why="such as openai:gpt-5",
                next_command="mlwright ask --help",
            )
        settings = AdvisorSettings(
            model=said, base_url=environment.get(BASE_URL) or None, key=environment.get(KEY) or None
        )
    return PydanticAiAdvisor(
        settings.model,
        base_url=settings.base_url,
        key=_resolved(settings.key, root, environment),
        time_limit_s=settings.time_limit.total_seconds(),
    )


def _resolved(reference: str | None, root: Path, environment: Mapping[str, str]) -> str | None:
    """The key behind ``env:NAME`` or ``file:PATH``. No message ever shows what was behind it, or a key in its place."""
    if reference is None:
        return None
    kind, _, name = reference.partition(":")
    if kind == "env" and name:
        value = environment.get(name, "").strip()
        if value:
            return value
        near = near_match(name, environment)
        hint = f"; did you mean {near}?" if near else ""
        raise UsageError(
            f"the advisor's key: the environment variable {name} is not set{hint}",
            next_command=f"export {name}=…",
        )
    if kind == "file" and name:
        try:
            value = (root / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                "the advisor's key cannot be read",
                where=str(root / name),
                why=getattr(error, "strerror", None) or "it is not text",
                next_command="write the key into that file, readable only for you",
            ) from error
        if value:
            return value
        raise UsageError(
            "the advisor's key is empty", where=str(root / name), next_command="write the key into it"
        )
    raise UsageError(
        "the advisor's key must be named by where it is",
        why="a key in settings or on a command line ends up in histories and logs",
        next_command="write env:NAME or file:PATH",
    )
