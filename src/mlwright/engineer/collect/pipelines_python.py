"""Pipelines of orchestrators that are defined in Python."""

from collections.abc import Sequence

from mlwright.engineer.facts.code import PythonFile
from mlwright.engineer.facts.configuration import PipelineDefinition


def pipelines_in(files: Sequence[PythonFile]) -> tuple[PipelineDefinition, ...]:
    """The pipelines that these files define."""
    return ()
