"""Notebooks: the source of their cells as Python, the size of their outputs, the order in which they were run."""

import re
from itertools import pairwise
from typing import Any, Final

import msgspec

from mlwright.engineer.collect.expressions import RawFile
from mlwright.engineer.collect.python_source import Piece, fault_of, package_of, parse, read_trees

_KEPT: Final = frozenset(
    ("time", "timeit", "capture", "prun", "memit", "mprun", "debug", "wandb", "snakeviz", "scalene")
)
_MAGIC: Final = re.compile(r"(\s*)(?:[%!?].*|(?:[\w.]+(?:\s*,\s*[\w.]+)*\s*=\s*[%!].*)|[\w.]+\?{1,2}\s*)\Z")


class _Cell(msgspec.Struct):
    cell_type: Any = ""
    source: Any = ""
    input: Any = ""
    language: Any = None
    execution_count: Any = None
    prompt_number: Any = None
    outputs: msgspec.Raw = msgspec.Raw(b"")


class _Sheet(msgspec.Struct):
    cells: list[_Cell] = []


class _Notebook(msgspec.Struct):
    cells: list[_Cell] = []
    worksheets: list[_Sheet] = []
    metadata: Any = None


_DECODER: Final = msgspec.json.Decoder(_Notebook)


def parse_notebook(path: str, content: bytes) -> RawFile:
    """What the code cells of a notebook say, as plain tuples; outputs are measured and not built."""
    try:
        try:
            book = _DECODER.decode(content)
        except UnicodeDecodeError:
            book = _DECODER.decode(content.decode("utf-8", "replace").encode())
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        return {"fault": fault_of(error)}
    cells = book.cells or [cell for sheet in book.worksheets for cell in sheet.cells]
    code = [(number, cell) for number, cell in enumerate(cells, 1) if cell.cell_type == "code"]
    raw: RawFile = {
        "outputs_bytes": sum(max(0, len(memoryview(cell.outputs)) - 2) for _, cell in code),
        "executed_in_order": _in_order([cell for _, cell in code]),
    }
    language = _language(book.metadata)
    if language != "python":
        return raw | {"fault": f"written in {language}, not Python"}
    sources = [(number, source) for number, cell in code if (source := _source(cell)).strip()]
    raw["lines"] = sum(source.count("\n") + 1 for _, source in sources)
    pieces = [piece for number, source in sources if (piece := _as_python(number, source)) is not None]
    if not pieces and any(not _skipped(source) for _, source in sources):
        return raw | {"fault": "no cell is valid Python"}
    try:
        return raw | read_trees(package_of(path), pieces)
    except (RecursionError, MemoryError) as error:
        return raw | {"fault": fault_of(error)}


def _language(metadata: Any) -> str:
    for part, key in (("kernelspec", "language"), ("language_info", "name")):
        inside = metadata.get(part) if isinstance(metadata, dict) else None
        found = inside.get(key) if isinstance(inside, dict) else None
        if isinstance(found, str) and found:
            return "python" if found.lower() in ("python", "ipython", "python3") else found[:40]
    return "python"


def _source(cell: _Cell) -> str:
    source = cell.source or cell.input
    if isinstance(source, list):
        source = "".join(each for each in source if isinstance(each, str))
    return source.replace("\r\n", "\n").replace("\r", "\n") if isinstance(source, str) else ""


def _in_order(cells: list[_Cell]) -> bool | None:
    counts = [
        count
        for cell in cells
        if isinstance(count := cell.execution_count or cell.prompt_number, int) and _source(cell).strip()
    ]
    return all(before < after for before, after in pairwise(counts)) if counts else None


def _skipped(source: str) -> bool:
    first = source.lstrip().partition("\n")[0]
    return first.startswith("%%") and first[2:].split(" ")[0].strip() not in _KEPT


def _as_python(number: int, source: str) -> Piece | None:
    """A cell as Python with the same lines, magics and shell commands taken out; None where it is none."""
    if _skipped(source):
        return None
    whole = _parsed(number, source)
    if whole is not None:
        return whole
    lines = source.split("\n")
    going_on = False
    for index, line in enumerate(lines):
        found = _MAGIC.match(line)
        if not going_on and not found:
            continue
        # ``pass`` and not a comment: it may be all that stands in a block.
        lines[index] = "" if going_on or found is None else f"{found[1]}pass"
        going_on = line.rstrip().endswith("\\")
    return _parsed(number, "\n".join(lines))


def _parsed(number: int, source: str) -> Piece | None:
    try:
        return Piece(number, parse(source), source.split("\n"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
