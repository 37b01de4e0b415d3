"""The table ``registry`` of ``mlwright.toml`` as a value."""

from pathlib import Path
from typing import Final

from mlwright.model.settings import RegistrySettings

_LEVELS: Final = ("isolated", "files", "off")
_KEYS: Final = ("signing_key", "verify_key")


def plain_registry(table: object, root: Path) -> RegistrySettings | None:
    """What the table ``registry`` says, or None where it is not as it should be; ``root`` is the project's folder."""
    if not isinstance(table, dict) or not table.keys() <= {"prove", *_KEYS}:
        return None
    level = table.get("prove", "isolated")
    keys = {name: table.get(name) for name in _KEYS}
    if level not in _LEVELS or not all(_is_file(each) for each in keys.values()):
        return None
    return RegistrySettings(prove=str(level), **{name: key_file(each, root) for name, each in keys.items()})


def key_file(reference: object, root: Path) -> Path | None:
    """The file that ``file:PATH`` names; a relative path is one in the project's folder."""
    return None if reference is None else root / str(reference).removeprefix("file:").strip()


def _is_file(reference: object) -> bool:
    return reference is None or (
        isinstance(reference, str) and len(reference) > 5 and reference[:5] == "file:"
    )
