"""Making an environment small and quick to start: ``python -m mlwright.doors.up.trimming /opt/venv [STATE]``.

Runs while an image is built, in the stage that is thrown away. What serves never imports the tests of packages, nor the
parts of mlwright that train, judge and show. Bytecode is written once, without times in it, so that a container whose files
are read-only starts as quickly as any, and equal files give an equal environment. A folder that is named behind it is made,
for what the container writes.
"""

import compileall
import os
import shutil
import sys
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Final

_TESTED: Final = (
    "numpy",
    "scipy",
    "sklearn",
    "skops",
    "joblib",
    "pandas",
    "uvloop",
    "narwhals",
    "polars",
    "threadpoolctl",
)
"""Packages that carry their tests, in folders of that name."""
_NOT_SERVING: Final = (
    "doors/cli",
    "doors/mcp",
    "doors/reports",
    "doors/web",
    "doors/http/control",
    "doors/http/mlflow",
    "engineer",
    "testing",
    "adapters/advisor",
    "adapters/images",
    "adapters/mlflow",
    "adapters/moving",
    "adapters/scanners",
    "adapters/signing",
    "adapters/sql",
    "adapters/webhooks",
    "platform",
)
"""Folders of mlwright that no container needs; a test serves without them."""


def main() -> int:
    """Trim the environment that is named."""
    environment = Path(sys.argv[1])
    for packages in sorted(environment.glob("lib*/python*/site-packages")):
        for each in unneeded(packages):
            shutil.rmtree(each)
        compileall.compile_dir(
            packages,
            quiet=2,
            workers=os.cpu_count() or 1,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    for path in [*environment.rglob("*"), environment]:
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    for state in map(Path, sys.argv[2:]):
        state.mkdir(parents=True)
        # Any user may write there, as some platforms choose one, and a tmpfs in its place takes over the mode alone.
        state.chmod(0o1777)
    return 0


def unneeded(packages: Path) -> list[Path]:
    """The folders that nothing that serves looks into."""
    ours = [packages / "mlwright" / each for each in _NOT_SERVING]
    tests = [each for name in _TESTED for each in (packages / name).rglob("tests") if each.is_dir()]
    outer = {each for each in (*ours, *tests) if each.is_dir()}
    return sorted(each for each in outer if not outer & set(each.parents))


if __name__ == "__main__":
    sys.exit(main())
