"""Reading Dockerfiles that build what runs: those of development, tests and other people's code are left alone."""

import re
from typing import Final

from mlwright.engineer.collect.walk import role_of
from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.configuration import Dockerfile, Instruction
from mlwright.engineer.facts.repository import Repository
from mlwright.model.findings import Location

_ASIDE: Final = re.compile(
    r"(^|/)(\.devcontainer|\.gitpod|\.github|ci|test[^/]*|dev)(/|$)|dockerfile[.-](dev|test|ci)|\.gitpod\.",
    re.IGNORECASE,
)
SERVERS: Final = re.compile(
    r"gunicorn|uvicorn|waitress|hypercorn|granian|uwsgi|fastapi[\s\"',]+run|mlserver|tritonserver|torchserve"
)
"""Commands of servers that are made for production."""
NOTHING: Final = "no Dockerfile of something that runs here"


def run_images(repository: Repository) -> tuple[Dockerfile, ...]:
    """The Dockerfiles with a base image that build what runs."""
    return tuple(
        each
        for each in repository.dockerfiles
        if each.all("FROM")
        and role_of(each.path) in (Role.PRODUCTION, Role.TOOL)
        and not _ASIDE.search(each.path)
    )


def at(file: Dockerfile, instruction: Instruction | None = None) -> Location:
    """Where an instruction stands, or the last FROM of the file."""
    found = instruction or file.all("FROM")[-1]
    return Location(path=file.path, line=found.line)


def base_of(instruction: Instruction) -> str:
    """The image that a FROM names, without its platform and its stage's name."""
    words = [word for word in instruction.value.split() if not word.startswith("--")]
    return words[0] if words else ""


def bases(file: Dockerfile) -> tuple[tuple[Instruction, str], ...]:
    """The images from outside that a Dockerfile builds on, without own stages, scratch and unresolved variables."""
    stages: set[str] = set()
    found: list[tuple[Instruction, str]] = []
    for each in file.all("FROM"):
        image = base_of(each)
        if image and image.lower() not in stages and image != "scratch" and "$" not in image:
            found.append((each, image))
        words = each.value.split()
        if len(words) >= 3 and words[-2].lower() == "as":
            stages.add(words[-1].lower())
    return tuple(found)
