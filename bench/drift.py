"""Drift of 30 columns: ours beside the least that numpy and polars can do for the same counts.

The floor counts into the same bins: ``searchsorted`` and ``bincount`` of each number column, ``value_counts`` of each
text column, nothing else. Ours counts too how much the values sum to, their extremes and what is missing, and then
compares. Streaming generates its rows on the fly and counts them; generating is taken off the time.

python bench/drift.py                          200,000 and 1,000,000 rows of 20 numbers and 10 texts
python bench/drift.py --rows 100000000         streams that many rows of 4 columns too, and watches the memory
"""

import argparse
import resource
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from report import Result, write

from mlwright.stages.monitoring.counting import count, counting, sketch
from mlwright.stages.monitoring.drift import compare_all
from mlwright.stages.monitoring.packing import pack
from mlwright.stages.monitoring.sketches import Sketch

ROUNDS = 7
CHUNK = 1_000_000


def frame(rows: int, seed: int, moved: float = 0.0) -> pl.DataFrame:
    """20 numbers and 10 texts of 3 to 500 levels, as in the comparison of libraries."""
    random = np.random.default_rng(seed)
    numbers = {f"n{at}": random.normal(moved * (at < 5), 1 + at / 10, rows) for at in range(20)}
    texts = {
        f"c{at}": pl.Series(random.integers(0, size, rows)).cast(pl.String)
        for at, size in enumerate((3, 5, 8, 12, 20, 30, 50, 100, 200, 500))
    }
    return pl.DataFrame(numbers | texts)


def floor(reference: dict[str, Sketch], rows: pl.DataFrame) -> list[object]:
    """The bare counts."""
    counted: list[object] = []
    for name, known in reference.items():
        if known.bins.kind == "level":
            counted.append(rows[name].value_counts())
        else:
            edges = np.asarray(known.bins.edges)
            cells = np.searchsorted(edges, rows[name].to_numpy())
            counted.append(np.bincount(cells, minlength=len(edges) + 1))
    return counted


def seconds(*works: Callable[[], object]) -> list[tuple[float, float]]:
    """The median of the wall and the CPU seconds of each, taken in turns so that a busy moment hits all."""
    wall: list[list[float]] = [[] for _ in works]
    cpu: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for at, work in enumerate(works):
            began, spent = time.perf_counter(), time.process_time()
            work()
            wall[at].append(time.perf_counter() - began)
            cpu[at].append(time.process_time() - spent)
    return [(statistics.median(w), statistics.median(c)) for w, c in zip(wall, cpu, strict=True)]


def beside_the_floor(rows: int) -> list[dict[str, object]]:
    """One table for one size."""
    before, now = frame(200_000, 1), frame(rows, 2, moved=0.1)
    reference = sketch(before)
    base, counted, compared, threaded = seconds(
        lambda: floor(reference, now),
        lambda: count(reference, now),
        lambda: compare_all(reference, count(reference, now)),
        lambda: count(reference, now, threads=2),
    )
    told = (
        ("floor: counts alone", base),
        ("ours: counts, sums, extremes", counted),
        ("ours: with all distances", compared),
        ("ours: counts, 2 threads", threaded),
    )
    size = len(pack(count(reference, now)))
    return [
        {
            "rows x columns": f"{rows:,} x 30",
            "what": what,
            "seconds": round(wall, 3),
            "CPU seconds": round(cpu, 3),
            "times the floor": round(wall / base[0], 2),
            "kept bytes": size if "ours" in what else "",
        }
        for what, (wall, cpu) in told
    ]


def streamed(rows: int) -> dict[str, object]:
    """Count a stream, watching how much memory the process holds."""
    spent, most, done = [0.0], [0.0], threading.Event()
    page = resource.getpagesize()

    def watch() -> None:
        while not done.wait(0.05):
            held = int(Path("/proc/self/statm").read_text().split()[1]) * page / 2**20
            most[0] = max(most[0], held)

    def chunks() -> Iterator[pl.DataFrame]:
        for start in range(0, rows, CHUNK):
            began = time.perf_counter()
            some = min(CHUNK, rows - start)
            random = np.random.default_rng(start)
            made = pl.DataFrame(
                {
                    "a": random.standard_normal(some, dtype=np.float32),
                    "b": random.exponential(size=some),
                    "c": random.integers(0, 24, some),
                    "d": pl.Series(random.integers(0, 50, some)).cast(pl.String),
                }
            )
            spent[0] += time.perf_counter() - began
            yield made

    reference = sketch(next(chunks()))
    spent[0] = 0.0
    began = time.perf_counter()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        counted = counting(reference, chunks())
    finally:
        done.set()
        watcher.join()
    assert counted["a"].rows == rows
    taken = time.perf_counter() - began - spent[0]
    return {
        "rows x columns": f"{rows:,} x 4 streamed",
        "what": f"ours, at most {most[0]:.0f} MB held, of which a chunk of {CHUNK:,} rows",
        "seconds": round(taken, 1),
        "CPU seconds": "",
        "times the floor": "",
        "kept bytes": len(pack(counted)),
    }


def main() -> None:
    """Measure and write."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=0)
    asked.add_argument("--quick", action="store_true")
    options = asked.parse_args()
    rows = beside_the_floor(200_000) + ([] if options.quick else beside_the_floor(1_000_000))
    if options.rows:
        rows.append(streamed(options.rows))
    write(
        Result(
            name="drift",
            title="Drift of 30 columns beside the floor of numpy",
            note="Medians of 7 rounds in turns. The floor counts into the same bins and does nothing else.",
            rows=rows,
        )
    )


if __name__ == "__main__":
    main()
