"""Privacy: customers are pseudonymised before training, and records older than a year are deleted."""

import hashlib
import time
from pathlib import Path

import pandas as pd

DAYS = 365


def pseudonymise(customers: pd.DataFrame, salt: str) -> pd.DataFrame:
    """Replace the customer number by a keyed digest and drop direct identifiers."""
    made = customers.drop(columns=["name", "email"], errors="ignore")
    made["customer"] = [hashlib.sha256((salt + str(each)).encode()).hexdigest() for each in made["customer"]]
    return made


def delete_old_records(folder: Path) -> None:
    """The retention job: what is older than a year goes."""
    for file in folder.glob("*.jsonl"):
        if time.time() - file.stat().st_mtime > DAYS * 86400:
            file.unlink()
