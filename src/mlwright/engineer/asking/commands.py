"""The commands that an answer may name; a test holds them against the command line."""

import re
import shlex
from typing import Final

COMMANDS: Final = frozenset(
    """init demo up doctor assess review ask mcp agent check features run runs models endpoints deploy withdraw
    rollout serve profile predict feedback build diagnose monitor slo alerts retrain tick decisions trace audit
    export tracking import gc""".split()
)
"""Commands of mlwright."""

TOOLS: Final = frozenset(
    """airflow bentoml conda dagster docker dvc gh git helm k6 kfp kubectl locust make mlflow pip prefect python
    tritonserver uv wrk zenml""".split()
)
"""Programs of others that are well known and do what is said of them."""

_OURS: Final = re.compile(r"\bmlwright\s+([a-z][a-z-]*)")


def is_known(line: str) -> bool:
    """Whether a command line begins with a program that exists, and a command of it where it is ours."""
    try:
        words = shlex.split(line)
    except ValueError:
        return False
    if not words:
        return False
    if words[0] == "mlwright":
        return len(words) > 1 and words[1] in COMMANDS
    return words[0] in TOOLS


def invented(text: str) -> tuple[str, ...]:
    """The commands of mlwright that a text names and that do not exist."""
    return tuple(f"mlwright {word}" for word in _OURS.findall(text) if word not in COMMANDS | _PROSE)


_PROSE: Final = frozenset(
    "is has can does will reads runs knows serves keeps and or as to in on at for project".split()
)
"""Words after our name in an ordinary sentence. ``runs`` is a command as well."""
