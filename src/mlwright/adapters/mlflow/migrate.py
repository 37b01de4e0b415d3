"""Making an MLflow database out of a folder in its layout: MLflow's own program does it, in a process of its own.

Its schema is changed by every release; only the release that is to read a database knows what to write.
"""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from mlwright.errors import DataError, MissingExtra

_ENVIRON: Final = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}


def require_mlflow(python: str | None) -> None:
    """See to it that there is an MLflow to ask.

    Raises:
        MissingExtra: no Python was named, and the package is not installed beside mlwright.
    """
    if python is None and find_spec("mlflow") is None:
        raise MissingExtra(
            "an MLflow database is written by MLflow's own program, and the package is not installed here",
            next_command="mlwright export mlflow FOLDER, or --python with one that has mlflow 3.12 or newer",
        )


def migrate_folder(folder: Path, database: str, python: str) -> None:
    """Fill an empty database from an ``mlruns`` folder.

    Args:
        folder: the folder.
        database: ``sqlite:///FILE`` or another address that MLflow knows.
        python: the interpreter that has MLflow.

    Raises:
        DataError: MLflow refuses; its last words are in the error.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
    try:
        done = subprocess.run(
            [python, "-m", "mlflow", "migrate-filestore", "--source", str(folder), "--target", database],
            env=clean | _ENVIRON,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise DataError("there is no such Python", where=python, why=error.strerror) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise DataError(
            "MLflow could not make a database of the runs",
            where=database,
            why=said[-1][:300] if said else f"exit code {done.returncode}",
            next_command=f"{python} -m mlflow --version  (3.12 or newer is needed)",
        )
