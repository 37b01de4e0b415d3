"""What a repository is for: the judgement that decides which questions are asked of it at all.

A library defines for others how to fit and predict, and is published; an application trains or answers with a model of
its own. Signs of both are weighed in the open, and the reasons stand in the profile.
"""

from collections.abc import Sequence
from typing import Final

from mlwright.engineer.collect.answers import LANGUAGE_MODELS, Answering, answering
from mlwright.engineer.collect.configuration import Configuration
from mlwright.engineer.collect.fits import Fit, fits
from mlwright.engineer.collect.pipelines_python import pipelines_in
from mlwright.engineer.collect.publication import ENOUGH, Sign, application_signs, library_signs
from mlwright.engineer.collect.toolbox import frameworks_of, tools_of
from mlwright.engineer.facts.code import PythonFile, Role
from mlwright.engineer.facts.repository import FileEntry
from mlwright.model.assessment import Profile, RepositoryKind

_SHOWN: Final = 3


def profile_of(
    python: Sequence[PythonFile], configuration: Configuration, files: Sequence[FileEntry]
) -> Profile:
    """What was understood of a repository before anything is judged."""
    production = [each for each in python if each.role is Role.PRODUCTION]
    trained = [each for each in fits(production) if each.driven]
    served = list(answering(production, configuration, files))
    pipelines = [each.tool for each in (*configuration.pipelines, *pipelines_in(production))]
    published = library_signs(python, configuration, files)
    run = application_signs(trained, configuration, files, pipelines)
    library = _points(published)
    if library >= ENOUGH and library > _points(run):
        kind, reasons = RepositoryKind.LIBRARY, _library(published, trained, served)
    elif trained or served:
        kind, reasons = RepositoryKind.APPLICATION, _application(trained, served, published, run)
    else:
        kind, reasons = RepositoryKind.OTHER, _other(production)
    mine = kind is RepositoryKind.APPLICATION
    return Profile(
        kind=kind,
        trains=mine and bool(trained),
        serves=mine and bool(served),
        frameworks=frameworks_of(python),
        tools=tools_of(python, configuration),
        reasons=reasons,
    )


def _points(signs: Sequence[Sign]) -> int:
    return sum(sign.points for sign in signs)


def _library(signs: Sequence[Sign], trained: Sequence[Fit], served: Sequence[Answering]) -> tuple[str, ...]:
    reasons = [f"for others to install: {sign.what}" for sign in signs]
    if trained:
        reasons.append(f"{trained[0].at} {trained[0].what}: for whoever installs it")
    if served:
        reasons.append(f"{served[0].at} {served[0].what}: for whoever installs it")
    return tuple(reasons)


def _application(
    trained: Sequence[Fit], served: Sequence[Answering], published: Sequence[Sign], run: Sequence[Sign]
) -> tuple[str, ...]:
    reasons = [f"trains: {each.at} {each.what}" for each in trained[:1]]
    reasons += [f"serves: {each.at} {each.what}" for each in served[:1]]
    reasons += [f"trains: {each.at} {each.what}" for each in trained[1:_SHOWN]]
    reasons += [f"serves: {each.at} {each.what}" for each in served[1:_SHOWN]]
    if _points(published) >= ENOUGH:
        reasons.append(f"no library although {published[0].what}: " + ", ".join(sign.what for sign in run))
    return tuple(reasons)


def _other(production: Sequence[PythonFile]) -> tuple[str, ...]:
    for file in production:
        found = file.imports_any(*LANGUAGE_MODELS)
        if found is not None:
            return (
                f"no model of its own: {file.at(found)} uses {found.name}, a language model of others",
                "nothing here fits a model or answers with one of its own",
            )
    return ("nothing here fits a model or answers requests with one",)
