"""How long `mlwright assess` takes on 5,000 files of 100 MB with two cores, as a process. Goal: under 10 s.

python bench/assess_time.py           write the repository to a temporary folder and measure
python bench/assess_time.py FOLDER    measure on a folder that is there already
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from big_repository import write as write_repository
from report import Result, clean, write

ROUNDS, CORES, GOAL_S = 7, 2, 10
PEER = "bandit==1.9.4"

READ = """
import os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            file.read()
"""
PARSE = """
import ast, gc, pathlib, sys
gc.disable()
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.py"))[int(sys.argv[2]) :: 2]:
    ast.parse(path.read_bytes())
"""
PARSE_IN_TWO = f"""
import subprocess, sys
started = [subprocess.Popen([sys.executable, "-c", {PARSE!r}, sys.argv[1], part]) for part in "01"]
sys.exit(max(each.wait() for each in started))
"""
ASSESS = """
import sys
sys.argv = ["mlwright", "assess", sys.argv[1], "--json"]
from mlwright.doors.cli.main import main
main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process and those that it started took: wall and CPU in seconds, the largest of them in MB."""

    wall: float
    cpu: float
    megabytes: float


def run(command: Sequence[str]) -> Run:
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, env=clean())
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            message = said.read().decode(errors="replace").strip().splitlines() or ["no message"]
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {message[-1]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(wall=wall, cpu=used.ru_utime + used.ru_stime, megabytes=used.ru_maxrss * unit / 1e6)


def peer(place: Path) -> list[str] | None:
    """The command of bandit in an environment of its own; None where it cannot be installed."""
    uv = os.environ.get("UV", "uv")
    python = place / "bin" / "python"
    try:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, PEER], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"assess_time: {PEER} cannot be installed, left out ({error})")
        return None
    return [str(place / "bin" / "bandit"), "-r", "-q", "--exit-zero", "-f", "json"]


def row(what: str, runs: Sequence[Run], floor: float) -> dict[str, object]:
    walls = sorted(each.wall for each in runs)
    low, middle, high = statistics.quantiles(walls, n=4) if len(walls) > 1 else (walls * 3)
    return {
        "what": what,
        "runs": len(runs),
        "median s": round(middle, 2),
        "quartiles s": f"{low:.2f} to {high:.2f}" if len(walls) > 1 else "",
        "CPU s": round(statistics.median(each.cpu for each in runs), 2),
        "largest process MB": round(max(each.megabytes for each in runs)),
        "ratio to parsing": round(middle / floor, 2),
    }


def measure(root: Path, other: Sequence[str] | None) -> None:
    commands = {
        "read every file": [sys.executable, "-c", READ, str(root)],
        "`ast.parse` of every .py file, in two processes": [sys.executable, "-c", PARSE_IN_TWO, str(root)],
        "`mlwright assess --json`": [sys.executable, "-c", ASSESS, str(root)],
    }
    taken: dict[str, list[Run]] = {what: [] for what in commands}
    for command in commands.values():  # once unmeasured, for bytecode and the cache of files
        run(command)
    # One round of each in turn: what the machine does meanwhile hits all of them alike.
    for _ in range(ROUNDS):
        for what, command in commands.items():
            taken[what].append(run(command))
    if other is not None:
        taken[f"`bandit -r` ({PEER.partition('==')[2]})"] = [run([*other, str(root)])]
    floor = statistics.median(each.wall for each in taken["`ast.parse` of every .py file, in two processes"])
    files = [each for each in root.rglob("*") if each.is_file()]
    size = sum(each.stat().st_size for each in files)
    note = (
        f"{len(files):,} files, {size / 1e6:.0f} MB: 2,500 Python files of 8 kB, 300 notebooks with images, 500"
        f" manifests, tables (`bench/big_repository.py`). Every process is held to {CORES} cores; {ROUNDS} interleaved"
        f" rounds, all caches warm. Goal: `mlwright assess` below {GOAL_S} s.\n\n"
        "Parsing is the floor of whatever looks at Python as a tree; assess reads the rest as well, looks for secrets"
        " in all text, and puts every question of `mlwright assess --list`. bandit is no rival but the nearest kind of"
        " program that is widely used: it parses the same .py files in one process and asks some seventy questions"
        " about security of each node, and looks at no notebook, manifest, table or history. It ran once, as it takes"
        " long."
    )
    rows = [row(what, runs, floor) for what, runs in taken.items()]
    write(Result(name="assess_time", title="Time to assess", note=note, rows=rows))


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(folder) / "repository"
        if not root.exists():
            write_repository(root)
        measure(root, peer(Path(folder) / "peer"))


if __name__ == "__main__":
    main()
