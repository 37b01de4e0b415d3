"""An image that does not run as root and is built in layers: written anew, or an existing Dockerfile mended."""

from types import ModuleType
from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.fixes.dockerfile_lines import cached, with_digest, with_user
from mlwright.engineer.fixes.dockerfile_new import ignore_file, new_dockerfile
from mlwright.engineer.fixes.shape import NOTHING, Draft, Fix, Read
from mlwright.engineer.fixes.text import source_of
from mlwright.engineer.probe import Answer
from mlwright.engineer.probes.container import (
    cached_installs,
    ignored_context,
    non_root,
    pinned_base,
    present,
)
from mlwright.engineer.vocabulary.images import bases, run_images
from mlwright.model.findings import Outcome

_IGNORE: Final = ".dockerignore"
_DIGEST: Final = (
    "no digest is made up here: docker buildx imagetools inspect {image} tells it, then FROM {image}@sha256:…"
)


def plan(repository: Repository, read: Read) -> Draft:
    """Mend the Dockerfiles that are there, or write one for what serves."""
    if run_images(repository):
        return _mended(repository, read)
    if not repository.profile.serves:
        return Draft(refused="nothing here serves a model, so it is not known what an image should start")
    if present.look(repository).outcome is Outcome.TRUE:
        return NOTHING
    new = new_dockerfile(repository, read)
    if new.refused:
        return Draft(refused=new.refused, next_command=new.next_command)
    changes = {"Dockerfile": new.text.encode()}
    if read(_IGNORE, head=1) is None:
        changes[_IGNORE] = ignore_file(repository).encode()
    leaves = {} if "@sha256:" in new.image else {"container.pinned_base": _DIGEST.format(image=new.image)}
    return Draft(changes=changes, notes=new.notes, leaves=leaves)


def _mended(repository: Repository, read: Read) -> Draft:
    changes: dict[str, bytes] = {}
    notes: list[str] = []
    rooted, late = _failing(repository, non_root), _failing(repository, cached_installs)
    known = _digests(repository)
    for file in run_images(repository):
        raw = read(file.path)
        source = source_of(file.path, raw) if raw is not None else None
        if source is None:
            notes.append(f"{file.path} is not UTF-8, or too large: left as it is")
            continue
        text = with_digest(source.text, file, known)
        if file.path in late:
            text, said = cached(text, source.newline, read)
            notes += [f"{file.path}: {said}"] if said else []
        if file.path in rooted:
            text, said = with_user(text, source.newline)
            notes += [f"{file.path}: {said}"] if said else []
        if text != source.text:
            changes[file.path] = source.encode(text)
    for path in sorted(_failing(repository, ignored_context))[:1]:
        folder = path.rpartition("/")[0]
        place = _IGNORE if folder in ("", "docker", "deploy", ".docker") else f"{folder}/{_IGNORE}"
        changes[place] = ignore_file(repository).encode()
        notes += [f"{place} has to stand where the build starts: docker build FOLDER"] if folder else []
    return Draft(changes=changes, notes=tuple(dict.fromkeys(notes)), leaves=_loose(repository))


def _failing(repository: Repository, probe: ModuleType) -> set[str]:
    """The paths that the probe of a module names, where it says no."""
    answer: Answer = probe.look(repository)
    return {each.path for each in answer.locations} if answer.outcome is Outcome.FALSE else set()


def _digests(repository: Repository) -> dict[str, str]:
    """Images with tag whose digest stands somewhere in the repository: nothing else is known of digests."""
    named = [image for file in repository.dockerfiles for _, image in bases(file)]
    named += [each.image for each in repository.containers]
    found: dict[str, set[str]] = {}
    for image in named:
        name, _, digest = image.partition("@sha256:")
        if len(digest) == 64 and ":" in name.rpartition("/")[2]:
            found.setdefault(name, set()).add(image)
    return {name: images.pop() for name, images in found.items() if len(images) == 1}


def _loose(repository: Repository) -> dict[str, str]:
    if pinned_base.look(repository).outcome is not Outcome.FALSE:
        return {}
    for file in run_images(repository):
        for _, image in bases(file):
            if "@sha256:" not in image:
                return {"container.pinned_base": _DIGEST.format(image=image)}
    return {}


FIX: Final = Fix(
    id="dockerfile",
    title="build the service as an image that does not run as root",
    flips=(
        "container.present",
        "container.non_root",
        "container.ignored_context",
        "container.cached_installs",
        "container.pinned_base",
    ),
    plan=plan,
    rank=2,
)
