"""What ``pip install mlwright`` puts on a disk: megabytes, packages, and the time of the first import."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import Result, clean, write

ROOT = Path(__file__).parents[1]
TOP = 8


def size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())


def megabytes(count: int) -> float:
    return round(count / 1e6, 1)


def import_ms(python: Path, module: str) -> float:
    """Median wall time of a process that imports the module, less that of one that imports nothing."""

    def wall(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([python, "-c", code], check=True, capture_output=True, env=clean())
        return (time.perf_counter() - started) * 1000

    pairs = [(wall(f"import {module}"), wall("pass")) for _ in range(9)]
    return round(statistics.median(with_it - without for with_it, without in pairs), 1)


def main() -> None:
    uv = os.environ.get("UV", "uv")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "venv"
        wheels = Path(folder) / "wheels"
        subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", wheels, ROOT], check=True)
        [wheel] = wheels.glob("mlwright-*.whl")
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place], check=True)
        python = place / "bin" / "python"
        install = [uv, "pip", "install", "--quiet", "--python", python, "--link-mode", "copy"]
        # Pinned: the number says something about this commit, not about the day of the measurement.
        subprocess.run([*install, "--constraints", ROOT / "requirements" / "demo.txt", wheel], check=True)
        [site] = (place / "lib").glob("python*/site-packages")
        packages = len(list(site.glob("*.dist-info")))
        parts = sorted(((size(each), each.name) for each in site.iterdir()), reverse=True)
        rows = [
            {"what": "core, installed", "value": f"{megabytes(size(site))} MB"},
            {"what": "packages, mlwright among them", "value": packages},
            {"what": "the wheel of mlwright", "value": f"{round(wheel.stat().st_size / 1e3)} kB"},
            {"what": "`import mlwright`", "value": f"{import_ms(python, 'mlwright')} ms over bare Python"},
        ]
        rows += [
            {"what": f"of which `{name}`", "value": f"{megabytes(count)} MB"} for count, name in parts[:TOP]
        ]
    note = "A new environment with the core wheel and the versions of `requirements/demo.txt`, no extras, not compiled."
    write(Result(name="install_size", title="Install size", note=note, rows=rows))


if __name__ == "__main__":
    main()
