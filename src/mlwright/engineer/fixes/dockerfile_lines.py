"""Edits of a Dockerfile's text: a line is put in or moved, every other byte stays."""

import posixpath
import re
from collections.abc import Mapping
from typing import Final

from mlwright.engineer.collect.dockerfiles import read_dockerfile
from mlwright.engineer.collect.requirements import read_requirements
from mlwright.engineer.facts.configuration import Dockerfile, Instruction
from mlwright.engineer.fixes.shape import Read
from mlwright.engineer.vocabulary.images import base_of

USER: Final = 10001
_BEFORE_USER: Final = ("RUN", "COPY", "ADD", "USER", "WORKDIR", "FROM")
_DEBIAN: Final = re.compile(
    r"^(docker\.io/)?(library/)?(python|ubuntu|debian|node|pytorch/pytorch|tensorflow/tensorflow|nvidia/cuda)\b"
)
_INSTALL: Final = re.compile(
    r"^(?:python3? -m )?pip3? install (?:--?[\w-]+(?:=\S+)? )*?(?:-r|--requirement)[ =]([\w./-]+)"
    r"(?: --?[\w-]+(?:=\S+)?)*$"
)


def with_user(text: str, newline: str) -> tuple[str, str]:
    """The Dockerfile with a user of its own for what the image starts, and what to know about it."""
    file = read_dockerfile("Dockerfile", text)
    if file is None or "<<" in text:
        return text, "it uses here-documents: add USER by hand" if file is not None else ""
    last = max(each.stage for each in file.instructions)
    inside = [each for each in file.instructions if each.stage == last]
    anchor = [each for each in inside if each.name in _BEFORE_USER][-1]
    base = base_of(next(each for each in file.instructions if each.name == "FROM" and each.stage == last))
    # An account of the same name or number may be there already; a number alone needs none.
    known = any(
        word in each.value for each in inside for word in ("useradd", "adduser") if each.name == "RUN"
    )
    lines = [*([] if known else _account(base)), f"USER {USER}"]
    said = "what the program writes below its own folder now needs a place that the user may write to"
    ports = [
        int(port) for each in inside if each.name == "EXPOSE" for port in re.findall(r"\b\d+\b", each.value)
    ]
    if any(port < 1024 for port in ports):
        said += "; a port below 1024 may need net.ipv4.ip_unprivileged_port_start"
    return _put_after(text, file, anchor, lines, newline), said


def _account(base: str) -> list[str]:
    """The line that makes the account, for bases that are known; a number needs none."""
    if "alpine" in base:
        return [f"RUN adduser -D -u {USER} app"]
    if _DEBIAN.match(base) and "distroless" not in base:
        return [f"RUN useradd --create-home --uid {USER} app"]
    return []


def _put_after(text: str, file: Dockerfile, anchor: Instruction, new: list[str], newline: str) -> str:
    """Put lines behind an instruction: before the next one and the comments over that, or at the end."""
    lines = text.splitlines(keepends=True)
    later = [each.line for each in file.instructions if each.line > anchor.line]
    spot = min(later) - 1 if later else len(lines)
    while spot > anchor.line and (not lines[spot - 1].strip() or lines[spot - 1].lstrip().startswith("#")):
        spot -= 1
    if spot and not lines[spot - 1].endswith(("\n", "\r")):
        lines[spot - 1] += newline
    return "".join((*lines[:spot], *(f"{line}{newline}" for line in new), *lines[spot:]))


def with_digest(text: str, file: Dockerfile, known: Mapping[str, str]) -> str:
    """The same with the digests that are known behind the tags of base images."""
    lines = text.splitlines(keepends=True)
    for each in file.all("FROM"):
        image = base_of(each)
        line = lines[each.line - 1]
        if image in known and len(re.findall(rf"(?<!\S){re.escape(image)}(?!\S)", line)) == 1:
            lines[each.line - 1] = re.sub(rf"(?<!\S){re.escape(image)}(?!\S)", known[image], line)
    return "".join(lines)


def cached(text: str, newline: str, read: Read) -> tuple[str, str]:
    """The same with requirements copied and installed before the source; unchanged where that may not be the same.

    Moved is only what is plain: ``COPY . .`` and, on the next line, one ``pip install -r FILE`` without more.
    """
    file = read_dockerfile("Dockerfile", text)
    lines = text.splitlines(keepends=True)
    if file is None:
        return text, ""
    by_hand = (
        "the order of COPY and install is left as it is: it is not plain enough to be moved by a machine"
    )
    for copy, install in zip(file.instructions, file.instructions[1:], strict=False):
        found = _INSTALL.match(install.value) if install.name == "RUN" else None
        words = copy.value.split()
        if copy.name != "COPY" or found is None or len(words) != 2 or words[0] not in (".", "./"):
            continue
        name = posixpath.normpath(found.group(1))
        whole = [lines[each.line - 1].rstrip() for each in (copy, install)]
        if not _here(words[1], copy, file) or whole[1].endswith("\\") or whole[0].endswith("\\"):
            return text, by_hand
        if install.line != copy.line + 1 or name.startswith(("/", "..")) or not _alone(name, read):
            return text, by_hand
        folder = posixpath.dirname(name)
        first = f"COPY {name} ./{folder + '/' if folder else ''}{newline}"
        moved = [first, _ended(lines[install.line - 1], newline), _ended(lines[copy.line - 1], newline)]
        return "".join((*lines[: copy.line - 1], *moved, *lines[install.line :])), ""
    return text, by_hand


def _here(target: str, copy: Instruction, file: Dockerfile) -> bool:
    """Whether a COPY puts things into the folder that RUN works in."""
    if target in (".", "./"):
        return True
    folders = [
        each.value for each in file.all("WORKDIR") if each.stage == copy.stage and each.line < copy.line
    ]
    return bool(folders) and posixpath.normpath(folders[-1]) == posixpath.normpath(target)


def _alone(name: str, read: Read) -> bool:
    """Whether a requirement file needs nothing else of the source."""
    raw = read(name)
    if raw is None:
        return False
    text = raw.decode("utf-8", "replace")
    named = read_requirements(name, text, "")
    local = re.search(r"^\s*(-e|--editable|\.{0,2}/|\.(\s|$)|file:)|@\s*file:", text, re.MULTILINE)
    return not named.includes and not named.constraints and local is None


def _ended(line: str, newline: str) -> str:
    return line if line.endswith(("\n", "\r")) else line + newline
