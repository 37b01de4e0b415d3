"""The question why quality falls: the chain of tests, in order, with what was looked at and what could not be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlwright.engineer.asking import running
from mlwright.engineer.asking.seen import Seen
from mlwright.errors import MlwrightError
from mlwright.model.answers import Answer, NextCommand, Reading, Statement
from mlwright.model.diagnosis import Cause, Diagnosis
from mlwright.model.settings import EndpointSettings

if TYPE_CHECKING:
    from mlwright.platform.facade import Platform

ABOUT: Final = (
    "monitoring.predictions_logged",
    "monitoring.labels_joined",
    "monitoring.prediction_quality",
    "monitoring.drift",
    "monitoring.data_quality",
    "data.feature_code_shared",
    "data.no_copied_features",
    "data.validated_when_served",
    "data.contract",
    "data.versioned",
    "release.versioned_images",
    "serving.version_told",
    "model.slices_evaluated",
    "model.staleness_studied",
    "data.feedback_loop_guarded",
    "running.quality_evaluated",
    "running.labels_arrive",
)

NO_CAUSE: Final = (
    "the cause: without a running project nobody can replay logged inputs, repair them and split the drop; two tables "
    "are enough for it: mlwright diagnose --reference ref.parquet --current cur.parquet --target y --score p"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of the chain; ``needs`` are findings without which it cannot be tested, ``how`` what to do by hand."""

    title: str
    asks: str
    how: str
    needs: tuple[str, ...]


CHAIN: Final = (
    Link(
        title="Is it real?",
        asks="matured labels only, one definition of the metric, an interval around the drop",
        how="leave out predictions whose label has not had time to arrive, and compare intervals, not points",
        needs=("monitoring.predictions_logged", "monitoring.labels_joined", "monitoring.prediction_quality"),
    ),
    Link(
        title="What changed at that time?",
        asks="releases, images, feature code, upstream schemas, traffic",
        how="put the first bad day next to the history of releases and of sources",
        needs=("release.versioned_images", "data.versioned"),
    ),
    Link(
        title="Is it the model that was trained?",
        asks=("the recorded model on logged inputs gives the logged predictions"),
        how="load the recorded version, predict logged inputs, compare",
        needs=("monitoring.predictions_logged", "model.registered"),
    ),
    Link(
        title="Do training and serving see the same features?",
        asks="served values against recomputed ones, by key",
        how=(
            "recompute the features of logged requests as of their instant and count what "
            "differs, feature by feature"
        ),
        needs=("monitoring.predictions_logged", "data.feature_code_shared"),
    ),
    Link(
        title="Is the data broken?",
        asks="missing values, units, new categories, constants, stale sources",
        how="check today's rows against the contract, and each feature's share of missing values and of zeros",
        needs=("data.contract", "data.validated_when_served"),
    ),
    Link(
        title="Other cases, or other answers?",
        asks=("a harder mix of cases, or wrong where it was right (mix or rate)"),
        how="compare the loss within bins of the model's own score, before and now",
        needs=("monitoring.predictions_logged", "monitoring.labels_joined"),
    ),
    Link(
        title="Did the base rate move?",
        asks="the share of positives, with the same scores within each class",
        how=("compare the share of positives; correct the prior and measure again"),
        needs=("monitoring.labels_joined",),
    ),
    Link(
        title="Would retraining help?",
        asks=("a model refitted on recent labels, measured on rows that it has not seen"),
        how="refit on the recent rows with cross-fitting, and compare",
        needs=("monitoring.labels_joined", "pipeline.defined"),
    ),
    Link(
        title="Where is it worst?",
        asks="slices that carry most of the drop",
        how="the loss by slice, before and now",
        needs=("model.slices_evaluated",),
    ),
    Link(
        title="Does the model feed itself?",
        asks="labels that exist only for what it chose",
        how=("keep a small random share that the model does not choose, and compare"),
        needs=("data.feedback_loop_guarded",),
    ),
)

