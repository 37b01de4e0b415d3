"""Answers with code of their own: what next, readiness, going back, one finding, two runs."""

import re
from typing import Final

from mlwright.engineer.asking import running
from mlwright.engineer.asking.reading import named_findings
from mlwright.engineer.asking.seen import Seen, plural
from mlwright.model.answers import Answer, NextCommand, Reading, Statement
from mlwright.model.assessment import Interval
from mlwright.model.findings import Outcome
from mlwright.model.rollouts import RolloutState
from mlwright.model.tracking import Run

SUSPECTS: Final = (
    "model.too_good",
    "data.split_before_fit",
    "data.target_dropped",
    "data.test_untouched",
    "data.split_respects_time",
    "data.no_identifiers",
    "model.evaluated_apart",
)
_BEST: Final = 5
_PLAIN_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")


def answer_next(seen: Seen, reading: Reading) -> Answer:
    """First whether the good result can be believed, then the five most valuable things to do."""
    suspects = seen.about(*SUSPECTS)
    wrong = seen.gaps(suspects)
    best = seen.assessment.recommendations[:_BEST]
    said = [*wrong, *seen.well(suspects)]
    for each in best:
        gain = f" Readiness rises by {each.gain:.1f} of 100." if each.gain > 0 else ""
        said.append(
            Statement(
                text=f"Do: {each.title}. {each.why}{gain} Effort: {each.effort}.",
                because=(each.finding,),
                places=each.locations[:5],
                remedy=each.remedy,
            )
        )
    if wrong:
        summary = (
            "First doubt the good result: something here looks like leakage. Then the most valuable steps."
        )
    elif any(each.outcome is Outcome.TRUE for each in suspects):
        summary = (
            "No sign of leakage was found in what could be read, which proves nothing about the "
            "rows. Next steps:"
        )
    else:
        summary = "Whether the result can be believed could not be told from the files. Next steps:"
    return Answer(
        question=seen.question,
        subject=seen.assessment.subject,
        reading=reading,
        summary=summary,
        statements=tuple(said),
        commands=(
            NextCommand(command="mlwright assess .", why="the whole list, with places and effects"),
            *seen.fixes(seen.about("*"), 2),
            NextCommand(
                command='mlwright ask "how do I deploy this model?"', why="once the result is believed"
            ),
        ),
        questions=(
            "Well compared with what: is there a baseline on the same split?",
            "At which instant is the prediction asked for, and is every feature known by then?",
        ),
        not_seen=(
            "the rows: duplicates or the same entity on both sides of a split can only be seen in the data",
            *seen.unknown(suspects),
        ),
    )


def answer_score(seen: Seen, reading: Reading) -> Answer:
    """Readiness and every rubric's verdict, with what blocks the next level."""
    assessment = seen.assessment
    said = [Statement(text=f"Readiness: {_interval(assessment.readiness)} of 100.", because=("readiness",))]
    for view in assessment.rubrics:
        points = f" ({_interval(view.points)} of {view.out_of:g})" if view.points else ""
        blocked = f" In the way of the next level: {', '.join(view.blocking[:5])}." if view.blocking else ""
        said.append(
            Statement(
                text=f"{view.title}: {view.verdict}{points}.{blocked}",
                because=(f"rubric:{view.id}", *view.blocking[:5]),
            )
        )
    counts = {outcome: sum(each.outcome is outcome for each in assessment.findings) for outcome in Outcome}
    summary = (
        f"{counts[Outcome.TRUE]} questions of {len(assessment.findings)} hold, {counts[Outcome.FALSE]} do not, "
        f"{counts[Outcome.NOT_AVAILABLE]} cannot be told from what there is to see. Unknown never counts as a pass."
    )
    return Answer(
        question=seen.question,
        subject=assessment.subject,
        reading=reading,
        summary=summary,
        statements=(*said, *seen.gaps(assessment.findings, most=_BEST)),
        commands=(
            NextCommand(command="mlwright assess .", why="the report"),
            NextCommand(
                command="mlwright assess . --html report.html", why="the report as one file to hand on"
            ),
            NextCommand(
                command="mlwright assess . --fail-under 60", why="as a gate in CI, with a limit of your own"
            ),
        ),
        not_seen=(*assessment.unread[:5], "what runs elsewhere, and how people work"),
    )


