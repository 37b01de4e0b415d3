"""Drift of 30 columns beside four libraries, on the same two tables, in one run: who is right, and how fast.

20 numbers and 10 texts; planted: n0..n4 move by .02/.05/.1/.3/1.0 sd, n5 spreads by 1.2, n6 has 1 % of its rows x 20,
c0/c1/c2 move 1/5/20 points of mass, c3 gets a new level (3 %); the other 19 do not change. Each library runs in an
environment of its own, with its defaults as its first page shows them.

python bench/drift_peers.py [--quick] [--cache FOLDER]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from report import Result, clean, write
from serving import environment

from mlwright.model.monitoring import FeatureDrift
from mlwright.stages.monitoring.counting import count, sketch
from mlwright.stages.monitoring.judging import calibrate, judge, measure
from mlwright.stages.monitoring.sketches import Sketch

HERE = Path(__file__).parent
ROUNDS = 3
CHUNKS = 10
LEVELS = (3, 5, 8, 12, 20, 30, 50, 100, 200, 500)
PACKAGES = {
    "evidently": ("evidently==0.7.23", "pandas<3", "pyarrow"),
    "nannyml": ("nannyml==0.13.1", "statsmodels", "pandas<3", "pyarrow"),
    "whylogs": ("whylogs==1.6.4", "numpy<2", "pandas<2.3", "setuptools<81", "pyarrow<20", "ipython"),
    "alibi": ("alibi-detect==0.13.0", "pandas<3", "pyarrow<20"),
}
MOVED = frozenset({"n2", "n3", "n4", "n5", "n6", "c1", "c2", "c3"})
"""What a person would want to hear of; .02 and .05 sd and one point of mass may be told or not."""
EITHER = frozenset({"n0", "n1", "c0"})


def table(rows: int, seed: int, *, moved: bool) -> pl.DataFrame:
    """20 numbers and 10 texts, with what is planted."""
    random = np.random.default_rng(seed)
    numbers = {f"n{at}": random.normal(size=rows) for at in range(20)}
    numbers["n6"] = random.lognormal(size=rows)
    codes = {
        f"c{at}": random.integers(0, size, rows)
        for at, size in enumerate((3, 5, 8, 12, 20, 30, 50, 100, 200, 500))
    }
    if moved:
        for at, shift in enumerate((0.02, 0.05, 0.1, 0.3, 1.0)):
            numbers[f"n{at}"] += shift
        numbers["n5"] *= 1.2
        numbers["n6"] = np.where(random.random(rows) < 0.01, numbers["n6"] * 20, numbers["n6"])
        for name, mass in (("c0", 0.01), ("c1", 0.05), ("c2", 0.2)):
            codes[name] = np.where(random.random(rows) < mass, 0, codes[name])
        codes["c3"] = np.where(random.random(rows) < 0.03, 99, codes["c3"])
    texts = {name: pl.Series(values).cast(pl.String) for name, values in codes.items()}
    return pl.DataFrame(numbers | texts)


def ours(reference: pl.DataFrame, current: pl.DataFrame) -> dict[str, object]:
    """Sketch the reference and its chunks, count the current rows, all distances, judge: a first comparison."""
    walls, cpus = [], []
    found: tuple[FeatureDrift, ...] = ()
    for _ in range(ROUNDS):
        began, spent = time.perf_counter(), time.process_time()
        known = sketch(reference)
        found = judged(reference, known, count(known, current))
        walls.append(time.perf_counter() - began)
        cpus.append(time.process_time() - spent)
    return {
        "seconds": statistics.median(walls),
        "cpu": statistics.median(cpus),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "drifted": sorted(each.column for each in found if each.moved),
    }


def judged(
    reference: pl.DataFrame, known: dict[str, Sketch], current: dict[str, Sketch]
) -> tuple[FeatureDrift, ...]:
    """What our rules call moved, against ten chunks of the reference."""
    size = -(-reference.height // CHUNKS)
    baseline = calibrate(known, [count(known, reference.slice(at * size, size)) for at in range(CHUNKS)])
    return judge(
        [measure(name, one, current[name], baseline=baseline.get(name)) for name, one in known.items()]
    )


def peer(library: str, python: Path, files: tuple[Path, Path]) -> dict[str, object]:
    """The median of some runs of one library, each in a process of its own."""
    runs = []
    for _ in range(ROUNDS):
        command = [str(python), str(HERE / "peers" / "drift_peer.py"), library, *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, env=clean(), timeout=900)
        if done.returncode != 0:
            return {"failed": (done.stderr.strip().splitlines() or ["?"])[-1][:120]}
        runs.append(json.loads(done.stdout.strip().splitlines()[-1]))
    middle = sorted(runs, key=lambda run: run["seconds"])[len(runs) // 2]
    return middle | {"cpu": statistics.median(run["cpu"] for run in runs)}


def right(drifted: list[str]) -> str:
    """What was missed and what was told for nothing."""
    missed = sorted(MOVED - set(drifted))
    false = sorted(set(drifted) - MOVED - EITHER)
    return (
        "; ".join(
            said
            for said in (
                f"missed {', '.join(missed)}" if missed else "",
                f"false {', '.join(false)}" if false else "",
            )
            if said
        )
        or "right"
    )


def main() -> None:
    """Measure and write."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true", help="200,000 rows only")
    asked.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "mlwright-bench-drift")
    options = asked.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for count_of in (200_000,) if options.quick else (200_000, 1_000_000):
            reference, current = table(200_000, 1, moved=False), table(count_of, 2, moved=True)
            files = Path(folder) / "reference.parquet", Path(folder) / "current.parquet"
            reference.write_parquet(files[0])
            current.write_parquet(files[1])
            mine = ours(reference, current)
            found = {"mlwright": mine}
            for library, packages in PACKAGES.items():
                found[library] = peer(library, environment(packages, options.cache), files)
            for name, each in found.items():
                rows.append(told(name, count_of, each, mine))
    note = (
        f"Medians of {ROUNDS} runs. Time of the work alone, both tables in memory; import and reading are left out. "
        "n0, n1 and c0 (0.02 and 0.05 sd, one point of mass) may be told or not. Ours calls nothing moved below a "
        "PSI of 0.02 (0.14 sd), by rule: that is what it misses. Ours sketches the reference anew in each run; "
        "in use it is kept."
    )
    write(Result(name="drift_peers", title="Drift of 30 columns beside four libraries", note=note, rows=rows))


def told(name: str, rows: int, each: dict[str, object], mine: dict[str, object]) -> dict[str, object]:
    """One line of the table."""
    if "failed" in each:
        return {"rows": f"{rows:,}", "what": name, "seconds": f"failed: {each['failed']}"}
    seconds = float(str(each["seconds"]))
    return {
        "rows": f"{rows:,}",
        "what": name,
        "seconds": round(seconds, 3),
        "CPU seconds": round(float(str(each["cpu"])), 3),
        "times ours": round(seconds / float(str(mine["seconds"])), 1),
        "peak MB": round(float(str(each["peak_mb"]))),
        "verdict": right(list(each["drifted"])),  # type: ignore[call-overload]
    }


if __name__ == "__main__":
    sys.exit(main())
