"""The Open Data Contract Standard v3.1, read from YAML."""

from mlwright.adapters.odcs.read import read_contract

__all__ = ["read_contract"]
