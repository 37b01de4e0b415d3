"""Hooks that look at a change before it is committed: a linter, secrets, large files, outputs of notebooks."""

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.fixes.shape import NOTHING, Draft, Fix, Read
from mlwright.engineer.fixes.text import Source, source_of

_PATH: Final = ".pre-commit-config.yaml"
_OTHERS: Final = ("lefthook.yml", ".husky/*", "prek.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hook:
    """One repository of hooks, at a release of it that exists; ``instead`` are words in names of what does the same."""

    repo: str
    rev: str
    hooks: tuple[str, ...]
    instead: tuple[str, ...]
    only_with_notebooks: bool = False


_HOOKS: Final = (
    _Hook(
        repo="https://github.com/pre-commit/pre-commit-hooks",
        rev="v5.0.0",
        hooks=("check-added-large-files", "check-merge-conflict"),
        instead=("pre-commit/pre-commit-hooks", "check-added-large-files"),
    ),
    _Hook(
        repo="https://github.com/astral-sh/ruff-pre-commit",
        rev="v0.13.0",
        hooks=("ruff-check",),
        instead=("ruff", "flake8", "pylint"),
    ),
    _Hook(
        repo="https://github.com/Yelp/detect-secrets",
        rev="v1.5.0",
        hooks=("detect-secrets",),
        instead=("detect-secrets", "gitleaks", "trufflehog", "ggshield", "talisman", "secretlint"),
    ),
    _Hook(
        repo="https://github.com/kynan/nbstripout",
        rev="0.8.1",
        hooks=("nbstripout",),
        instead=("nbstripout", "nb-clean", "jupyter-notebook-cleanup", "clear-output"),
        only_with_notebooks=True,
    ),
)
_INSTALL: Final = "hooks run once each clone has typed: pre-commit install"
_STRIP: Final = "the notebooks keep their outputs until you type: pre-commit run nbstripout --all-files"


def plan(repository: Repository, read: Read) -> Draft:
    """Write the file, or append the hooks that are missing in it."""
    raw = read(_PATH)
    if raw is None and read(_PATH, head=1) is not None:
        return Draft(refused=f"{_PATH} is too large")
    if raw is None and repository.find(*_OTHERS):
        return Draft(
            refused=f"hooks are kept by {repository.find(*_OTHERS)[0].path}: add ruff and detect-secrets there"
        )
    notebooks = any(each.notebook for each in repository.python)
    wanted = [each for each in _HOOKS if notebooks or not each.only_with_notebooks]
    leaves = {"notebook.outputs_small": _STRIP} if notebooks else {}
    if raw is None:
        text = "".join(f"{line}\n" for line in ("repos:", *_lines(wanted, 2)))
        return Draft(changes={_PATH: text.encode()}, notes=(_INSTALL,), leaves=leaves)
    source = source_of(_PATH, raw)
    known = _names(repository)
    missing = [each for each in wanted if not any(word in known for word in each.instead)]
    if not missing:
        return Draft(leaves=leaves) if leaves else NOTHING
    appended = _appended(source, missing) if source is not None else None
    if source is None or appended is None:
        return Draft(
            refused=f"{_PATH} is not written as a plain list of repos",
            next_command=f"add to it: {', '.join(each.repo for each in missing)}",
        )
    return Draft(changes={_PATH: source.encode(appended)}, notes=(_INSTALL,), leaves=leaves)


def _names(repository: Repository) -> str:
    """All names of repositories and hooks that are set up, as one text in lower case."""
    found = []
    for document in repository.of_kind(DocumentKind.PRE_COMMIT):
        repos = document.get("repos")
        for repo in repos if isinstance(repos, list) else []:
            if isinstance(repo, dict):
                hooks = repo.get("hooks")
                found.append(str(repo.get("repo")))
                found += [
                    str(hook.get("id"))
                    for hook in (hooks if isinstance(hooks, list) else [])
                    if isinstance(hook, dict)
                ]
    return "\n".join(found).lower()


def _lines(hooks: list[_Hook], indent: int) -> list[str]:
    lines = []
    for each in hooks:
        lines += [f"- repo: {each.repo}", f"  rev: {each.rev}", "  hooks:"]
        lines += [f"    - id: {hook}" for hook in each.hooks]
    return [" " * indent + line for line in lines]


def _appended(source: Source, missing: list[_Hook]) -> str | None:
    """The file with these at the end of its list of repos; None where that list is not written line by line."""
    lines = source.text.splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if re.match(r"repos:\s*(#.*)?$", line)), None)
    if start is None:
        return None
    indent: int | None = None
    last = start
    for number in range(start + 1, len(lines)):
        line = lines[number]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        item = re.match(r"( *)- ", line)
        if indent is None:
            if item is None:
                return None
            indent = len(item.group(1))
        deeper = len(line) - len(line.lstrip(" ")) > indent
        if not deeper and not (item is not None and len(item.group(1)) == indent):
            break
        last = number
    if indent is None:
        return None
    if not lines[last].endswith(("\n", "\r")):
        lines[last] += source.newline
    text = "".join((*lines[: last + 1], source.block(_lines(missing, indent)), *lines[last + 1 :]))
    return text if _adds_only(source.text, text, len(missing)) else None


def _adds_only(before: str, after: str, count: int) -> bool:
    """Whether the texts mean the same apart from so many repos at the end of the list."""
    old, new = _parsed(before), _parsed(after)
    if not isinstance(old, dict) or not isinstance(new, dict):
        return False
    repos = new.get("repos")
    return isinstance(repos, list) and {**new, "repos": repos[:-count]} == old


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


FIX: Final = Fix(
    id="pre-commit",
    title="look at each change before it is committed",
    flips=("code.pre_commit", "code.linted", "security.secret_scanning", "notebook.outputs_small"),
    plan=plan,
)