def answer_rollback(seen: Seen, reading: Reading) -> Answer:
    """The way back first, then what to keep for finding the cause."""
    commands, said = _back_in_project(seen) if seen.platform is not None else _back_in_repository(seen)
    about = seen.about(
        "release.rollback",
        "release.versioned_images",
        "recovery.*",
        "release.canary",
        "running.rollback_seen",
    )
    return Answer(
        question=seen.question,
        subject=seen.assessment.subject,
        reading=reading,
        summary="Go back first, look for the cause afterwards; nothing was changed by asking."
        if commands
        else "No way back was seen in these files; below is what would give you one.",
        statements=(
            *said,
            *seen.gaps(about),
            *seen.well(about),
            Statement(
                text=(
                    "Bring users back to a known good state before looking for the cause, and keep logs, "
                    "inputs and versions of the bad one."
                ),
                source="Beyer et al., Site Reliability Engineering, 2016, chapters 12 and 14",
            ),
        ),
        commands=commands,
        questions=(
            "Is it the model, or its inputs? An old model on broken inputs is wrong as well.",
            "Since when, and which requests are affected?",
        ),
        not_seen=("what runs now outside of this folder",),
    )


def _back_in_project(seen: Seen) -> tuple[tuple[NextCommand, ...], tuple[Statement, ...]]:
    platform = seen.platform
    assert platform is not None
    commands: list[NextCommand] = []
    said: list[Statement] = []
    for endpoint in running.endpoints_meant(seen, platform):
        name = endpoint.name
        under_way = platform.releases.status(name).rollout
        if under_way is not None:
            rolling = f"{under_way.model}/{under_way.challenger}"
            text = f"{name}: {rolling} is being rolled out; the champion is /{under_way.champion}."
            said.append(Statement(text=text, because=(f"rollout:{under_way.id}",)))
            why = f"ends the rollout at {name}; the champion answers everything again"
            commands.append(
                NextCommand(command=f'mlwright rollout abort {name} --reason "bad predictions"', why=why)
            )
            continue
        won = [each for each in platform.rollouts.list(name) if each.state is RolloutState.PROMOTED]
        champion = platform.releases.status(name).champion
        if won and champion is not None and won[0].challenger == champion.version:
            last = won[0]
            text = (
                f"{name}: {champion.ref} replaced /{last.champion} by a rollout of {last.started:%Y-%m-%d}."
            )
            said.append(Statement(text=text, because=(f"rollout:{last.id}", f"model:{champion.ref}")))
            why = f"puts the version before it behind {name} for all traffic"
            commands.append(
                NextCommand(command=f"mlwright deploy {name} {last.model}/{last.champion}", why=why)
            )
        else:
            text = f"{name}: no rollout led to the present champion; the records do not tell the version before it."
            said.append(Statement(text=text, because=(f"model:{champion.ref}",) if champion else ()))
            commands.append(
                NextCommand(
                    command="mlwright models", why="the versions that can be put back with mlwright deploy"
                )
            )
    if commands:
        commands.append(
            NextCommand(command="mlwright alerts", why="whether it was noticed, and on which evidence")
        )
    return tuple(dict.fromkeys(commands)), tuple(said)


def _back_in_repository(seen: Seen) -> tuple[tuple[NextCommand, ...], tuple[Statement, ...]]:
    commands: list[NextCommand] = []
    said: list[Statement] = []
    charts = seen.repository.find("Chart.yaml")
    for each in seen.repository.objects("Deployment", "StatefulSet", "DaemonSet")[:3]:
        # The line is meant to be pasted into a shell: a name that is no plain name gives none.
        if each.templated or not _PLAIN_NAME.fullmatch(each.name):
            continue
        said.append(Statement(text=f"{each.kind} {each.name} is defined here.", places=(each.at,)))
        commands.append(
            NextCommand(
                command=f"kubectl rollout undo {each.kind.lower()}/{each.name}",
                why="the revision before, if the cluster kept it",
            )
        )
    if charts:
        commands.append(
            NextCommand(
                command="helm rollback RELEASE", why="the release before; helm history RELEASE lists them"
            )
        )
    if not commands and seen.repository.history is not None:
        commands.append(
            NextCommand(
                command="git revert COMMIT",
                why="then deploy as you always do; it undoes code, not a model file",
            )
        )
    return tuple(commands), tuple(said)


