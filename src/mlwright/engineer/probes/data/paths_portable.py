"""Does code name a folder of somebody's machine?"""

import re

from mlwright.engineer.facts.code import PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_PERSONAL = re.compile(
    r"(?:/home/|/Users/|[A-Za-z]:[\\/]+Users[\\/]+|/mnt/[a-z]/Users/)([A-Za-z][\w.\- ]*)[\\/]", re.IGNORECASE
)
# Accounts of images, services and examples: no person's.
_SHARED = frozenset(
    "app appuser user username your_name yourname your_username your-username me you name foo bar example "
    "jovyan airflow ubuntu ec2-user runner vscode nonroot model-server sagemaker-user mambauser coder "
    "jenkins circleci gitpod codespace worker service spark hadoop node root default shared public guest "
    "xxx user_name pi dev devuser myuser site wwwroot docker container nobody mlflow prefect dagster "
    "flask django api ray huggingface hf test tester builder build".split()
)


def look(repository: Repository) -> Answer:
    """Look at the paths that production code writes out."""
    images = "\n".join(each.value for docker in repository.dockerfiles for each in docker.instructions)
    found = [
        # In a notebook the line counts within a cell that is not known here.
        (Location(path=file.path, line=None if file.notebook else line), text)
        for file in repository.production
        for text, line in file.paths
        if (person := _PERSONAL.match(text))
        and person.group(1).lower() not in _SHARED
        and person.group(0) not in images
        and not _is_account(person.group(1).lower(), file, repository)
        and not _is_sample(text, line, file)
    ]
    if not found:
        return yes("production code names nobody's home folder")
    places = sorted({at for at, _ in found}, key=lambda at: (at.path, at.line or 0))
    return no(
        f"{counted(len(found), 'path')} in somebody's home folder, as “{found[0][1][:80]}”",
        *places[:SHOWN],
        paths=len(found),
    )


def _is_account(name: str, file: PythonFile, repository: Repository) -> bool:
    """Whether a folder is the home of a program, as in its image: of one that is imported, or of the project itself."""
    return file.imports_any(name) is not None or name in (
        *file.path.lower().split("/"),
        repository.name.lower(),
    )


def _is_sample(text: str, line: int, file: PythonFile) -> bool:
    """Whether a path is the content of something called an example, which shows people what to fill in."""
    return any(
        each.line <= line and text in each.strings and any(_SAMPLE.search(target) for target in each.targets)
        for each in file.bindings
    )


_SAMPLE = re.compile(r"(?:^|_|\.)(examples?|samples?|placeholder|template)(?:$|_|\.)", re.IGNORECASE)

PROBE = Probe(
    id="data.paths_portable",
    title="code names no folder of somebody's machine",
    why="It runs on one laptop; in CI, in a container and for the next colleague it does not.",
    remedy="take the path as an argument or setting, or build it from Path(__file__).parent",
    look=look,
    when=When.CODE,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="The Twelve-Factor App, III Config",
)
