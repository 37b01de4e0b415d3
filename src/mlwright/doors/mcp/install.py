"""Putting the engineer into a coding agent: the MCP configuration and the agent's definition, in one project."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from mlwright.engineer.fixes.diff import unified
from mlwright.engineer.fixes.writing import digest, write_all
from mlwright.errors import Conflict, UsageError
from mlwright.model.fixes import Change

SERVER: Final = "mlwright"
WRITES: Final = "--allow-writes"
MARK: Final = "Written by `mlwright agent install`; take this line out to keep changes of your own."
_LARGEST: Final = 1_000_000
_TEMPLATES: Final = Path(__file__).parent / "templates"
_MAY: Final = {
    False: "The server is read-only: apply_fix shows the diff, and the person applies it with `mlwright assess --fix`.",
    True: "apply_fix may write: only after a dry run, and only when the person has agreed to exactly that diff.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Where a coding agent looks for servers and definitions, and how it names them."""

    title: str
    configuration: str
    servers: str
    entry: Mapping[str, object]
    definition: str
    head: str
    next: str


AGENTS: Final[Mapping[str, Agent]] = {
    "claude": Agent(
        title="Claude Code",
        configuration=".mcp.json",
        servers="mcpServers",
        entry={"type": "stdio", "command": "mlwright", "args": ["mcp"]},
        definition=".claude/agents/mlops-engineer.md",
        head="claude.head",
        next="start claude in this folder, agree to the server, and check it with /mcp and /agents",
    ),
    "cursor": Agent(
        title="Cursor",
        configuration=".cursor/mcp.json",
        servers="mcpServers",
        entry={"command": "mlwright", "args": ["mcp", "--root", "${workspaceFolder}"]},
        definition=".cursor/rules/mlops-engineer.mdc",
        head="cursor.head",
        next="open this folder in Cursor, and switch the server on under Settings, MCP",
    ),
    "vscode": Agent(
        title="VS Code",
        configuration=".vscode/mcp.json",
        servers="servers",
        entry={"type": "stdio", "command": "mlwright", "args": ["mcp", "--root", "${workspaceFolder}"]},
        definition=".github/agents/mlops-engineer.agent.md",
        head="vscode.head",
        next="open this folder in VS Code, start the server from .vscode/mcp.json, choose mlops-engineer in the chat",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """One file: ``state`` is ``created``, ``changed`` or ``unchanged`` (or what it would be), ``diff`` unified."""

    path: str
    state: str
    diff: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What was written, or would be, and what to do next."""

    agent: str
    dry_run: bool
    files: tuple[WrittenFile, ...]
    next: tuple[str, ...]


def install(which: str, folder: Path, *, allow_writes: bool = False, dry_run: bool = False) -> Installed:
    """Write configuration and definition of an agent below a project's folder, both or neither.

    Args:
        which: a key of ``AGENTS``.
        folder: the project.
        allow_writes: let the agent's server write; without it a permission given before is taken back.
        dry_run: write nothing.

    Raises:
        UsageError: the configuration is not a JSON object that can be merged with.
        Conflict: a link is in the way, a file is not ours, or the system refuses; nothing was written.
    """
    agent = AGENTS[which]
    changes = [
        _change(folder, agent.configuration, lambda old: merged(agent, old, allow_writes=allow_writes)),
        _change(folder, agent.definition, lambda old: _definition(agent, old, allow_writes=allow_writes)),
    ]
    needed = [each for each in changes if each.diff]
    if needed and not dry_run:
        write_all(folder, needed)
    return Installed(
        agent=which, dry_run=dry_run, files=tuple(map(_state, changes)), next=_next(agent, folder, dry_run)
    )


def merged(agent: Agent, old: str | None, *, allow_writes: bool) -> str:
    """The configuration with our server in it; everything else stays as it is, in its order.

    Raises:
        UsageError: it is not a JSON object, or its servers are none.
    """
    known = _object(agent, old) if old and old.strip() else {}
    servers = known.get(agent.servers, {})
    mine = servers.get(SERVER, {}) if isinstance(servers, dict) else None
    if not isinstance(servers, dict) or not isinstance(mine, dict):
        raise _unfit(agent, f"{agent.servers!r} and the servers in it have to be objects")
    kept = {key: value for key, value in mine.items() if key not in ("url", "headers")}
    entry: dict[str, Any] = {**mine} if _ours(mine) else {**kept, **agent.entry}
    args = [each for each in entry["args"] if each != WRITES]
    entry["args"] = [*args, WRITES] if allow_writes else args
    known[agent.servers] = {**servers, SERVER: entry}
    if old and old.strip() and known == _object(agent, old):
        return old  # however it is laid out
    return json.dumps(known, indent=_indent(old), ensure_ascii=False) + "\n"


def _ours(entry: Mapping[str, Any]) -> bool:
    """Whether an entry starts our server already, perhaps in another way: by a full path, through uv."""
    args = entry.get("args")
    return isinstance(entry.get("command"), str) and isinstance(args, list) and "mcp" in args


def _definition(agent: Agent, old: str | None, *, allow_writes: bool) -> str:
    if old is not None and MARK not in old:
        raise Conflict(
            "there is a definition that was not written by mlwright, or was made somebody's own; nothing was written",
            where=agent.definition,
            next_command=f"mv {agent.definition} {agent.definition}.mine",
        )
    head = (_TEMPLATES / agent.head).read_text(encoding="utf-8")
    body = (_TEMPLATES / "body.md").read_text(encoding="utf-8")
    return head + body.replace("{mark}", MARK).replace("{writes}", _MAY[allow_writes])


def _change(folder: Path, path: str, make: Callable[[str | None], str]) -> Change:
    place = folder / path
    _refuse_links(folder, path)
    try:
        raw = place.read_bytes() if place.exists() else None
        if raw is not None and len(raw) > _LARGEST:
            raise UsageError("the file is too large to be ours to change", where=path)
        encoding = "utf-8-sig" if raw is not None and raw.startswith(b"\xef\xbb\xbf") else "utf-8"
        old = None if raw is None else raw.decode(encoding)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the file cannot be read as UTF-8 text", where=path, why=str(error)) from error
    new = make(old)
    if old is not None and "\r\n" in old and "\r\n" not in new:
        new = new.replace("\n", "\r\n")
    return Change(
        path=path,
        before=None if raw is None else digest(raw),
        text=new,
        encoding=encoding,
        diff="" if new == old else unified(path, old, new),
        fixes=(),
    )


def _refuse_links(folder: Path, path: str) -> None:
    """A link may lead out of the project; what is read through one would be shown in the diff."""
    here = folder
    for part in Path(path).parts:
        here = here / part
        if here.is_symlink():
            raise Conflict(
                "a symbolic link is in the way, and links are not followed; nothing was written",
                where=here.relative_to(folder).as_posix(),
                next_command="make it a folder or file of the project",
            )


def _object(agent: Agent, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _unfit(agent, f"{error}; comments and trailing commas are no JSON") from error
    if not isinstance(found, dict):
        raise _unfit(agent, "its outermost value has to be an object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _unfit(agent: Agent, why: str) -> UsageError:
    return UsageError(
        "the configuration cannot be merged with; it was not touched",
        where=agent.configuration,
        why=why,
        next_command=f"put this into it by hand, under {agent.servers!r}: "
        f"{json.dumps({SERVER: agent.entry})}",
    )


def _indent(old: str | None) -> int | str:
    found = re.search(r"^([ \t]+)\S", old or "", re.MULTILINE)
    return found.group(1) if found else 2


def _state(change: Change) -> WrittenFile:
    state = "unchanged" if not change.diff else "created" if change.before is None else "changed"
    return WrittenFile(path=change.path, state=state, diff=change.diff)


def _next(agent: Agent, folder: Path, dry_run: bool) -> tuple[str, ...]:
    if dry_run:
        return ("nothing was written: type it again without --dry-run",)
    extra = () if find_spec("mcp") else ("pip install 'mlwright[mcp]'",)
    found = f"if {agent.title} does not find mlwright, put its full path into {agent.configuration} as the command"
    return (*extra, agent.next, found)
