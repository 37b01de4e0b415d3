"""A project with a whole year behind it, written in half a second: ``python seeded_project.py FOLDER``.

It holds what the page can show: 275 judged days, months, drift, alerts in every state, decisions, ended and running
rollouts, runs, versions, lineage, a demo's result, and texts that would be HTML if anybody forgot to escape them.
"""

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import cos, pi, sin
from pathlib import Path

import numpy as np

from mlwright.model.endpoints import Variant
from mlwright.model.ids import AlertId, Digest, EndpointName, ModelName, RolloutId, RunId
from mlwright.model.instants import to_micros
from mlwright.model.ledger import Edge, Node
from mlwright.model.monitoring import (
    Alert,
    AlertLevel,
    AlertState,
    Calibration,
    DriftReport,
    Estimate,
    FeatureDrift,
    Performance,
)
from mlwright.model.registry import Evaluation, Field, Signature
from mlwright.model.rollouts import Guardrail, Rollout, RolloutState, RolloutVerdict, Verdict
from mlwright.model.tracking import DatasetVersion, Environment, Metric, RunStatus
from mlwright.model.windows import Window, month_start
from mlwright.platform.facade import Platform
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.registry import store as registry
from mlwright.stages.rollouts import store as rollouts
from mlwright.stages.serving import store as serving
from mlwright.stages.tracking import store as tracking
from mlwright.wiring.project import close, open_platform

DAY = timedelta(days=1)
START = datetime(2013, 4, 1, tzinfo=UTC)
DAYS = 275
SCRIPT = "<script>alert('tag')</script>"
DELAY = EndpointName("delay")
MODEL = ModelName("flight-delay")

SETTINGS = """
[project]
name = "flights"

[[dataset]]
name = "weather"
source = "weather.csv"
contract = "weather.odcs.yaml"

[[feature_view]]
name = "weather_at_origin"
dataset = "weather"
entity = ["origin"]
timestamp = "observed_at"
ttl = "6h"
features = ["temp", "wind_speed"]

[[endpoint]]
name = "delay"
model = "flight-delay@champion"
entity = "flight_id"
timestamp = "predict_at"
features = ["weather_at_origin"]
label = { column = "late", horizon = "12h" }
rollout = { steps = ["shadow 3d", "10% 2d", "50% 2d"] }
monitor = { metric = "auc", window = "14d", tolerance = 0.02 }
retrain = { pipeline = "train_delay", cooldown = "21d", gate_window = "21d" }
"""

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: weather
name: Hourly weather
version: 1.0.0
status: active
schema:
  - name: weather
    physicalType: table
    customProperties:
      - {property: timestamp, value: observed_at}
    properties:
      - {name: origin, logicalType: string, required: true}
      - {name: observed_at, logicalType: timestamp, required: true}
      - {name: temp, logicalType: number}
      - name: wind_speed
        logicalType: number
        quality:
          - {id: wind_is_measured, metric: nullValues, mustBe: 0, severity: warning}
"""

WEATHER = """origin,observed_at,temp,wind_speed
EWR,2013-04-01T00:00:00Z,39.0,10.4
EWR,2013-04-01T01:00:00Z,39.2,
JFK,2013-04-01T00:00:00Z,38.1,12.7
"""


def write_files(folder: Path, settings: str = SETTINGS) -> None:
    """The project without a past."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mlwright.toml").write_text(settings)
    (folder / "weather.odcs.yaml").write_text(CONTRACT)
    (folder / "weather.csv").write_text(WEATHER)
    (folder / "pipeline.py").write_text(
        '"""One pipeline."""\nfrom mlwright import log, pipeline\n\n'
        '@pipeline\ndef train_delay(rows: int = 3) -> None:\n    """Count rows."""\n    log(metrics={"rows": rows})\n'
    )


def seed(folder: Path) -> Path:
    """Write the project and its past."""
    write_files(folder)
    platform = open_platform(folder)
    try:
        _runs_and_versions(platform)
        _quality(platform)
        _drift(platform)
        _alerts(platform)
        _rollouts(platform)
        _decisions(platform)
    finally:
        close(platform)
    _year(folder)
    return folder


