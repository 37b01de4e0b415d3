"""Trees as JSON, which runs nothing when it is read."""

import json
from pathlib import Path


def load_rules(path: Path) -> dict:
    """Rules that ``save_rules`` wrote."""
    return json.loads(path.read_text())


def save_rules(rules: dict, path: Path) -> None:
    """Write rules; an existing file is replaced."""
    path.write_text(json.dumps(rules))
