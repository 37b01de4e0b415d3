"""One library at work on two tables, in an environment of its own: python drift_peer.py LIBRARY REFERENCE CURRENT.

Prints one line of JSON: seconds and CPU seconds of the work itself (neither import nor reading), what it called drift.
"""

import json
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")


def evidently(reference, current):
    """Evidently's preset, as its first page shows it."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    def work():
        done = Report([DataDriftPreset()]).run(current, reference)
        return json.loads(done.json())

    def flags(found):
        return [
            each["metric_name"].split("column=")[1].split(",")[0].rstrip(")")
            for each in found["metrics"]
            if "column=" in each["metric_name"]
            and isinstance(each["value"], int | float)
            and (
                (each["value"] < each.get("config", {}).get("threshold", 0.1))
                if "p_value" in each["metric_name"]
                else each["value"] >= each.get("config", {}).get("threshold", 0.1)
            )
        ]

    return work, flags


def nannyml(reference, current):
    """NannyML's univariate drift, one statistic a kind of column, ten chunks."""
    import nannyml as nml

    names = list(reference.columns)
    texts = [name for name in names if reference[name].dtype == object or str(reference[name].dtype) == "str"]

    def work():
        calculator = nml.UnivariateDriftCalculator(
            column_names=names,
            treat_as_categorical=texts,
            continuous_methods=["jensen_shannon"],
            categorical_methods=["jensen_shannon"],
            chunk_number=10,
        )
        calculator.fit(reference)
        return calculator.calculate(current).filter(period="analysis").to_df()

    def flags(found):
        return [name for name in names if found[(name, "jensen_shannon", "alert")].mean() > 0.5]

    return work, flags


def whylogs(reference, current):
    """whylogs profiles of both, then its drift report."""
    import whylogs as why
    from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

    def work():
        one, other = (why.log(each).view() for each in (current, reference))
        return calculate_drift_scores(target_view=one, reference_view=other, with_thresholds=True)

    def flags(found):
        return [name for name, said in found.items() if said and said["drift_category"] == "DRIFT"]

    return work, flags


def alibi(reference, current):
    """alibi-detect's tabular test (KS and chi², Bonferroni)."""
    import numpy as np
    from alibi_detect.cd import TabularDrift

    names = list(reference.columns)
    texts = [name for name in names if reference[name].dtype == object or str(reference[name].dtype) == "str"]
    codes = {name: {value: at for at, value in enumerate(reference[name].unique())} for name in texts}
    sides = []
    for frame in (reference, current):
        made = frame.copy()
        for name in texts:
            made[name] = made[name].map(codes[name]).fillna(len(codes[name]))
        sides.append(made.to_numpy(dtype=np.float64))
    at = {names.index(name): None for name in texts}

    def work():
        return TabularDrift(sides[0], p_val=0.05, categories_per_feature=at).predict(
            sides[1], drift_type="feature"
        )

    def flags(found):
        return [name for name, is_drift in zip(names, found["data"]["is_drift"], strict=True) if is_drift]

    return work, flags


def main():
    """Measure one library."""
    import pandas as pd

    library, reference, current = sys.argv[1:4]
    sides = [pd.read_parquet(path) for path in (reference, current)]
    work, flags = {"evidently": evidently, "nannyml": nannyml, "whylogs": whylogs, "alibi": alibi}[library](
        *sides
    )
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    found = work()
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        json.dumps(
            {"seconds": wall, "cpu": cpu, "peak_mb": after.ru_maxrss / 1024, "drifted": flags(found)},
            default=str,
        )
    )


main()
