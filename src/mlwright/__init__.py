"""mlwright: the MLOps engineer you can install.

What a project's own files import stands here and nothing else: ``step``, ``pipeline``, ``gate``
and the few verbs a pipeline may call while it runs; and ``tracking``, which opens experiments, runs
and models in any program. Names load on first use, so that ``import mlwright`` stays cheap for the
command line.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mlwright.model.fitted import Fitted, Release
    from mlwright.platform.tracking.facade import TrackingPlatform
    from mlwright.stages.pipelines.define import gate, pipeline, step
    from mlwright.stages.pipelines.workbench import encode, evaluate, examples, log, register, split

    def tracking(start: Path | str | None = None) -> TrackingPlatform:
        """See :func:`mlwright.wiring.tracking.tracking`; the root must not import what stands that high."""
        ...


__version__ = "0.1.0"

_HOMES = {
    "gate": "mlwright.stages.pipelines.define",
    "pipeline": "mlwright.stages.pipelines.define",
    "step": "mlwright.stages.pipelines.define",
    "encode": "mlwright.stages.pipelines.workbench",
    "Fitted": "mlwright.model.fitted",
    "Release": "mlwright.model.fitted",
    "evaluate": "mlwright.stages.pipelines.workbench",
    "examples": "mlwright.stages.pipelines.workbench",
    "log": "mlwright.stages.pipelines.workbench",
    "register": "mlwright.stages.pipelines.workbench",
    "split": "mlwright.stages.pipelines.workbench",
    "tracking": "mlwright.wiring.tracking",
}

__all__ = [
    "Fitted",
    "Release",
    "__version__",
    "encode",
    "evaluate",
    "examples",
    "gate",
    "log",
    "pipeline",
    "register",
    "split",
    "step",
    "tracking",
]


def __getattr__(name: str) -> object:
    """Load a public name from its home on first use (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlwright' has no attribute {name!r}")
