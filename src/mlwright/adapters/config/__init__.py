"""``mlwright.toml``, parsed once at the edge into frozen settings.

Names load on first use: where state is kept can be asked without the libraries that judge the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlwright.adapters.config.load import load_settings, settings_schema
    from mlwright.adapters.config.storage import FILE_NAME, find_project

_HOMES = {
    "FILE_NAME": "mlwright.adapters.config.storage",
    "find_project": "mlwright.adapters.config.storage",
    "load_settings": "mlwright.adapters.config.load",
    "settings_schema": "mlwright.adapters.config.load",
}

__all__ = ["FILE_NAME", "find_project", "load_settings", "settings_schema"]


def __getattr__(name: str) -> object:
    """Load a public name from its home on first use (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlwright.adapters.config' has no attribute {name!r}")