_SHOWN: Final = frozenset(
    (
        "monitoring.predictions_logged",
        "monitoring.labels_joined",
        "monitoring.prediction_quality",
        "model.registered",
        "pipeline.defined",
        "running.quality_evaluated",
        "running.labels_arrive",
    )
)

_REAL: Final = frozenset(Cause) - {Cause.NO_EVIDENCE}

SOURCE: Final = (
    (
        "The order excludes defects of the pipeline before it blames the world: no statistic "
        "on inputs and labels alone tells a silently re-coded feature from a real change of "
        "concept."
    ),
    (
        "Cai, Namkoong, Yadlowsky, Diagnosing Model Performance Under Distribution Shift, "
        "2023; prototype of this project"
    ),
)

QUESTIONS: Final = (
    "Since when, and did it fall at once or bit by bit? At once points to a release or a source.",
    "How is the accuracy measured, on which predictions, and how long do labels take?",
    "What was released or changed upstream in the week before?",
    "Do all groups get worse, or one?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the chain of tests said of one endpoint, or why it could not be asked."""

    endpoint: str
    found: Diagnosis | None
    why: str = ""


def judge(platform: "Platform", meant: Sequence[EndpointSettings]) -> tuple[Judged, ...]:
    """Ask the chain of each endpoint that is meant; seconds for each. Nothing is written down."""
    made = []
    for endpoint in meant:
        try:
            kept = platform.diagnosing.diagnose(endpoint.name, keep=False)
            made.append(Judged(endpoint=endpoint.name, found=kept.diagnosis))
        except MlwrightError as refusal:
            made.append(Judged(endpoint=endpoint.name, found=None, why=refusal.what))
    return tuple(made)


def answer_decay(seen: Seen, reading: Reading, judged: Sequence[Judged] | None = None) -> Answer:
    """The answer, with the records of a running project and the verdict of the chain where there is one."""
    platform = seen.platform
    meant = running.endpoints_meant(seen, platform) if platform is not None else ()
    if judged is None:
        judged = judge(platform, meant) if platform is not None else ()
    found = next((each for each in judged if each.found is not None and each.found.verdict in _REAL), None)
    found = found or next((each for each in judged if each.found is not None), None)
    records, said = _records(seen, meant)
    verdicts = [_verdict(each) for each in judged]
    gaps = seen.gaps((each for each in seen.about(*ABOUT) if each.id not in records.shown), most=6)
    said = [*verdicts, *said]
    said += [_link(number, link, seen, records, found) for number, link in enumerate(CHAIN, 1)]
    said += [*gaps, Statement(text=SOURCE[0], source=SOURCE[1])]
    unknown = seen.unknown(seen.about(*ABOUT[:6]))
    return Answer(
        question=seen.question,
        subject=seen.assessment.subject,
        reading=reading,
        summary=_summary(seen, found, len(meant), len(gaps)),
        statements=tuple(said),
        commands=_commands(meant[0].name if meant else "", found),
        questions=QUESTIONS if not meant else QUESTIONS[2:],
        not_seen=(*(() if found else (NO_CAUSE,)), *_unseen(bool(meant)), *unknown),
    )


def _verdict(judged: Judged) -> Statement:
    cited = (f"performance:{judged.endpoint}",)
    if judged.found is None:
        return Statement(
            text=f"{judged.endpoint}: the chain of tests could not be asked: {judged.why}.", because=cited
        )
    found = judged.found
    return Statement(
        text=f"{judged.endpoint}: {found.verdict} ({found.sureness}). {found.summary}", because=cited
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Records:
    """What a running project's records answer: ``looked`` by the title of a link, ``shown`` the findings replaced."""

    looked: Mapping[str, str]
    shown: frozenset[str]


def _records(seen: Seen, meant: Sequence[EndpointSettings]) -> tuple[_Records, list[Statement]]:
    platform = seen.platform
    if platform is None or not meant:
        return _Records(looked={}, shown=frozenset()), []
    said: list[Statement] = []
    context: list[Statement] = []
    evaluated = False
    for endpoint in meant:
        said += [*running.quality(platform, endpoint), *running.changes(platform, endpoint)]
        context += running.moved(platform, endpoint)
        evaluated = evaluated or bool(platform.watch.performance(endpoint.name, "day"))
    context += running.checks(seen)
    looked = {
        CHAIN[1].title: "looked at as far as mlwright did it, above; what changed elsewhere is not known here"
    }
    if evaluated:
        looked[CHAIN[0].title] = "looked at, above"
    if context:
        looked[CHAIN[4].title] = (
            "looked at in part, above: movement of features and contract checks, no units or codes"
        )
    # Records of evaluated days outweigh what no file of the repository shows.
    return _Records(looked=looked, shown=_SHOWN if evaluated else frozenset()), [*said, *context]


def _link(number: int, link: Link, seen: Seen, records: _Records, judged: Judged | None) -> Statement:
    head = f"{number}. {link.title} ({link.asks})"
    if judged is not None and judged.found is not None:
        tests = [each for each in judged.found.tests if each.id == f"S{number - 1}"]
        told = "; ".join(f"{each.outcome}: {each.text}" for each in tests) or "not asked"
        return Statement(text=f"{head}: {told}.", because=(f"performance:{judged.endpoint}",))
    known = [id for id in link.needs if seen.finding(id) is not None]
    missing = [id for id in known if not seen.holds(id) and id not in records.shown]
    if link.title in records.looked:
        state = records.looked[link.title]
        missing = []
    elif missing:
        state = f"not looked at; it needs what is not shown here ({', '.join(missing)}). Then: {link.how}"
    else:
        state = f"not looked at: no running project was asked. By hand: {link.how}"
    return Statement(text=f"{head}: {state}.", because=tuple(missing))


def _summary(seen: Seen, judged: Judged | None, endpoints: int, gaps: int) -> str:
    if judged is not None and judged.found is not None:
        found = judged.found
        return f"{judged.endpoint}: {found.verdict} ({found.sureness}). {found.summary}"
    if endpoints:
        return (
            "What the project's records show, then the chain of questions in the order in which a cause is looked for. "
            "The chain could not be asked yet; why stands below."
        )
    if seen.platform is not None:
        return (
            "This project has no endpoint, so there are no predictions to look at; the chain of "
            "questions follows."
        )
    return (
        "No running project was seen, so nothing can be said about your model's quality itself. Below is the order in "
        f"which a cause is looked for, and {gaps or 'no'} {'gap' if gaps == 1 else 'gaps'} here that would "
        "keep you from finding it."
    )


def _unseen(recorded: bool) -> tuple[str, ...]:
    if recorded:
        return ("changes outside of this project: sources, upstream code, traffic",)
    return ("predictions, labels and releases: nothing that runs was asked",)


def _commands(endpoint: str, judged: Judged | None) -> tuple[NextCommand, ...]:
    if endpoint:
        name = judged.endpoint if judged is not None else endpoint
        own = judged.found.commands if judged is not None and judged.found is not None else ()
        return (
            *own[:3],
            NextCommand(
                command=f"mlwright diagnose {name} --html why.html",
                why="the whole report, kept in the ledger",
            ),
            NextCommand(
                command=f"mlwright monitor {name} --by month --drift", why="the whole series, with drift"
            ),
            NextCommand(command=f"mlwright decisions {name}", why="what was decided about it, and why"),
            NextCommand(
                command=f"mlwright trace endpoint:{name}", why="the versions, runs and data behind it"
            ),
        )
    return (
        NextCommand(
            command="mlwright diagnose --reference ref.parquet --current cur.parquet --target y --score p",
            why="names a cause out of two tables, without a project",
        ),
        NextCommand(command="mlwright assess .", why="the gaps with their places"),
        NextCommand(command="mlwright demo --months 2", why="a loop that notices decay, to look at"),
    )
