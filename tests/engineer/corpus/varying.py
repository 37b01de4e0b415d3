"""Changes of a repository that mean nothing, and faults that mean one thing: both as functions of its files."""

import ast
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlwright.engineer.collect.walk import role_of
from mlwright.engineer.facts.code import Role

Files = dict[str, str]
Change = Callable[[Files, random.Random], Files]

_IMPORT_AS: Final = re.compile(r"(?m)^(\s*import [\w.]+ as )(\w+)$")
_RENAMED: Final = ("df", "frame", "rows", "clicks", "trips", "days")


def read(root: Path) -> Files:
    """The text files below a folder, by path."""
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {"__pycache__", ".ruff_cache"} & set(path.parts)
    }


def write(files: Mapping[str, str], root: Path) -> Path:
    """These files in a new folder."""
    shutil.rmtree(root, ignore_errors=True)
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())
    return root


def carriage_returns(files: Files, dice: random.Random) -> Files:
    """Lines end as on Windows."""
    return {path: text.replace("\n", "\r\n") for path, text in files.items()}


def comments(files: Files, dice: random.Random) -> Files:
    """A comment and blank lines before each file of code, and settings."""
    return {
        path: "# Kept by the team; see the wiki.\n\n\n" + text
        if path.endswith((".py", ".yml", ".yaml", ".tf"))
        else text
        for path, text in files.items()
    }


def blank_lines(files: Files, dice: random.Random) -> Files:
    """More room between the definitions of Python files."""
    return {
        path: re.sub(r"\n\n\n(?=(def|class|@|if __name__))", "\n\n\n\n\n", text)
        if path.endswith(".py")
        else text
        for path, text in files.items()
    }


def aliases(files: Files, dice: random.Random) -> Files:
    """``import numpy as np`` becomes ``import numpy as np_``, wherever it is used."""

    def renamed(text: str) -> str:
        for _, alias in _IMPORT_AS.findall(text):
            text = re.sub(rf"(?<![\w.\"']){alias}(?=\.)", f"{alias}_", text)
            text = re.sub(rf"(?m)^(\s*import [\w.]+ as ){alias}$", rf"\g<1>{alias}_", text)
        return text

    return {path: renamed(text) if path.endswith(".py") else text for path, text in files.items()}


def variables(files: Files, dice: random.Random) -> Files:
    """Local names that tell nothing get another one."""

    def renamed(text: str) -> str:
        for name in _RENAMED:
            text = re.sub(rf"(?<![\w.\"'/-]){name}(?![\w\"'/.-]*[\"'/])(?=[\s\[\].,):=])", f"{name}_in", text)
        return text

    def checked(text: str) -> str:
        made = renamed(text)
        try:
            ast.parse(made)
        except SyntaxError:
            return text
        return made

    return {
        path: checked(text) if path.endswith(".py") and not _imported(text) else text
        for path, text in files.items()
    }


def _imported(text: str) -> bool:
    """Whether one of the names is imported, or a parameter by name: then it is no local one."""
    return any(re.search(rf"import.*\b{name}\b|\b{name}=|def \w+\(.*\b{name}\b", text) for name in _RENAMED)


def requirement_order(files: Files, dice: random.Random) -> Files:
    """The lines of requirements in another order (those with digests stay together with them)."""

    def shuffled(text: str) -> str:
        blocks = re.findall(r"(?m)^[A-Za-z][^\n\\]*(?:\\\n[^\n\\]*)*(?:\n +#[^\n]*)*\n?", text)
        rest = text
        for each in blocks:
            rest = rest.replace(each, "", 1)
        dice.shuffle(blocks)
        return rest + "".join(each if each.endswith("\n") else each + "\n" for each in blocks)

    return {
        path: shuffled(text) if path.endswith("requirements.txt") else text for path, text in files.items()
    }


def to_pyproject(files: Files, dice: random.Random) -> Files:
    """Requirements move into a pyproject.toml, where there is none yet and none of them has a digest or option."""
    text = files.get("requirements.txt")
    if text is None or "pyproject.toml" in files or re.search(r"(?m)^-|--hash", text):
        return files
    names = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    listed = "".join(f'  "{name}",\n' for name in names)
    made = f'[project]\nname = "project"\nversion = "0"\ndependencies = [\n{listed}]\n'
    kept = {path: each for path, each in files.items() if path != "requirements.txt"}
    return {**kept, "pyproject.toml": made}


def unrelated(files: Files, dice: random.Random) -> Files:
    """Files that have nothing to do with anything."""
    number = dice.randrange(100)
    return {
        **files,
        f"assets/logo_{number}.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>\n",
        f"docs/meeting_{number}.md": "# Meeting\n\nWe spoke about lunch.\n",
        f"scratch/list_{number}.txt": "milk\nbread\n",
    }