def _runs_and_versions(platform: Platform) -> None:
    fields = (Field(name="distance", type="double"), Field(name="carrier", type="string", required=False))
    signature = Signature(inputs=fields, outputs=(Field(name="score", type="double"),))
    with platform.parts.write() as tx:
        for number in range(1, 8):
            at = START + (number - 1) * 32 * DAY
            run = tracking.create_run(tx, experiment="flights", name="train_delay", at=at, actor="ada").id
            tracking.log_params(tx, run, {"start": "2013-01-01", "end": f"{at:%Y-%m-%d}", "note": SCRIPT})
            values = {"holdout_auc": 0.69 + number / 400, "holdout_brier": 0.16, "holdout_rows": 19_000.0}
            metrics = [
                Metric(key=key, value=value, step=0, at_ms=to_micros(at) // 1000)
                for key, value in values.items()
            ]
            tracking.log_metrics(tx, run, metrics)
            digest = Digest("blake3:" + f"{number}" * 64)
            tracking.set_tags(
                tx, run, {"model": f"flight-delay/{number}", "gate.1": "passed: beats the baseline"}
            )
            used = DatasetVersion(name="weather", digest=digest, rows=26_115, contract="weather@1.0.0")
            tracking.add_datasets(tx, run, [used])
            tracking.set_environment(tx, run, _environment(digest))
            tracking.end_run(tx, run, RunStatus.FINISHED, at + timedelta(seconds=9))
            evaluation = Evaluation(
                metrics={"auc": values["holdout_auc"], "brier": 0.16}, rows=19_000, start=at, end=at
            )
            version = registry.create_version(
                tx,
                MODEL,
                digest,
                run=run,
                at=at,
                signature=signature,
                flavor="sklearn",
                trained_from=START - 90 * DAY,
                trained_to=at,
                evaluation=evaluation,
                tags={"note": SCRIPT} if number == 7 else {},
            )
            _lineage(tx, run, version.ref)
        failed = tracking.create_run(
            tx, experiment="flights", name="train_delay", at=START + 260 * DAY, actor="ada"
        ).id
        tracking.end_run(tx, failed, RunStatus.FAILED, START + 260 * DAY, f"the gate did not pass {SCRIPT}")
        registry.set_alias(tx, MODEL, "champion", 5)
        registry.set_alias(tx, MODEL, "challenger", 7)


def _lineage(tx, run: RunId, ref: str) -> None:
    model, made, data = (
        Node(kind="model", id=ref),
        Node(kind="run", id=run),
        Node(kind="dataset", id=f"weather@{SCRIPT}"),
    )
    edges = [
        Edge(effect=model, relation="made by", cause=made),
        Edge(effect=made, relation="read", cause=data),
    ]
    edges.append(Edge(effect=Node(kind="endpoint", id="delay"), relation="serves", cause=model))
    ledger.add_edges(tx, edges)


def _environment(digest: Digest) -> Environment:
    return Environment(
        python="3.11.9",
        system="Linux x86_64",
        packages={"numpy": "2.4.0", "polars": "2.1.0"},
        lock_digest=digest,
        git_commit="1f3a9c" + "0" * 34,
        git_branch="main",
        git_dirty=True,
        code_digest=digest,
        seed=13,
    )


def performances() -> list[Performance]:
    random = np.random.default_rng(4)
    days = []
    for number in range(DAYS):
        start = START + number * DAY
        truth = 0.70 + 0.03 * sin(number / 30) - (0.05 if 85 < number < 110 else 0.0)
        auc, half = truth + random.normal(0, 0.035), 0.05 + random.exponential(0.02)
        rate = 0.24 + 0.1 * cos(number / 40) + random.normal(0, 0.05)
        asked = int(random.integers(820, 1000))
        days.append(
            Performance(
                endpoint=DELAY,
                window=Window(start=start, end=start + DAY),
                predictions=asked,
                labelled=int(asked * 0.97),
                matured=True,
                positive_rate=rate,
                mean_score=0.22 + 0.07 * cos(number / 40),
                metrics={
                    "auc": Estimate(value=auc, lower=max(0.4, auc - half), upper=min(1.0, auc + half)),
                    "brier": Estimate(value=0.16, lower=0.14, upper=0.18),
                },
                calibration=Calibration(bins=(), error=0.03),
                versions=("flight-delay/1",),
            )
        )
    return days


def _quality(platform: Platform) -> None:
    days = performances()
    with platform.parts.write() as tx:
        for each in days:
            monitoring.save_performance(tx, each, "day")
        for start in sorted({month_start(each.window.start) for each in days}):
            inside = [each for each in days if month_start(each.window.start) == start]
            value = sum(each.auc.value for each in inside) / len(inside)
            month = replace(
                inside[0],
                window=Window(start=start, end=month_start(start + 32 * DAY)),
                predictions=sum(each.predictions for each in inside),
                labelled=sum(each.labelled for each in inside),
                metrics={
                    **inside[0].metrics,
                    "auc": Estimate(value=value, lower=value - 0.012, upper=value + 0.012),
                },
            )
            monitoring.save_performance(tx, month, "month")
        ledger.set_mark(tx, "watched:delay", days[-1].window.end.isoformat())
        ledger.set_mark(tx, "first-day:delay", START.isoformat())
        ledger.set_mark(tx, "schedule-seen:delay", datetime(2013, 12, 1, tzinfo=UTC).isoformat())
        ledger.set_mark(tx, "retrained:delay", (START + 262 * DAY).isoformat())


def _drift(platform: Platform) -> None:
    random = np.random.default_rng(9)
    columns = (
        "temp",
        "dewp",
        "humid",
        "wind_speed",
        "pressure",
        "visib",
        "carrier",
        "dest",
        "minute_of_day",
        "distance",
    )
    with platform.parts.write() as tx:
        for number in range(DAYS):
            moved = tuple(
                FeatureDrift(
                    column=column,
                    n=900,
                    psi=float(
                        abs(3 * sin(2 * pi * (number + 40) / 365)) / (1 + at) ** 1.5
                        + random.exponential(0.05)
                    ),
                    js=0.1,
                    null_rate=0.0,
                    reference_null_rate=0.0,
                    unseen_rate=0.0,
                )
                for at, column in enumerate(columns)
            )
            window = Window(start=START + number * DAY, end=START + (number + 1) * DAY)
            reference = Window(start=START - 21 * DAY, end=START)
            monitoring.save_drift(
                tx, DriftReport(endpoint=DELAY, window=window, reference=reference, features=moved)
            )


def _alert(number: int, rule: str, level: AlertLevel) -> Alert:
    at = START + number * DAY + timedelta(hours=12)
    return Alert(
        id=AlertId(f"delay-{rule}-{at:%Y-%m-%d}"),
        rule=rule,
        endpoint=DELAY,
        level=level,
        state=AlertState.FIRING,
        fired=at,
        summary=f"AUC of delay in the fortnight to {at:%Y-%m-%d}: 0.641 (90% interval 0.610 to 0.672, 12,758 labelled "
        "of 13,200 predictions); the whole interval is worse than the limit. Limit 0.689 = 0.709 (flight-delay/1 at "
        "its release) - 0.020 tolerance.",
        evidence={
            "value": 0.641,
            "limit": 0.689,
            "labelled": 12_758,
            "context": {"drift": [{"column": "temp", "psi": 2.1}]},
        },
        next_command="mlwright retrain delay",
    )


def _alerts(platform: Platform) -> None:
    with platform.parts.write() as tx:
        for number, rule, level in (
            (27, "auc", AlertLevel.PAGE),
            (52, "labels", AlertLevel.TICKET),
            (99, "auc", AlertLevel.PAGE),
        ):
            alert = monitoring.save_alert(tx, _alert(number, rule, level)).alert
            monitoring.resolve(tx, alert.id, alert.fired + 9 * DAY)
        taken = monitoring.save_alert(tx, _alert(270, "labels", AlertLevel.TICKET)).alert
        monitoring.acknowledge(tx, taken.id, "ada", taken.fired + DAY)
        monitoring.save_alert(tx, _alert(272, "auc", AlertLevel.PAGE))


def _rollout(platform: Platform, champion: int, challenger: int, number: int, state: RolloutState) -> Rollout:
    plan = platform.parts.endpoint("delay").rollout
    assert plan is not None
    started = START + number * DAY
    promote = state is RolloutState.PROMOTED
    guardrail = Guardrail(
        name="loss",
        n=12_043,
        estimate=-0.0021 if promote else 0.0041,
        lower=-0.0052,
        upper=0.0011 if promote else 0.0094,
        e_value=0.13,
        limit=0.005,
        verdict=Verdict.PROMOTE if promote else Verdict.HOLD,
        assumption="rows are paired",
    )
    errors = replace(
        guardrail, name="errors", estimate=0.0, lower=0.0, upper=0.0004, limit=0.001, verdict=Verdict.PROMOTE
    )
    latency = replace(
        guardrail, name="latency", estimate=0.02, lower=-0.1, upper=0.15, limit=0.2, verdict=Verdict.PROMOTE
    )
    verdict = RolloutVerdict(
        at=started + 5 * DAY,
        verdict=Verdict.PROMOTE if promote else Verdict.HOLD,
        reason="every guardrail is within its limit"
        if promote
        else "the loss is not yet known well enough: 0.0094 > 0.005",
        guardrails=(guardrail, errors, latency),
    )
    return Rollout(
        id=RolloutId(f"delay-{challenger}-{number}"),
        endpoint=DELAY,
        model=MODEL,
        champion=champion,
        challenger=challenger,
        plan=plan,
        state=state,
        step=2 if state.ended else 1,
        started=started,
        step_started=started + 3 * DAY,
        ended=started + 8 * DAY if state.ended else None,
        last=verdict,
    )


def _rollouts(platform: Platform) -> None:
    past = (
        (1, 2, 40, RolloutState.PROMOTED),
        (2, 4, 101, RolloutState.PROMOTED),
        (4, 5, 165, RolloutState.PROMOTED),
    )
    with platform.parts.write() as tx:
        for champion, challenger, number, state in past:
            rollouts.save(tx, _rollout(platform, champion, challenger, number, state))
        rollouts.save(tx, _rollout(platform, 5, 6, 200, RolloutState.ROLLED_BACK))
        rollouts.save(tx, _rollout(platform, 5, 7, 268, RolloutState.RUNNING))
        variants = (
            Variant(name="champion", model=MODEL, version=5, share=0.9),
            Variant(name="challenger", model=MODEL, version=7, share=0.1, shadow=True),
        )
        serving.set_route(tx, DELAY, variants, at=START + 271 * DAY)
        platform.parts.audit(tx, "deploy", "endpoint:delay", version="flight-delay/5")


def _decisions(platform: Platform) -> None:
    told = (
        (
            30,
            "retrain",
            "keep the champion",
            "'all' does not beat the champion: auc difference +0.0060 ± 0.0051",
        ),
        (39, "retrain", "roll out flight-delay/2 (all)", "the monthly schedule of 2013-05"),
        (
            48,
            "rollout",
            "promoted: flight-delay/2 against flight-delay/1",
            "every guardrail is within its limit",
        ),
        (100, "retrain", "roll out flight-delay/4 (91d)", "alert delay-auc-2013-07-09: AUC fell"),
        (
            109,
            "rollout",
            "promoted: flight-delay/4 against flight-delay/2",
            "every guardrail is within its limit",
        ),
        (164, "retrain", "roll out flight-delay/5 (all)", "the monthly schedule of 2013-09"),
        (
            173,
            "rollout",
            "promoted: flight-delay/5 against flight-delay/4",
            "every guardrail is within its limit",
        ),
        (199, "retrain", "roll out flight-delay/6 (91d)", f"the monthly schedule of 2013-10 {SCRIPT}"),
        (208, "rollout", "rolled_back: flight-delay/6 against flight-delay/5", "the loss rose beyond doubt"),
        (262, "retrain", "roll out flight-delay/7 (all)", "the monthly schedule of 2013-12"),
    )
    with platform.parts.write() as tx:
        for number, kind, outcome, reason in told:
            at = START + number * DAY + timedelta(hours=12)
            platform.parts.decide(tx, kind, "delay", outcome, (reason, "on 19,045 rows of 22 days"), {}, at)


def _year(folder: Path) -> None:
    names = ("never retrained", "always the last three months", "always all history", "managed by mlwright")
    random = np.random.default_rng(2)
    months = []
    for number in range(9):
        auc = {
            name: 0.66 + 0.008 * at + 0.02 * sin(number) + random.normal(0, 0.004)
            for at, name in enumerate(names)
        }
        did = (
            [f"27 Apr alert: AUC fell {SCRIPT}", "27 Apr retrain: keep the champion"]
            if number % 3 == 0
            else []
        )
        brier = {name: 0.16 + random.normal(0, 0.003) for name in names}
        months.append(
            {"month": f"2013-{number + 4:02d}", "labelled": 27_500, "auc": auc, "brier": brier, "did": did}
        )
    means = {name: float(np.mean([month["auc"][name] for month in months])) for name in names}
    year = {
        "months": months,
        "mean_auc": means,
        "mean_brier": dict.fromkeys(names, 0.161),
        "model_changes": dict(zip(names, (0, 8, 8, 3), strict=True)),
        "promises": [
            {"text": "mean AUC above 'never retrained'", "kept": True, "measured": "0.6848 against 0.6612"},
            {
                "text": "fewer model changes than 'always all history'",
                "kept": False,
                "measured": "8 against 8",
            },
        ],
        "seconds": 161.0,
    }
    reports = folder / ".mlwright" / "reports"
    reports.mkdir(parents=True)
    (reports / "year.json").write_text(json.dumps(year))


if __name__ == "__main__":
    seed(Path(sys.argv[1]))
