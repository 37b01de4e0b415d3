"""``mlwright.toml``, parsed once at the edge into frozen settings."""

from mlwright.adapters.config.load import FILE_NAME, find_project, load_settings, settings_schema

__all__ = ["FILE_NAME", "find_project", "load_settings", "settings_schema"]
