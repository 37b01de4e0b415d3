"""Is it known which Python?"""

import re

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.images import at, bases, run_images
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_CONDA = re.compile(r"python\s*[=<>~]")


def look(repository: Repository) -> Answer:
    """Look for a Python version in the project's files, CI or images."""
    for document in repository.of_kind(DocumentKind.PYPROJECT):
        for keys in (("project", "requires-python"), ("tool", "poetry", "dependencies", "python")):
            if document.get(*keys):
                return yes(f"{keys[-1]} {document.get(*keys)}", document.at(*keys))
    for document in repository.documents:
        listed = document.get("dependencies")
        for number, each in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(each, str) and _CONDA.match(each):
                return yes(f"{document.path} has {each}", document.at("dependencies", number))
    files = repository.find(
        ".python-version", "runtime.txt", ".tool-versions", "mise.toml", "environment*.y*ml", "Pipfile"
    )
    if files:
        return yes(files[0].path, Location(path=files[0].path))
    for file in run_images(repository):
        for instruction, image in bases(file):
            if "python:" in image:
                return yes(f"{file.path} starts from {image}", at(file, instruction))
    setups = repository.find("setup.cfg", "setup.py")
    if setups or repository.workflows:
        return unknown("no version beside the packaging files")
    return no("no file says which Python")


PROBE = Probe(
    id="dependencies.python_declared",
    title="the version of Python is declared",
    why="A pickle or a wheel of one Python does not load in another.",
    remedy="set requires-python in pyproject.toml",
    look=look,
    when=When.CODE,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="PEP 621",
)
