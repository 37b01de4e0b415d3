"""A diagnosis of two files, without a project."""

import glob
from pathlib import Path

import polars as pl

from mlwright.adapters.learners.boosted import BoostedLearner
from mlwright.errors import DataError
from mlwright.model.diagnosis import Diagnosis
from mlwright.platform.diagnosing import diagnose_tables
from mlwright.stages.contracts.sources import read_source
from mlwright.stages.monitoring.diagnosis.chain import Progress


def diagnose_files(
    reference: Path,
    current: Path,
    recomputed: Path | None,
    *,
    progress: Progress | None = None,
    **about: object,
) -> Diagnosis:
    """Read the files and judge them; see ``platform.diagnosing.diagnose_tables``.

    Raises:
        DataError: a file cannot be read, or says something that cannot be compared.
    """
    again = _read(recomputed) if recomputed is not None else None
    return diagnose_tables(
        _read(reference), _read(current), BoostedLearner(), progress=progress, recomputed=again, **about
    )


def _read(path: Path) -> pl.DataFrame:
    def no_code(code: Path, name: str) -> object:
        raise DataError(f"{code}:{name} is code, and a table was asked for", where=str(path))

    return read_source(glob.escape(str(path.resolve())), Path.cwd(), no_code)
