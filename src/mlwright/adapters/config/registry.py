"""The table ``registry`` of ``mlwright.toml``, read without the libraries that judge the whole file."""

from pathlib import Path
from typing import Final

from mlwright.adapters.config.storage import find_file, read_toml
from mlwright.model.settings import RegistrySettings

_LEVELS: Final = ("isolated", "files", "off")
_KEYS: Final = ("signing_key", "verify_key")


def find_registry(*starts: Path) -> RegistrySettings:
    """The settings of the project that holds the first of these folders that one holds; the defaults without one.

    Raises:
        SettingsError: the file is not TOML, or this table has faults.
    """
    file = next((found for start in starts if (found := find_file(start)) is not None), None)
    return load_registry(file) if file else RegistrySettings()


def load_registry(path: Path) -> RegistrySettings:
    """The settings in one ``mlwright.toml``; the other tables may have faults.

    Raises:
        SettingsError: the file is absent or is not TOML, or this table has faults.
    """
    table = read_toml(path).get("registry", {})
    if isinstance(table, dict) and table.keys() <= {"prove", *_KEYS}:
        level = table.get("prove", "isolated")
        keys = {name: table.get(name) for name in _KEYS}
        if level in _LEVELS and all(_is_file(each) for each in keys.values()):
            root = path.parent.resolve()
            return RegistrySettings(
                prove=str(level), **{name: key_file(each, root) for name, each in keys.items()}
            )
    # Whoever judges the whole file words its faults.
    from mlwright.adapters.config.load import load_settings

    return load_settings(path).registry


def key_file(reference: object, root: Path) -> Path | None:
    """The file that ``file:PATH`` names; a relative path is one in the project's folder."""
    return None if reference is None else root / str(reference).removeprefix("file:").strip()


def _is_file(reference: object) -> bool:
    return reference is None or (
        isinstance(reference, str) and len(reference) > 5 and reference[:5] == "file:"
    )
