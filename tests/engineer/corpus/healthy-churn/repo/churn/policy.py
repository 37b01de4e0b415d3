"""The policy on columns: a pipeline that would use a forbidden one stops."""

from pathlib import Path

import yaml


def check_policy(columns: list[str]) -> None:
    """Raise where a forbidden column is about to be used."""
    policy = yaml.safe_load(Path("contracts/features.yaml").read_text())
    forbidden = sorted(set(columns) & set(policy["forbidden"]))
    if forbidden:
        raise ValueError(f"forbidden columns: {forbidden}")
