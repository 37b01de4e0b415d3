"""Quality, decisions and alerts in words for people who decide about money and not about models."""

from collections.abc import Mapping
from typing import Final

from mlwright.doors.web.words import number, version_of
from mlwright.model.ledger import Decision
from mlwright.model.monitoring import Alert, Estimate, Performance
from mlwright.model.settings import EndpointSettings

OUTCOMES: Final[Mapping[str, str]] = {
    "true_positive": "announced, and it was so",
    "false_positive": "announced, and it was not so",
    "false_negative": "not announced, and it was so",
    "true_negative": "not announced, and it was not so",
    "right": "right",
    "wrong": "wrong",
    "error": "off, for each unit",
}
"""Names of ``value`` in mlwright.toml."""

_RETRAINS: Final = (
    ("keep the champion", "A new model was trained. It was not better, so the present one stays."),
    ("failed", "Training a new model failed. The present one stays."),
    ("wait for approval", "A new model waits for somebody's approval."),
    ("roll out", "A new model{version} was trained and is tried out on part of the cases."),
)
_REASONS: Final = (
    ("schedule", "On schedule."),
    ("alert", "Because results had got worse."),
    ("drift", "Because the cases had changed."),
    ("labelled rows", "Because there was enough new experience to learn from."),
)
_TRIALS: Final = (
    ("promoted", "Model{version} passed its trial and took over."),
    ("rolled back", "Model{version} was withdrawn from its trial: it did worse."),
    ("inconclusive", "The trial of model{version} ended without a clear result. The present one stays."),
    ("invalid", "The trial of model{version} could not be judged. The present one stays."),
    ("aborted", "The trial of model{version} was stopped by somebody."),
)
_ALERTS: Final = (
    ("slo.latency", "Answers came too late for too many callers."),
    ("slo.availability", "Too many requests got no answer."),
    ("slo.throughput", "More was asked than could be answered."),
    ("slo.freshness", "The data behind the answers were too old."),
    ("slo", "A promise to the callers was in danger."),
    ("labels", "The truth about past answers came late or not at all, so quality could not be seen."),
    ("features", "Data behind the answers were missing."),
    ("freshness", "The data behind the answers were too old."),
    ("integrity", "Data behind the answers were broken."),
    ("contract", "Data behind the answers were broken."),
    ("skew", "Data behind the answers differed from what they should have been."),
    ("volume", "Unusually many or few answers were asked for."),
    ("records", "Some answers were given but not written down."),
    ("drift", "The cases changed."),
    ("estimate", "Quality may have changed; the truth is not known yet."),
)


def quality_words(settings: EndpointSettings, found: Performance) -> tuple[str, ...]:
    """How good the answers of a window were, each fact a sentence; what was not measured is left out."""
    name = f"“{settings.label.column}”" if settings.label else "so"
    metrics = found.metrics
    if found.task == "binary":
        return _binary(name, found)
    if found.task == "classes":
        said = [f"Of 100 answers {_of_100(metrics['accuracy'])} were right."] if "accuracy" in metrics else []
        return tuple(said)
    if found.task == "regression":
        return _numbers(metrics)
    return tuple(
        sentence
        for key, sentence in (
            ("hit", "Of 100 lists {} had something right on them."),
            ("precision", "Of 100 things that were shown first {} were right."),
            ("recall", "Of 100 right things {} were shown first."),
        )
        for name in metrics
        if name.partition("@")[0] == key
        for sentence in [sentence.format(_of_100(metrics[name]))]
    )


def _binary(name: str, found: Performance) -> tuple[str, ...]:
    metrics = found.metrics
    said: list[str] = []
    if "recall" in metrics:
        said.append(f"Of 100 cases that were {name} in truth, {_of_100(metrics['recall'])} were announced.")
    if "precision" in metrics:
        said.append(f"Of 100 cases announced as {name}, {_of_100(metrics['precision'])} were.")
    if "auc" in metrics:
        said.append(
            f"Of two cases of which one was {name} in truth and the other not, it could tell which "
            f"{_of_100(metrics['auc'])} times of 100; by tossing a coin it would be 50."
        )
    if found.mean_score is not None and found.positive_rate is not None:
        said.append(
            f"It expected {name} in {found.mean_score * 100:.0f} of 100 cases; it was so in "
            f"{found.positive_rate * 100:.0f}."
        )
    return tuple(said)


def _numbers(metrics: Mapping[str, Estimate]) -> tuple[str, ...]:
    said: list[str] = []
    if "mae" in metrics:
        found = metrics["mae"]
        said.append(f"Answers were off by {number(found.value)} on average{_between(found)}.")
    if "median_error" in metrics:
        said.append(f"Half of them were off by less than {number(metrics['median_error'].value)}.")
    if "bias" in metrics:
        bias = metrics["bias"]
        if bias.lower <= 0.0 <= bias.upper:
            said.append("They were as often too high as too low, as far as can be told.")
        else:
            said.append(
                f"On average they were too {'high' if bias.value > 0 else 'low'} by {number(abs(bias.value))}."
            )
    return tuple(said)


_DUE: Final = {
    "performance": "results had got worse",
    "drift": "the cases had changed",
    "data": "there was enough new data",
    "schedule": "by schedule",
}


def decision_words(decision: Decision) -> str:
    """What was decided, in a sentence; what has no words of its own stands as it is."""
    outcome = decision.outcome.replace("_", " ")
    if decision.kind == "diagnosis":
        return f"Somebody asked why results got worse. The answer: {outcome}."
    if decision.kind == "trigger":
        return f"A new model was due ({_DUE.get(outcome.partition(' ')[0], outcome)}); it was put off."
    version = version_of(outcome)
    known = {"retrain": _RETRAINS, "rollout": _TRIALS}.get(decision.kind, ())
    for start, sentence in known:
        if outcome.startswith(start):
            return sentence.format(version=f" {version}" if version else "")
    return f"{decision.kind}: {outcome}"


def reason_words(decision: Decision) -> str:
    """Why a model was trained, where that can be said without numbers of statistics; else nothing."""
    if decision.kind != "retrain" or not decision.reasons:
        return ""
    reason = decision.reasons[0]
    return next((said for word, said in _REASONS if word in reason), "")


def alert_words(alert: Alert) -> str:
    """What an alert meant to those outside."""
    meant = next((said for start, said in _ALERTS if alert.rule.startswith(start)), None)
    return meant or "Results got worse beyond doubt."


def trend_words(now: Performance, before: Performance | None, metric: str, *, up: bool) -> str:
    """How a month compares with the one before it: better, worse, or no difference that chance would not explain."""
    mine, other = now.metrics.get(metric), before.metrics.get(metric) if before else None
    if mine is None or other is None:
        return ""
    higher, lower = mine.lower > other.upper, mine.upper < other.lower
    if not higher and not lower:
        return "No clear difference from the month before."
    return "Clearly better than the month before." if higher is up else "Clearly worse than the month before."


def _of_100(found: Estimate) -> str:
    low, high = (min(max(each * 100, 0), 100) for each in (found.lower, found.upper))
    return f"{found.value * 100:.0f} ({low:.0f} to {high:.0f})"


def _between(found: Estimate) -> str:
    return f" ({number(found.lower)} to {number(found.upper)})"
