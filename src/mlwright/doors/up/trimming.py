"""Making an environment small and quick to start: ``python -m mlwright.doors.up.trimming /opt/venv [STATE]``.

Runs while an image is built, in the stage that is thrown away. What serves never imports the tests of packages, nor the
parts of mlwright that train, judge and show. Bytecode is written once, without times in it, into the folder that the
option ``-X pycache_prefix`` names, so that a container whose files are read-only starts as quickly as any, and equal
files give an equal environment; that of the standard library too, which official images leave out (0.7 s of processor
time a start). A folder that is named behind it is made, for what the container writes.
"""

import compileall
import os
import re
import shutil
import sys
import sysconfig
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
_SELDOM: Final = re.compile(
    r"/python\d\.\d+/"
    r"(config-|dist-packages|distutils|ensurepip|idlelib|lib2to3|pydoc_data|site-packages|test|tkinter|turtle|venv)"
)
"""What lies in the standard library's folder and no server imports: it goes without bytecode."""


def main() -> int:
    """Trim the environment that is named."""
    environment = Path(sys.argv[1])
    packages = [each for each in environment.glob("lib*/python*/site-packages") if not _is_link(each)]
    for folder in packages:
        for each in unneeded(folder):
            shutil.rmtree(each)
    library = Path(sysconfig.get_path("stdlib"))
    for folder in (*packages, library):
        compileall.compile_dir(
            folder,
            quiet=2,
            rx=_SELDOM if folder == library else None,
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


def _is_link(packages: Path) -> bool:
    return any(each.is_symlink() for each in packages.parents)  # lib64 is lib


if __name__ == "__main__":
    sys.exit(main())
