"""A question becomes an answer: read it, collect what is known, and say it with its evidence. No model takes part."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from mlwright.engineer.asking import deploying, pipelines
from mlwright.engineer.asking.decay import answer_decay
from mlwright.engineer.asking.reading import read
from mlwright.engineer.asking.seen import Seen
from mlwright.engineer.asking.specials import (
    answer_compare,
    answer_explain,
    answer_next,
    answer_rollback,
    answer_score,
)
from mlwright.engineer.asking.topic import Topic
from mlwright.engineer.asking.topics import TOPICS
from mlwright.engineer.catalogue import all_probes
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Probe
from mlwright.model.answers import Answer, NextCommand, Reading, Statement
from mlwright.model.assessment import Assessment, RepositoryKind

if TYPE_CHECKING:
    from mlwright.platform.facade import Platform

_GAPS: Final = 8


def answer(
    question: str,
    assessment: Assessment,
    repository: Repository,
    platform: "Platform | None" = None,
    *,
    probes: Mapping[str, Probe] | None = None,
) -> Answer:
    """Answer a question in plain English from facts that were read before; the same facts give the same answer.

    Args:
        question: what was asked.
        assessment: the report on the repository.
        repository: the facts that it was made from.
        platform: the running project's platform, where there is one; it is only read.
        probes: the questions behind the findings, by id; all that are installed without it.

    Returns:
        The answer. Where the question was not understood, ``reading.sure`` is false and nothing is claimed.
    """
    names = {each.name for each in platform.parts.settings.endpoints} if platform is not None else set()
    reading = read(question, {each.id for each in assessment.findings}, names)
    if not reading.sure:
        return _ask_back(question, assessment, reading)
    known = {each.id: each for each in all_probes()} if probes is None else probes
    seen = Seen(question, assessment, repository, known, platform)
    return _ANSWERS.get(reading.intent, _topic)(seen, reading)


def _ask_back(question: str, assessment: Assessment, reading: Reading) -> Answer:
    return Answer(
        question=question,
        subject=assessment.subject,
        reading=reading,
        summary=f"I am not sure what you ask: {reading.note}. Did you mean one of these?",
        commands=tuple(
            NextCommand(command=f'mlwright ask "{each.example}"', why=each.title) for each in reading.others
        ),
    )


def _topic(seen: Seen, reading: Reading) -> Answer:
    topic = TOPICS[reading.intent]
    about = seen.about(*topic.about)
    return Answer(
        question=seen.question,
        subject=seen.assessment.subject,
        reading=reading,
        summary=topic.lead,
        statements=(*_frame(seen), *seen.gaps(about, _GAPS), *seen.well(about), *_advice(topic)),
        commands=(*(topic.project if seen.platform is not None else ()), *topic.commands, *seen.fixes(about)),
        questions=topic.questions,
        not_seen=(*topic.blind, *seen.unknown(about)[:_GAPS]),
    )


def _pipeline(seen: Seen, reading: Reading) -> Answer:
    recommender = pipelines.is_recommender(seen)
    about = seen.about(*pipelines.ABOUT)
    advice = (*pipelines.GENERAL_ADVICE, *(pipelines.RECOMMENDER_ADVICE if recommender else ()))
    kind = " for a recommender" if recommender else ""
    return Answer(
        question=seen.question,
        subject=seen.assessment.subject,
        reading=reading,
        summary=f"What there is to build a training pipeline{kind} on, and the ways to run it, nearest first.",
        statements=(*_frame(seen), *pipelines.pipeline_facts(seen), *seen.gaps(about, _GAPS), *seen.well(about),
                    *(Statement(text=text, source=source) for text, source in advice)),
        choices=pipelines.pipeline_choices(seen),
        commands=(*pipelines.pipeline_commands(seen), *seen.fixes(about)),
        questions=(*pipelines.QUESTIONS, *(pipelines.RECOMMENDER_QUESTIONS if recommender else ())),
        not_seen=("how much data there is, how fast it arrives, and what a run costs", *seen.unknown(about)[:_GAPS]),
    )  # fmt: skip


def _deploy(seen: Seen, reading: Reading) -> Answer:
    about = seen.about(*deploying.ABOUT)
    torch = (
        any(name == "PyTorch" for name, _ in deploying.frameworks(seen)) or "torch" in seen.question.lower()
    )
    advice = (*(deploying.TORCH_ADVICE if torch else ()), *deploying.ADVICE)
    return Answer(
        question=seen.question,
        subject=seen.assessment.subject,
        reading=reading,
        summary="What there is to deploy, what the files lack for it, and the ways to serve it, nearest first.",
        statements=(*_frame(seen), *deploying.deploy_facts(seen), *seen.gaps(about, _GAPS), *seen.well(about),
                    *(Statement(text=text, source=source) for text, source in advice)),
        choices=deploying.deploy_choices(seen),
        commands=(*deploying.deploy_commands(seen), *seen.fixes(about)),
        questions=deploying.QUESTIONS,
        not_seen=("latency, memory and load: nothing was executed, and sizing is not built in this version",
                  *seen.unknown(about)[:_GAPS]),
    )  # fmt: skip


def _frame(seen: Seen) -> tuple[Statement, ...]:
    """What kind of repository this is, where the question hardly fits it."""
    kind = seen.assessment.profile.kind
    if kind is RepositoryKind.LIBRARY:
        text = "This repository looks like a library: the duties of whoever runs a model in production are not its own."
        return (Statement(text=text, because=("profile",)),)
    if kind is RepositoryKind.OTHER:
        text = "No machine learning was seen in this repository, so little of the question can be answered from it."
        return (Statement(text=text, because=("profile",)),)
    return ()


def _advice(topic: Topic) -> tuple[Statement, ...]:
    return tuple(Statement(text=text, source=source) for text, source in topic.advice)


_ANSWERS: Final[Mapping[str, Callable[[Seen, Reading], Answer]]] = {
    "pipeline": _pipeline,
    "deploy": _deploy,
    "next": answer_next,
    "decay": answer_decay,
    "score": answer_score,
    "rollback": answer_rollback,
    "explain": answer_explain,
    "compare": answer_compare,
}
"""Intents that are answered by code; the others are a topic."""
