"""Dockerfiles as instructions: continued lines, comments, heredocs, stages, and the default values of FROM."""

import re
from bisect import bisect_left

from mlwright.engineer.facts.configuration import Dockerfile, Instruction

_MOST = 5_000
_NO_DOCKERFILE = (
    ".dockerignore",
    ".md",
    ".txt",
    ".py",
    ".j2",
    ".tmpl",
    ".jinja",
    ".jinja2",
    ".yml",
    ".yaml",
    ".lock",
)
_NAME = re.compile(r"\s*([A-Za-z]{2,16})(?:\s+(.*))?$", re.DOTALL)
_ESCAPE = re.compile(r"#\s*escape\s*=\s*([\\`])\s*$", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*\w+\s*=")
_HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_]\w{0,60})\1")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-+?]([^}]*))?\}|(\w+))")
_KNOWN = {
    *(
        "FROM",
        "RUN",
        "CMD",
        "LABEL",
        "EXPOSE",
        "ENV",
        "ADD",
        "COPY",
        "ENTRYPOINT",
        "VOLUME",
        "USER",
        "WORKDIR",
    ),
    *("ARG", "ONBUILD", "STOPSIGNAL", "HEALTHCHECK", "SHELL", "MAINTAINER"),
}


def is_dockerfile(path: str) -> bool:
    """Whether a file of this name is a Dockerfile or Containerfile."""
    name = path.rpartition("/")[2].lower()
    if name.endswith(_NO_DOCKERFILE):
        return False
    return (
        name in {"dockerfile", "containerfile"}
        or name.startswith(("dockerfile.", "dockerfile-", "dockerfile_", "containerfile."))
        or name.endswith((".dockerfile", ".containerfile", "-dockerfile"))
    )


def read_dockerfile(path: str, text: str) -> Dockerfile | None:
    """The instructions of a Dockerfile; None for a text that has no FROM, which is something else."""
    instructions: list[Instruction] = []
    stage = -1
    defaults: dict[str, str] = {}
    for line, name, value in _logical(text):
        if name == "FROM":
            stage += 1
            value = _substituted(value, defaults)
        elif name == "ARG" and stage < 0:
            key, _, default = value.partition("=")
            defaults[key.strip()] = default.strip().strip("\"'")
        instructions.append(Instruction(name=name, value=value, line=line, stage=stage))
        if len(instructions) >= _MOST:
            break
    return Dockerfile(path=path, instructions=tuple(instructions)) if stage >= 0 else None


def _substituted(value: str, defaults: dict[str, str]) -> str:
    """``FROM python:${TAG:-3.11}`` with what the ARGs before it say; a variable without a default stays as it is."""

    def known(found: re.Match[str]) -> str:
        name = found.group(1) or found.group(3)
        return defaults.get(name) or found.group(2) or found.group()

    return _VARIABLE.sub(known, value)


def _logical(text: str) -> list[tuple[int, str, str]]:
    """(line, instruction, value) of each instruction; a heredoc's text belongs to the value of its instruction."""
    lines = text.splitlines()
    escape = _escape(lines)
    found: list[tuple[int, str, str]] = []
    ends = _ends(lines) if "<<" in text else {}
    position = 0
    while position < len(lines):
        start = position
        parts: list[str] = []
        while position < len(lines):
            line = lines[position].rstrip()
            position += 1
            if line.lstrip().startswith("#") or (parts and not line.strip()):
                if not parts:
                    break
                continue
            more = line.endswith(escape)
            parts.append(line[:-1].rstrip() if more else line)
            if not more:
                break
        matched = _NAME.match(" ".join(part.strip() if at else part for at, part in enumerate(parts)))
        if matched is None or matched.group(1).upper() not in _KNOWN:
            continue
        name, value = matched.group(1).upper(), (matched.group(2) or "").strip()
        body, position = _heredocs(name, value, lines, position, ends)
        found.append((start + 1, name, value + body))
    return found


def _escape(lines: list[str]) -> str:
    """The character that continues a line: a backslash, or what the directive at the top says."""
    for line in lines:
        found = _ESCAPE.match(line.strip())
        if found is not None:
            return found.group(1)
        if not _DIRECTIVE.match(line.strip()):
            break
    return "\\"


def _ends(lines: list[str]) -> dict[str, list[int]]:
    """Where each line stands that could end a heredoc."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        if len(line) < 80:
            found.setdefault(line.strip("\t\r"), []).append(number)
    return found


def _heredocs(
    name: str, value: str, lines: list[str], position: int, ends: dict[str, list[int]]
) -> tuple[str, int]:
    """The text of the heredocs that an instruction opens, and where the next instruction begins."""
    if name not in {"RUN", "COPY", "ADD"}:
        return "", position
    body: list[str] = []
    for found in _HEREDOC.finditer(value):
        places = ends.get(found.group(2), [])
        nearest = bisect_left(places, position)
        if nearest == len(places):
            break
        body += lines[position : places[nearest]]
        position = places[nearest] + 1
    return ("\n" + "\n".join(body) if body else ""), position
