"""What images of endpoints are made with: the engines on PATH, the packages installed here, and uv where it is."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import mlwright
from mlwright.adapters.images.engines import find_engine
from mlwright.adapters.images.packages import InstalledPackages, own_platform
from mlwright.adapters.uv.program import find_uv
from mlwright.model.images import Ended
from mlwright.ports.images import ImageTools

_LOCK_S: Final = 300.0


def image_tools() -> ImageTools:
    """The tools; no program is looked for before it is needed.

    ``MLWRIGHT_BUILD_NETWORK`` names the network of builds that need one, such as ``host``.
    """
    sources = Path(str(mlwright.__file__)).parent
    return ImageTools(
        packages=InstalledPackages(sources, mlwright.__version__, _uv),
        find_engine=partial(find_engine, network=os.environ.get("MLWRIGHT_BUILD_NETWORK", "")),
        platform=own_platform(),
    )


def _uv(words: Sequence[str]) -> Ended:
    said = find_uv().run(*words, seconds=_LOCK_S)
    return Ended(code=said.code, out=said.out, err=said.err)
