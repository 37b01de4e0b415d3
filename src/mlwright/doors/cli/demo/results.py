"""The demo's result: what each strategy scored each month, what mlwright decided, and whether it kept its word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from mlwright.doors.cli.demo.strategies import ALL, LAST, NEVER
from mlwright.model.ledger import Decision
from mlwright.model.monitoring import Alert, AlertLevel, Performance

MANAGED = "managed by mlwright"
STRATEGIES = (NEVER, LAST, ALL, MANAGED)
_MONTH_DAYS = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One month of all strategies. ``auc`` and ``brier`` are by strategy; ``did`` says what was decided and why."""

    month: str
    labelled: int
    auc: dict[str, float]
    brier: dict[str, float]
    did: tuple[str, ...]
    expected_auc: float | None = None
    """What was estimated of the managed model before labels came (CBPE): shown beside what came true, used nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One thing that the managed model should have shown, and whether it did."""

    text: str
    kept: bool
    measured: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """The whole result."""

    months: tuple[Month, ...]
    mean_auc: dict[str, float]
    mean_brier: dict[str, float]
    model_changes: dict[str, int]
    promises: tuple[Promise, ...]
    seconds: float = 0.0


def assemble(
    strategies: Mapping[str, Mapping[str, Mapping[str, float]]],
    managed: Sequence[Performance],
    decisions: Sequence[Decision],
    alerts: Sequence[Alert],
    seconds: float,
) -> Year:
    """Put the months of all strategies side by side; months that were not replayed to their end are left out."""
    realised = {f"{each.window.start:%Y-%m}": each for each in managed}
    months = tuple(
        _month(name, scores, realised[name], decisions, alerts)
        for name, scores in sorted(strategies.items())
        if name in realised and realised[name].auc is not None
    )
    mean_auc = {name: fmean(month.auc[name] for month in months) for name in STRATEGIES} if months else {}
    mean_brier = {name: fmean(month.brier[name] for month in months) for name in STRATEGIES} if months else {}
    promoted = sum(1 for each in decisions if each.kind == "rollout" and each.outcome.startswith("promoted"))
    changes = {NEVER: 0, LAST: max(0, len(months) - 1), ALL: max(0, len(months) - 1), MANAGED: promoted}
    return Year(
        months=months,
        mean_auc=mean_auc,
        mean_brier=mean_brier,
        model_changes=changes,
        promises=(*_promises(months, mean_auc, changes), *_quiet(alerts)) if months else (),
        seconds=seconds,
    )


def _month(
    name: str,
    scores: Mapping[str, Mapping[str, float]],
    managed: Performance,
    decisions: Sequence[Decision],
    alerts: Sequence[Alert],
) -> Month:
    assert managed.auc is not None
    assert managed.brier is not None
    did = [(each.fired, f"alert: {each.summary}") for each in alerts if f"{each.fired:%Y-%m}" == name]
    did += [
        (each.at, f"{each.kind}: {each.outcome} — {'; '.join(each.reasons)}")
        for each in decisions
        if f"{each.at:%Y-%m}" == name
    ]
    return Month(
        month=name,
        labelled=managed.labelled,
        auc={key: value["auc"] for key, value in scores.items()} | {MANAGED: managed.auc.value},
        brier={key: value["brier"] for key, value in scores.items()} | {MANAGED: managed.brier.value},
        did=tuple(f"{at:%d %b} {text}" for at, text in sorted(did)),
        expected_auc=managed.expected["auc"].value if "auc" in managed.expected else None,
    )


def _quiet(alerts: Sequence[Alert]) -> tuple[Promise, ...]:
    """Nobody is woken by the weather, and a proven decay rests on no more than a month of labels."""
    pages = [each for each in alerts if each.level is AlertLevel.PAGE]
    other = [each for each in pages if each.rule != "auc"]
    longest = max((_days(each) for each in pages if each.rule == "auc"), default=0.0)
    return (
        Promise(
            text="nobody is paged for drift, only for quality that is proven worse",
            kept=not other,
            measured=f"{len(pages)} pages, {len(other)} of them for anything else"
            + (f" ({', '.join(sorted({each.rule for each in other}))})" if other else ""),
        ),
        Promise(
            text="a decay is found within one month's labels",
            kept=longest <= _MONTH_DAYS,
            measured=f"{len(pages) - len(other)} found, on at most {longest:.0f} days of labels",
        ),
    )


def _days(alert: Alert) -> float:
    window = alert.evidence.get("window")
    if not isinstance(window, list) or len(window) != 2:
        return float("inf")
    start, end = (datetime.fromisoformat(str(each)) for each in window)
    return (end - start).total_seconds() / 86_400


def _promises(
    months: Sequence[Month], mean: Mapping[str, float], changes: Mapping[str, int]
) -> tuple[Promise, ...]:
    worst = min(months, key=lambda month: month.auc[MANAGED] - month.auc[NEVER])
    fell = worst.auc[MANAGED] - worst.auc[NEVER]
    return (
        Promise(
            text=f"mean AUC above {NEVER!r}",
            kept=mean[MANAGED] > mean[NEVER],
            measured=f"{mean[MANAGED]:.4f} against {mean[NEVER]:.4f}",
        ),
        Promise(
            text=f"mean AUC above {LAST!r}",
            kept=mean[MANAGED] > mean[LAST],
            measured=f"{mean[MANAGED]:.4f} against {mean[LAST]:.4f}",
        ),
        Promise(
            text=f"mean AUC within 0.005 of {ALL!r}",
            kept=mean[MANAGED] >= mean[ALL] - 0.005,
            measured=f"{mean[MANAGED]:.4f} against {mean[ALL]:.4f} ({mean[MANAGED] - mean[ALL]:+.4f})",
        ),
        Promise(
            text=f"fewer model changes than {ALL!r}",
            kept=changes[MANAGED] < changes[ALL],
            measured=f"{changes[MANAGED]} against {changes[ALL]}",
        ),
        Promise(
            text=f"never more than 0.01 AUC under {NEVER!r} in a month",
            kept=fell >= -0.01,
            measured=f"worst month {worst.month}: {fell:+.4f}",
        ),
    )
