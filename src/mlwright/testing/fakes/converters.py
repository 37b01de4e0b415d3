"""A converter without a model library: it copies the folder, and may change the bias of a linear model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mlwright.errors import Unsupported

_FLAVOR: Final = "mlwright_linear"


class CopyingConverter:
    """Converts folders of ``LinearRuntime`` into folders of the same flavor, ``by`` added to the bias."""

    target = "copy"

    def __init__(self, by: float = 0.0) -> None:
        self.by = by

    def converts(self, flavors: Sequence[str]) -> bool:
        """Linear models alone."""
        return _FLAVOR in flavors

    def convert(self, folder: Path, into: Path, *, quantize: str = "none") -> str:
        """Copy the folder; see ``ModelConverter.convert``."""
        weights = folder / "weights.json"
        if quantize != "none" or not weights.is_file():
            raise Unsupported("only linear models are copied, and none is quantised", where=str(folder))
        for path in folder.iterdir():
            if path.name != "MLmodel":
                (into / path.name).write_bytes(path.read_bytes())
        held = json.loads(weights.read_text(encoding="utf-8"))
        held |= {"bias": held["bias"] + self.by, "converted": True}
        (into / weights.name).write_text(json.dumps(held), encoding="utf-8")
        (into / "MLmodel").write_bytes((folder / "MLmodel").read_bytes())
        return _FLAVOR
