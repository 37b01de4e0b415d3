"""Does the image run as root?"""

from mlwright.engineer.facts.configuration import Dockerfile, Instruction
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.images import NOTHING, at, base_of, run_images
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_ROOT = ("root", "0", "root:root", "0:0")
# Images of which it is known that they start as somebody else.
_APART = ("nonroot", "distroless/", "jupyter/", "bitnami/", "chainguard/", "quay.io/jupyter")


def look(repository: Repository) -> Answer:
    """Ask each Dockerfile for the user of its last stage."""
    images = run_images(repository)
    if not images:
        return no_question(NOTHING)
    users = {file.path: _user(file) for file in images}
    rooted = [file for file in images if users[file.path] in _ROOT]
    if rooted:
        named = [each for each in rooted[0].last_stage if each.name == "USER"]
        said = f"USER {named[-1].value}" if named else "no USER in the last stage"
        evidence = f"{rooted[0].path}: {said} ({len(rooted)} of {len(images)} images)"
        return no(
            evidence, *(at(file, _last_user(file)) for file in rooted), images=len(images), root=len(rooted)
        )
    unclear = [file for file in images if not users[file.path]]
    if unclear:
        return unknown(
            f"{unclear[0].path} takes the user of its base image, or of a variable", *map(at, unclear)
        )
    return yes(f"{len(images)} images run as somebody else", *(at(file, _last_user(file)) for file in images))


def _last_user(file: Dockerfile) -> Instruction | None:
    return next((each for each in reversed(file.last_stage) if each.name == "USER"), None)


def _user(file: Dockerfile) -> str:
    """The user of the image; "" where only the base image knows."""
    user = _last_user(file)
    if user is not None:
        return "" if "$" in user.value else user.value.strip()
    base = base_of(file.all("FROM")[-1])
    stages = [each.value.split()[-1].lower() for each in file.all("FROM") if " as " in each.value.lower()]
    if base.lower() in stages or "$" in base or any(word in base for word in _APART):
        return ""
    return "root" if _official(base) else ""


def _official(base: str) -> bool:
    """Whether it is one of the public base images that start as root."""
    name = base.partition("@")[0].partition(":")[0].removeprefix("docker.io/").removeprefix("library/")
    name = name.removeprefix("public.ecr.aws/docker/library/")
    return name in _START_AS_ROOT or name.startswith(
        ("nvidia/cuda", "pytorch/pytorch", "tensorflow/tensorflow")
    )


_START_AS_ROOT = frozenset(
    (
        "python ubuntu debian alpine fedora centos rockylinux amazonlinux node golang pypy rust r-base "
        "rocker/r-ver continuumio/miniconda3 continuumio/anaconda3 condaforge/mambaforge "
        "condaforge/miniforge3 ghcr.io/astral-sh/uv tiangolo/uvicorn-gunicorn-fastapi"
    ).split()
)

PROBE = Probe(
    id="container.non_root",
    title="images run as somebody else than root",
    why="A process that runs as root and escapes its container is root on the machine.",
    remedy="RUN useradd --create-home app, then USER app after the last install (mlwright assess --fix dockerfile)",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    fix="dockerfile",
    source="CIS Docker Benchmark 4.1",
)
