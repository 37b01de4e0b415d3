"""Write a big repository: 5,000 files, 100 MB, the same bytes for the same seed. ``assess_time.py`` measures on it.

python bench/big_repository.py FOLDER            write it
python bench/big_repository.py FOLDER --measure  write it where it is not there yet, and collect its facts
"""

import argparse
import json
import random
import sys
from pathlib import Path
from time import perf_counter

SOURCES, DOCUMENTS, NOTEBOOKS, TABLES = 2_500, 500, 300, 1_700
SOURCE_BYTES, OUTPUT_BYTES, ALL_BYTES = 8_000, 120_000, 100_000_000

HEAD = '''"""Part {number} of the features of flights."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from features.part_{before:04d} import prepare_0 as prepare_before

log = logging.getLogger(__name__)
SETTINGS = {{
    "seed": {seed},
    "trees": 100,
    "columns": ["carrier", "distance", "hour"],
    "path": "data/part_{number}.parquet",
}}
'''
FUNCTION = '''

def {verb}_{index}(frame: pd.DataFrame, window: int = {window}, column: str = "{column}") -> pd.DataFrame:
    """{verb} the {column} of each row over a window of hours, and leave the rest of the frame as it was."""
    result = frame.copy()
    for name in SETTINGS["columns"]:
        values = result[name].astype(float).fillna({fill})
        result[f"{{name}}_{column}_mean"] = values.rolling(window, min_periods={few}).mean()
        result[f"{{name}}_{column}_spread"] = np.sqrt(values.rolling(window).var() + {fill} / 1e6)
    if result["{column}"].isna().any() and window > {few}:
        log.warning("part %s: %s rows without {column}", SETTINGS["seed"], int(result["{column}"].isna().sum()))
        result = result.dropna(subset=["{column}"]).reset_index(drop=True)
    try:
        late = [row.delay for row in result.itertuples() if row.delay is not None and row.delay > {window}]
    except AttributeError as error:
        raise ValueError(f"no delay in {{sorted(result.columns)}}") from error
    result["late"] = (result["delay"] > max(late, default={few})).astype("int8")
    return result.sort_values(["{column}", "hour"], ascending=[True, False])
'''
TAIL = '''

def train(path: Path = Path(SETTINGS["path"])) -> float:
    """Fit a forest on this part and say how well it orders held-out flights."""
    frame = {verb}_0(prepare_before(pd.read_parquet(path)))
    X, y = frame.drop(columns=["late"]), frame["late"]
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=SETTINGS["seed"])
    scaler = StandardScaler()
    model = RandomForestClassifier(n_estimators=SETTINGS["trees"], random_state=SETTINGS["seed"])
    model.fit(scaler.fit_transform(X_train), y_train)
    return roc_auc_score(y_test, model.predict_proba(scaler.transform(X_test))[:, 1])
'''
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: part-{number}
  labels: {{app: flights, part: "{number}"}}
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: flights}}
  template:
    metadata:
      labels: {{app: flights}}
    spec:
      containers:
        - name: model
          image: registry.example.com/flights:1.{number}.0
          ports:
            - containerPort: 8080
          resources:
            requests: {{cpu: 250m, memory: 512Mi}}
            limits: {{memory: 1Gi}}
          env:
            - name: PART
              value: "{number}"
          readinessProbe:
            httpGet: {{path: /health, port: 8080}}
"""
VERBS = ("prepare", "smooth", "join", "fold", "enrich", "window", "encode", "balance")
COLUMNS = ("carrier", "distance", "hour", "origin", "wind", "visibility", "seats", "delay")


def source(number: int, dice: random.Random) -> str:
    """One Python file of about 8 kB."""
    parts = [HEAD.format(number=number, before=max(0, number - 1), seed=dice.randrange(1000))]
    while sum(map(len, parts)) < SOURCE_BYTES - 900:
        parts.append(
            FUNCTION.format(
                verb=dice.choice(VERBS),
                index=len(parts) - 1,
                window=dice.randrange(2, 48),
                column=dice.choice(COLUMNS),
                fill=round(dice.random(), 3),
                few=dice.randrange(1, 9),
            )
        )
    return "".join([*parts, TAIL.format(verb=dice.choice(VERBS))])


def notebook(number: int, dice: random.Random) -> str:
    """One notebook with an image among its outputs."""
    image = dice.randbytes(OUTPUT_BYTES * 3 // 4).hex()[:OUTPUT_BYTES]
    code = [
        "import pandas as pd\n%matplotlib inline",
        f"frame = pd.read_csv('data/table_{number}.csv')\nframe.describe()",
        "from sklearn.svm import SVC\nmodel = SVC().fit(frame[['x']], frame['y'])",
        "frame.plot()",
    ]
    cells = [
        {
            "cell_type": "code",
            "execution_count": count,
            "metadata": {},
            "source": text.splitlines(keepends=True),
            "outputs": [{"output_type": "display_data", "data": {"image/png": image}}]
            if count == len(code)
            else [],
        }
        for count, text in enumerate(code, 1)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def write(root: Path, seed: int = 7) -> int:
    """Write all of it; the answer is the number of bytes."""
    dice = random.Random(seed)
    written = 0

    def put(path: str, content: bytes) -> None:
        nonlocal written
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        written += len(content)

    for number in range(SOURCES):
        folder = "tests" if number % 5 == 4 else f"src/features/group_{number % 40:02d}"
        put(f"{folder}/part_{number:04d}.py", source(number, dice).encode())
    for number in range(DOCUMENTS):
        put(
            f"deploy/part_{number:03d}.yaml",
            DEPLOYMENT.format(number=number, replicas=number % 4 + 1).encode(),
        )
    for number in range(NOTEBOOKS):
        put(f"notebooks/look_{number:03d}.ipynb", notebook(number, dice).encode())
    each = max(100, (ALL_BYTES - written) // TABLES)
    for number in range(TABLES):
        suffix = "parquet" if number % 2 else "csv"
        put(f"data/table_{number:04d}.{suffix}", dice.randbytes(each // 2).hex().encode())
    return written


def measure(root: Path) -> None:
    """Collect its facts and tell how long each part took."""
    from mlwright.engineer.collect.collect import collect

    begun = perf_counter()
    repository = collect(root)
    took = perf_counter() - begun
    size = sum(each.bytes for each in repository.files)
    print(
        f"{len(repository.files):,} files, {size / 1e6:.0f} MB, {len(repository.python):,} with code: {took:.2f} s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--measure", action="store_true")
    asked = parser.parse_args()
    if asked.folder is None:
        parser.exit(message="big_repository: no folder, nothing to write\n")  # so is it called by ./dev bench
    if not asked.folder.exists():
        print(f"{write(asked.folder):,} bytes", file=sys.stderr)
    if asked.measure:
        measure(asked.folder)
