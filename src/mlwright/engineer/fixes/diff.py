"""Unified diffs, as ``patch -p1`` and ``git apply`` take them."""

import difflib
from collections.abc import Iterator

from mlwright.engineer.fixes.text import lines_of


def unified(path: str, before: str | None, after: str) -> str:
    """How a text changes.

    Args:
        path: the file's POSIX path from the root.
        before: what stands there, None where there is no file.
        after: what will.
    """
    old, new = lines_of(before or ""), lines_of(after)
    names = ("/dev/null" if before is None else f"a/{path}", f"b/{path}")
    if not old:
        return "".join(_ended([f"--- {names[0]}\n", f"+++ {names[1]}\n", *_added(new)]))
    return "".join(_ended(difflib.unified_diff(old, new, *names)))


def _added(lines: list[str]) -> Iterator[str]:
    """A whole new file; difflib would compare its lines with nothing."""
    if lines:
        yield f"@@ -0,0 +1{',' + str(len(lines)) if len(lines) > 1 else ''} @@\n"
        yield from (f"+{line}" for line in lines)


def _ended(lines: "Iterator[str] | list[str]") -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
