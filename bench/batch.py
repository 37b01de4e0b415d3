"""Scoring a file of a million rows: ours beside what people write by hand, and MLflow's own command.

The model is a gradient boosting regressor of scikit-learn (100 trees of depth 3, 20 inputs). Ours reads Parquet, holds
every row against the contract, writes Parquet and a manifest, and could be stopped at any moment; the loops read with
pandas, call the model and write one file. The loop over single rows is measured on its first rows only.

python bench/batch.py                   a million rows, MLflow's command on 200,000 of them as CSV
python bench/batch.py quick             100,000 rows, without MLflow
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from report import Result, clean, write
from serving import _mlflow_model, environment, tree

HERE = Path(__file__).parent
PEERS = HERE / "peers"
NAMES = [f"x{number}" for number in range(20)]
SINGLE = 2_000

LOOPS = """
import sys, time, resource, joblib, pandas as pd
kind, model, source, output, rows, threads = sys.argv[1:7]
fitted, rows = joblib.load(model), int(rows)
names = [f"x{number}" for number in range(20)]
began = time.perf_counter()
frame = pd.read_parquet(source) if source.endswith("parquet") else pd.read_csv(source)
inputs = frame[names]
if kind == "rows":
    inputs = inputs.head(rows)
    scores = [fitted.predict(inputs.iloc[row : row + 1].to_numpy())[0] for row in range(len(inputs))]
else:
    size = int(kind)
    scores = []
    for first in range(0, len(inputs), size):
        scores.extend(fitted.predict(inputs.iloc[first : first + size].to_numpy()))
