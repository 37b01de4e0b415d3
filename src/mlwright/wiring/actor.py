"""Who acts, for the audit chain."""

import getpass
import os


def actor() -> str:
    """``MLWRIGHT_ACTOR``, or the account of this process."""
    try:
        return os.environ.get("MLWRIGHT_ACTOR") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
