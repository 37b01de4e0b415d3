"""Those tables of ``mlwright.toml`` that a process which starts at once needs, without judging the whole file.

The libraries that judge it take longer to load than the rest of such a process. They are loaded when a table is not
plain: whoever judges the whole file words its faults.
"""

from collections.abc import Mapping
from pathlib import Path

from mlwright.adapters.config.promotion import plain_policies
from mlwright.adapters.config.registry import plain_registry
from mlwright.adapters.config.storage import StorageSettings, find_file, plain_storage, read_toml
from mlwright.model.promotion import PromotionPolicy
from mlwright.model.settings import RegistrySettings, Settings


def load_storage(path: Path, environment: Mapping[str, str] | None = None) -> StorageSettings:
    """Read the table ``storage`` of one ``mlwright.toml``; the other tables may have faults.

    Raises:
        SettingsError: the file is absent or is not TOML, or this table has faults.
    """
    found = plain_storage(read_toml(path).get("storage", {}), path.parent.resolve(), environment)
    if found is not None:
        return found
    settings = _whole(path, environment)
    return StorageSettings(state=settings.state, database=settings.database, artifacts=settings.artifacts)


def find_promotions(*starts: Path) -> tuple[PromotionPolicy, ...]:
    """The policies of the project that holds the first of these folders that one holds; none without a project.

    Raises:
        SettingsError: the file is not TOML, or these tables have faults.
    """
    file = _first(starts)
    return load_promotions(file) if file else ()


def load_promotions(path: Path) -> tuple[PromotionPolicy, ...]:
    """The policies in one ``mlwright.toml``; the other tables may have faults where these have none.

    Raises:
        SettingsError: the file is absent or is not TOML, or these tables have faults.
    """
    found = plain_policies(read_toml(path).get("promotion", []))
    return _whole(path).promotions if found is None else found


def find_registry(*starts: Path) -> RegistrySettings:
    """The settings of the project that holds the first of these folders that one holds; the defaults without one.

    Raises:
        SettingsError: the file is not TOML, or this table has faults.
    """
    file = _first(starts)
    return load_registry(file) if file else RegistrySettings()


def load_registry(path: Path) -> RegistrySettings:
    """The settings in one ``mlwright.toml``; the other tables may have faults.

    Raises:
        SettingsError: the file is absent or is not TOML, or this table has faults.
    """
    found = plain_registry(read_toml(path).get("registry", {}), path.parent.resolve())
    return _whole(path).registry if found is None else found


def _first(starts: tuple[Path, ...]) -> Path | None:
    return next((found for start in starts if (found := find_file(start)) is not None), None)


def _whole(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    from mlwright.adapters.config.load import load_settings

    return load_settings(path, environment)