pd.DataFrame({"id": frame["id"].head(len(scores)), "score": scores}).to_parquet(output)
seconds = time.perf_counter() - began
print(len(scores), seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def data(work: Path, rows: int) -> None:
    """The model, and the rows as Parquet; the first 200,000 as CSV for MLflow's command."""
    import joblib
    import numpy as np
    import polars as pl
    from sklearn.ensemble import GradientBoostingRegressor

    random = np.random.default_rng(7)
    sample = random.normal(size=(2000, 20))
    truth = sample[:, 0] * 2 - sample[:, 1] ** 2 + np.sin(sample[:, 2] * 3)
    fitted = GradientBoostingRegressor(n_estimators=100, max_depth=3, random_state=7).fit(sample, truth)
    joblib.dump(fitted, work / "gb.joblib")
    from skl2onnx import to_onnx

    (work / "gb.onnx").write_bytes(
        to_onnx(fitted, sample[:1].astype(np.float32), target_opset=17).SerializeToString()
    )
    np.save(work / "rows.npy", sample[:64])
    frame = pl.DataFrame({name: random.normal(size=rows) for name in NAMES})
    frame = frame.with_columns(id=pl.format("k{}", pl.int_range(rows)))
    frame.write_parquet(work / "rows.parquet")
    frame.head(200_000).write_csv(work / "rows.csv")
    frame.select(NAMES).head(200_000).write_csv(work / "inputs.csv")


def watched(command: Sequence[str], work: Path, **environment: str) -> tuple[str, dict[str, float]]:
    """Run a command; what it printed, its seconds, CPU seconds, and the most proportional memory of its tree in MB."""
    began, most, before = time.perf_counter(), 0.0, resource.getrusage(resource.RUSAGE_CHILDREN)
    with (work / "log").open("w") as log:
        process = subprocess.Popen(
            [str(each) for each in command],
            cwd=work,
            env=clean() | environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        while process.poll() is None:
            total = 0.0
            for each in tree([process.pid]):
                try:
                    lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
                except OSError:
                    continue
                total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1024
            most = max(most, total)
            time.sleep(0.5)
        said = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{command}: {(work / 'log').read_text()[-2000:]}{said[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return said, {"wall": time.perf_counter() - began, "cpu": used, "memory": most}


def ours(work: Path, model: str, source: str, workers: int) -> dict[str, object]:
    output = work / f"out-{model}-{workers}-{Path(source).suffix[1:]}"
    command = [sys.executable, "-m", "mlwright", "predict", model, "--input", source, "--output", str(output)]
    said, about = watched([*command, "--workers", str(workers), "--json", "--keep", "id"], work)
    found = json.loads(said)
    return {
        "rows": found["written"],
        "inner": found["seconds"] - found["opening_s"],
        **about,
    }


def loop(python: Path, work: Path, kind: str, source: str, rows: int) -> dict[str, object]:
    command = [python, "-c", LOOPS, kind, "gb.joblib", source, "loop.parquet", str(rows), "1"]
    said, about = watched(command, work, OMP_NUM_THREADS="1")
    done, inner, _ = said.split()
    return {"rows": int(done), "inner": float(inner), **about}


def mlflow(work: Path, cache: Path) -> dict[str, object]:
    """``mlflow models predict`` of MLflow 3.17.2 on 200,000 rows of CSV, in an environment of its own."""
    packages = ("mlflow==3.17.2", "pandas==2.3.3", "uvicorn", "fastapi", "skops")
    python = environment(packages, cache)
    _mlflow_model(python, work)
    command = [python, "-m", "mlflow", "models", "predict", "-m", work / "mlflow", "-i", "inputs.csv"]
    _, about = watched(
        [*command, "-t", "csv", "-o", "mlflow.json", "--env-manager", "local"],
        work,
        PATH=f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}",
    )
    return {"rows": 200_000, "inner": about["wall"], **about}


def row(name: str, found: dict[str, object], base: float) -> dict[str, object]:
    speed = float(str(found["rows"])) / float(str(found["inner"]))
    return {
        "what": name,
        "rows": found["rows"],
        "rows/s": round(speed),
        "times the loop over 1000 rows": round(speed / base, 2),
        "wall s": round(float(str(found["wall"])), 1),
        "CPU s": round(float(str(found["cpu"])), 1),
        "peak PSS MB": round(float(str(found["memory"]))),
    }


def main(arguments: Sequence[str]) -> None:
    quick = arguments[:1] == ["quick"]
    rows = 100_000 if quick else 1_000_000
    cores = len(os.sched_getaffinity(0))
    cache = Path(os.environ.get("BENCH_CACHE", tempfile.gettempdir())) / "mlwright-bench-serving"
    with tempfile.TemporaryDirectory(prefix="mlwright-bench-") as folder:
        work = Path(folder)
        data(work, rows)
        subprocess.run(
            [sys.executable, str(PEERS / "our_models.py"), str(work), str(work)],
            check=True,
            env=clean(),
            cwd=work,
        )
        for name in ("gb", "gb-onnx"):
            register = [sys.executable, "-m", "mlwright", "models", "register", name, "--name", name]
            subprocess.run(register, check=True, env=clean(), cwd=work, capture_output=True)
        python = environment(("pandas", "pyarrow"), cache)
        thousand = loop(python, work, "1000", "rows.parquet", rows)
        found = {
            "a loop over single rows": loop(python, work, "rows", "rows.parquet", SINGLE),
            "a loop over 1000 rows": thousand,
            "one call for all rows": loop(python, work, str(rows), "rows.parquet", rows),
            "mlwright, scikit-learn, 1 process": ours(work, "gb", "rows.parquet", 1),
            f"mlwright, scikit-learn, {cores} processes": ours(work, "gb", "rows.parquet", cores),
            "mlwright, ONNX, 1 process": ours(work, "gb-onnx", "rows.parquet", 1),
            f"mlwright, ONNX, {cores} processes": ours(work, "gb-onnx", "rows.parquet", cores),
            "mlwright, scikit-learn, CSV, 1 process": ours(work, "gb", "rows.csv", 1),
        }
        if not quick and shutil.which("uv"):
            found["mlflow models predict, CSV"] = mlflow(work, cache)
        base = float(str(thousand["rows"])) / float(str(thousand["inner"]))
        note = (
            f"{rows:,} rows of 20 numbers and an id in Parquet; rows/s without the start of Python and the loading "
            "of the model (with both for MLflow's command, which does not say), CPU and wall time with both; the "
            f"loop over single rows is that of the first {SINGLE:,}; ours checks each row, writes parts of 65,536 "
            "rows and a manifest, and can be stopped"
        )
        result = Result(
            name="batch", title="Scoring a file", note=note, rows=[row(*each, base) for each in found.items()]
        )
    if quick:
        print(json.dumps(result.rows, indent=1, ensure_ascii=False))
    else:
        write(result)


if __name__ == "__main__":
    main(sys.argv[1:])