def answer_explain(seen: Seen, reading: Reading) -> Answer:
    """One finding: what should hold, what was found, why it matters, which rubrics it feeds."""
    ids = named_findings(seen.question, {each.id for each in seen.assessment.findings})
    said: list[Statement] = []
    commands: list[NextCommand] = []
    for id in ids[:3]:
        finding = seen.finding(id)
        if finding is None:
            continue
        said.append(seen.statement(finding))
        probe = seen.probes.get(id)
        if probe is not None:
            said.append(Statement(text=f"Why it matters: {probe.why}", because=(id,), source=probe.source))
        raised = [
            f"{view.title} {item.id}"
            for view in seen.assessment.rubrics
            for section in view.sections
            for item in section.items
            if id in (*item.because, *item.against)
        ]
        if raised:
            said.append(Statement(text=f"It is read by {', '.join(raised[:6])}.", because=(id,)))
        commands += seen.fixes((finding,))
    if not said:
        bad = [each for each in seen.assessment.findings if each.outcome is Outcome.FALSE][:3]
        examples = " or ".join(f'mlwright ask "explain {each.id}"' for each in bad)
        return Answer(
            question=seen.question,
            subject=seen.assessment.subject,
            reading=reading,
            summary="Which finding? Name it by its id" + (f", as in {examples}." if examples else "."),
            commands=(NextCommand(command="mlwright assess .", why="lists the findings with their ids"),),
        )
    return Answer(
        question=seen.question,
        subject=seen.assessment.subject,
        reading=reading,
        summary=f"{plural(len(ids[:3]), 'finding')}: what should hold, what was seen, and why it matters.",
        statements=tuple(said),
        commands=tuple(dict.fromkeys(commands))
        or (NextCommand(command="mlwright assess .", why="the whole report"),),
    )


def answer_compare(seen: Seen, reading: Reading) -> Answer:
    """The runs that are named, else the last two that finished: their metrics and parameters side by side."""
    platform = seen.platform
    if platform is None:
        about = seen.about(
            "model.runs_tracked", "model.registered", "running.runs_*", "model.baseline_compared"
        )
        return Answer(
            question=seen.question,
            subject=seen.assessment.subject,
            reading=reading,
            summary="There are no runs to compare here: no mlwright project with records stands in this folder.",
            statements=(*seen.gaps(about), *seen.well(about)),
            commands=(
                NextCommand(
                    command="mlwright assess . --mlflow URI", why="looks at the runs of an MLflow server"
                ),
            ),
            not_seen=("runs of a tracking server: none was asked",),
        )
    runs = platform.training.list(limit=200)
    named = [each for each in runs if str(each.id).lower() in seen.question.lower()]
    picked = (named if len(named) > 1 else [each for each in runs if each.metrics])[:2]
    if len(picked) < 2:
        summary = "There are fewer than two runs with metrics to compare."
        said: tuple[Statement, ...] = ()
    else:
        newer, older = picked
        when = [f"{each.name} of {each.started:%Y-%m-%d %H:%M}" for each in (older, newer)]
        summary = f"{when[0]} beside {when[1]}."
        said = _side_by_side(older, newer)
    return Answer(
        question=seen.question,
        subject=seen.assessment.subject,
        reading=reading,
        summary=summary,
        statements=said,
        commands=(
            NextCommand(command="mlwright runs", why="the latest runs"),
            NextCommand(command="mlwright decisions", why="comparisons on the same rows that a gate made"),
        ),
        not_seen=(
            (
                "whether the runs were measured on the same rows: metrics of different rows do not "
                "compare; a gate compares on the same rows"
            ),
        ),
    )


def _side_by_side(older: Run, newer: Run) -> tuple[Statement, ...]:
    cited = (f"run:{older.id}", f"run:{newer.id}")
    said = []
    for key in sorted({*older.metrics, *newer.metrics})[:20]:
        left, right = older.metrics.get(key), newer.metrics.get(key)
        said.append(Statement(text=f"{key}: {_number(left)} then {_number(right)}.", because=cited))
    changed = [
        f"{key}: {older.params.get(key, '–')} then {newer.params.get(key, '–')}"
        for key in sorted({*older.params, *newer.params})
        if older.params.get(key) != newer.params.get(key)
    ]
    said.append(
        Statement(text=f"Parameters that differ: {'; '.join(changed[:20]) or 'none'}.", because=cited)
    )
    data = {each.digest for each in older.datasets}, {each.digest for each in newer.datasets}
    if data[0] and data[1]:
        said.append(
            Statement(
                text=f"They read {'the same' if data[0] == data[1] else 'different'} data.", because=cited
            )
        )
    code = [each.environment.git_commit if each.environment else None for each in (older, newer)]
    if all(code):
        said.append(Statement(text=f"Commits: {str(code[0])[:12]} then {str(code[1])[:12]}.", because=cited))
    return tuple(said)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.6g}"


def _interval(value: Interval) -> str:
    return f"{value.low:.1f}" if value.known else f"{value.low:.1f} to {value.high:.1f}"