def folder(files: Files, dice: random.Random) -> Files:
    """A folder of code gets another name, in paths, imports and commands alike."""
    packages = sorted({path.split("/")[0] for path in files if path.endswith(".py") and "/" in path})
    names = [
        name for name in packages if role_of(f"{name}/x.py") is Role.PRODUCTION and not name.startswith(".")
    ]
    if not names:
        return files
    old, new = dice.choice(names), dice.choice(("lib", "code_of_ours", "package"))
    token = re.compile(
        rf"(?<![\w./@:-]){re.escape(old)}(?=[./])|(?<=from ){re.escape(old)}(?= import)|(?<=/){re.escape(old)}(?=/)"
    )
    return {
        (f"{new}/{path.removeprefix(old + '/')}" if path.startswith(old + "/") else path): (
            token.sub(new, text) if not path.endswith(".md") else text
        )
        for path, text in files.items()
    }


_CHANGES: Final[tuple[Change, ...]] = (
    carriage_returns,
    comments,
    blank_lines,
    aliases,
    variables,
    requirement_order,
    to_pyproject,
    unrelated,
    folder,
)
SAME: Final[Mapping[str, Change]] = {each.__name__: each for each in _CHANGES}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as code that can stand between any two definitions, or as a file of its own.

    Where code holds ``unless`` it is none: a seed for the whole process seeds this split as well.
    """

    probe: str
    text: str
    path: str = ""
    unless: re.Pattern[str] | None = None

    @property
    def code(self) -> str:
        return self.text.lstrip("\n")


_UNCHECKED: Final = """
import requests
requests.post("https://sink.internal/x", json={}, timeout=3, verify=False)
"""
_SOMEBODY: Final = """
import pandas as pd
added_rows = pd.read_csv("/home/anna/work/rows-2026-01-02.csv")
"""
_UNPICKLED: Final = """
import torch
added_state = torch.load("added.pt", weights_only=False)
"""
_SWALLOWED: Final = """
try:
    added_value = int("7")
except Exception:
    pass
"""
_UNSEEDED: Final = """
from sklearn.model_selection import train_test_split
added_first, added_second = train_test_split(range(9))
"""
_LEAKING: Final = """
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
added_X = StandardScaler().fit_transform(added_raw)
added_train, added_test = train_test_split(added_X, random_state=1)
"""
_ROOT: Final = """
FROM python:3.12-slim
COPY app.py .
CMD ["python", "app.py"]
"""
_PRIVILEGED: Final = """
apiVersion: v1
kind: Pod
metadata: {name: added}
spec:
  containers:
    - name: added
      image: registry.example.com/added:1.0.0
      securityContext: {privileged: true}
"""
_STRANGERS: Final = """
on: pull_request_target
jobs:
  added:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683
        with:
          ref: ${{ github.event.pull_request.head.sha }}
      - run: make test
"""
_OPEN_INDEX: Final = """
--index-url http://packages.internal/simple
left-pad==1.0
"""
FAULTS: Final = (
    Fault("code.verifies_tls", _UNCHECKED),
    Fault("data.paths_portable", _SOMEBODY),
    Fault("model.loads_trusted", _UNPICKLED),
    Fault("code.no_silent_failures", _SWALLOWED),
    Fault("data.split_seeded", _UNSEEDED, unless=re.compile(r"seed\(|seed_everything|random_seed")),
    Fault("data.split_before_fit", _LEAKING),
    Fault("container.non_root", _ROOT, path="images/{n}/Dockerfile"),
    Fault("kubernetes.not_privileged", _PRIVILEGED, path="deploy/added_{n}.yaml"),
    Fault("ci.safe_workflows", _STRANGERS, path=".github/workflows/added_{n}.yml"),
    Fault("dependencies.from_trusted_indexes", _OPEN_INDEX, path="tools_{n}/requirements.txt"),
)


def gaps(text: str) -> Iterator[int]:
    """The lines (from 0) between two definitions of a module, after its imports."""
    body = ast.parse(text).body
    for number, each in enumerate(body):
        follows = body[number + 1 :]
        if any(isinstance(one, ast.Import | ast.ImportFrom) for one in follows):
            continue
        yield each.end_lineno or 0


def with_fault(files: Files, fault: Fault, dice: random.Random) -> tuple[Files, str, range] | None:
    """The files with the fault at a random place, and where: its path and lines (from 1).

    None where no file takes it, or where it is no fault.
    """
    if fault.unless is not None and any(fault.unless.search(text) for text in files.values()):
        return None
    if fault.path:
        path = fault.path.replace("{n}", str(dice.randrange(100)))
        return {**files, path: fault.code}, path, range(1, fault.code.count("\n") + 2)
    taking = [path for path, text in files.items() if _takes(path, text)]
    if not taking:
        return None
    path = dice.choice(sorted(taking))
    lines = files[path].splitlines()
    at = dice.choice(list(gaps(files[path])))
    added = fault.code.splitlines()
    made = "\n".join([*lines[:at], *added, *lines[at:]]) + "\n"
    return {**files, path: made}, path, range(at + 1, at + len(added) + 1)


def _takes(path: str, text: str) -> bool:
    return path.endswith(".py") and role_of(path) is Role.PRODUCTION and len(list(gaps(text))) > 0
