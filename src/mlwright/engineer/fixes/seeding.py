"""Edits of Python text that give seeds: positions come from the syntax tree, every other character stays.

An edit is kept only if the new text parses to the same tree as the old one, seeds apart.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.collect.python_source import parse
from mlwright.engineer.facts.code import Call
from mlwright.engineer.vocabulary.dataflow import opaque

_VALUE: Final = 13
_NAMES: Final = ("SEED", "RANDOM_SEED", "RANDOM_STATE")
_KEYWORDS: Final = ("random_state", "seed", "generator", "random_seed", "data_seed")
_ESTIMATORS: Final = ("sklearn.", "imblearn.", "umap.", "cuml.", "dask_ml.")
_POSITIONAL: Final = ("numpy.random.default_rng", "numpy.random.RandomState")
# What draws from one hidden source of its module, and the function of that module which seeds it.
_PROCESS: Final = (
    ("numpy.random.", "numpy", "random.seed"),
    ("random.", "random", "seed"),
    ("torch.", "torch", "manual_seed"),
    ("tensorflow.keras.", "tensorflow", "random.set_seed"),
    ("keras.", "keras", "utils.set_random_seed"),
)


class Ambiguous(ValueError):
    """A machine cannot be sure of what is meant."""


class _Given(Exception):
    """The call has a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """How a call is given its seed.

    ``keyword`` is the argument's name, "" for the first positional one; ``generator`` tells that it takes a torch
    generator. ``module`` and ``function`` are those that seed the whole process, where the call itself takes no seed.
    """

    method: str
    keyword: str = ""
    generator: bool = False
    module: str = ""
    function: str = ""

    @staticmethod
    def of(call: Call) -> "Seed | None":
        """How this call is given a seed; None where that is not known."""
        if opaque(call) or (call.name in _POSITIONAL and call.args):
            return None
        name = "torch." if call.method in ("backward", "train_on_batch") else call.name
        if name in _POSITIONAL:
            return Seed(method=call.method)
        if name.endswith("random_split") and name.startswith("torch."):
            return Seed(method=call.method, keyword="generator", generator=True)
        if name.startswith(_ESTIMATORS):
            return Seed(method=call.method, keyword="random_state")
        if call.method in ("randomSplit", "train_test_split"):
            return Seed(method=call.method, keyword="seed")
        found = [
            (module, function)
            for prefix, module, function in _PROCESS
            if name.startswith(prefix) or call.made_by.startswith(prefix)
        ]
        return Seed(method=call.method, module=found[0][0], function=found[0][1]) if found else None


@dataclass(frozen=True, slots=True)
class _Edit:
    """Characters ``start`` to ``end`` of the text become ``new``."""

    start: int
    end: int
    new: str


def seeded(
    text: str, newline: str, wanted: Mapping[int, Sequence[Seed]], *, scripted: bool
) -> tuple[str, list[str]]:
    """A Python text with seeds for the calls on these lines, and one constant that they take.

    Args:
        text: the source.
        newline: its line end.
        wanted: by line (from 1), how the calls there are seeded.
        scripted: whether the file is started itself, so that it may seed the whole process.

    Returns:
        the new text, and what was left alone as ``line: why``.

    Raises:
        Ambiguous: the constant has no place or no name.
        SyntaxError, ValueError, RecursionError, MemoryError: it cannot be parsed.
    """
    tree = parse(text)
    lines = _Lines(text)
    name, known = _constant(tree)
    edits: list[_Edit] = []
    notes: list[str] = []
    process: dict[str, str] = {}
    touched: list[int] = []
    for line, seeds in sorted(wanted.items()):
        for seed in seeds:
            try:
                if seed.module:
                    process[_process(tree, seed, scripted)] = seed.module
                else:
                    edits += _calls(tree, lines, line, seed, name)
                touched.append(line)
            except Ambiguous as error:
                notes.append(f"{line}: {error}")
            except _Given:
                continue
    if not touched:
        return text, notes
    new = [f"{name} = {_VALUE}"] * (not known) + [f"{each}({name})" for each in sorted(process)]
    spot = _spot(tree, touched, name, known)
    if new:
        edits.append(_inserted(lines, spot, new, newline))
    result = _applied(text, edits)
    if not _same(tree, parse(result), name, new):
        raise Ambiguous("the change would mean more than a seed: left alone")
    return result, notes


class _Lines:
    """Where lines begin in a text, and characters for the columns of a syntax tree, which count UTF-8 bytes."""

    def __init__(self, text: str) -> None:
        self.text = text
        # The parser takes \r\n and \r for line ends as well.
        self.starts = [0] + [each.end() for each in re.finditer(r"\r\n|\r|\n", text)]

    def line(self, number: int) -> str:
        """A line (from 1) with its end."""
        end = self.starts[number] if number < len(self.starts) else len(self.text)
        return self.text[self.starts[number - 1] : end]

    def at(self, line: int, column: int) -> int:
        """The position in the text of a column in bytes."""
        return self.starts[line - 1] + len(self.line(line).encode()[:column].decode())


def _constant(tree: ast.Module) -> tuple[str, bool]:
    """The name of the constant, and whether it is there already."""
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in _NAMES
            and isinstance(node.value, ast.Constant)
            and type(node.value.value) is int
            and _bound(tree, node.targets[0].id) == 1
        ):
            return node.targets[0].id, True
    for name in _NAMES:
        if not any(name in (getattr(node, "id", ""), getattr(node, "arg", ""), getattr(node, "asname", ""),
                            getattr(node, "name", "")) for node in ast.walk(tree)):  # fmt: skip
            return name, False
    raise Ambiguous("SEED and its like are names of something else: left alone")


def _bound(tree: ast.Module, name: str) -> int:
    """How many times a name is given a value, as a variable or a parameter."""
    return sum(
        (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.arg) and node.arg == name)
        for node in ast.walk(tree)
    )


def _calls(tree: ast.Module, lines: _Lines, line: int, seed: Seed, name: str) -> Iterator[_Edit]:
    """The edits of the calls of a method whose name stands on this line."""
    found = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == (line, seed.method)
    ]
    if len(found) != 1:
        many = f"{len(found)} calls" if found else "no plain call"
        raise Ambiguous(f"{many} of {seed.method} on the line: left alone")
    value = name
    if seed.generator:
        if not any(isinstance(each, ast.Import) and any(one.name == "torch" and not one.asname for one in each.names)
                   for each in tree.body):  # fmt: skip
            raise Ambiguous("torch is not imported by its name: left alone")
        value = f"torch.Generator().manual_seed({name})"
    yield _argument(found[0], lines, seed.keyword, value)


def _called(node: ast.Call) -> tuple[int, str]:
    """The line on which the called name stands, and its last part."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.end_lineno or function.lineno, function.attr
    return (function.lineno, function.id) if isinstance(function, ast.Name) else (0, "")


def _argument(node: ast.Call, lines: _Lines, keyword: str, value: str) -> _Edit:
    """The edit that gives a call this argument."""
    given = next((each for each in node.keywords if each.arg == keyword and keyword), None)
    if given is not None:
        if not (isinstance(given.value, ast.Constant) and given.value.value is None):
            raise _Given
        return _Edit(*_span(given.value, lines), value)
    given_now: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
    arguments = sorted((_span(each, lines) for each in given_now), key=lambda each: each[1])
    if any(isinstance(each, ast.GeneratorExp) for each in node.args):
        raise Ambiguous("a generator is the argument: left alone")
    text = f"{keyword}={value}" if keyword else value
    end = _span(node, lines)[1] - 1  # the closing bracket
    if not arguments:
        return _Edit(end, end, text)
    spot = _behind(lines.text[arguments[-1][1] : end]) + arguments[-1][1]
    return _Edit(spot, spot, f", {text}")


def _span(node: ast.expr | ast.keyword, lines: _Lines) -> tuple[int, int]:
    if node.end_lineno is None or node.end_col_offset is None:
        raise Ambiguous("its place in the text is not known")
    return lines.at(node.lineno, node.col_offset), lines.at(node.end_lineno, node.end_col_offset)


def _behind(rest: str) -> int:
    """How many characters of brackets still belong to the last argument: ``f((a) )`` ends behind the first one."""
    bare = re.sub(r"#[^\r\n]*", lambda found: " " * len(found[0]), rest)
    return bare.rfind(")") + 1


def _process(tree: ast.Module, seed: Seed, scripted: bool) -> str:
    """The call that seeds the whole process, by the name under which the file imports its module."""
    if not scripted:
        raise Ambiguous("a seed for the whole process belongs where the process starts: left alone")
    for node in tree.body:
        for each in node.names if isinstance(node, ast.Import) else ():
            if each.name == seed.module:
                return f"{each.asname or each.name}.{seed.function}"
    raise Ambiguous(f"{seed.module} is not imported as a module: left alone")


def _spot(tree: ast.Module, touched: Sequence[int], name: str, known: bool) -> int:
    """The line behind which new lines go: behind the imports or the constant, before the first place in need of it."""
    first = min(touched)
    if known:
        behind = next(
            node.end_lineno or node.lineno
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
        )
        if any(line <= behind and not _inside(tree, line) for line in touched):
            raise Ambiguous(f"{name} is given a value further down: left alone")
    else:
        heads = [
            node.end_lineno or node.lineno
            for number, node in enumerate(tree.body)
            if isinstance(node, ast.Import | ast.ImportFrom)
            or (number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        ]
        behind = max((each for each in heads if each < first), default=0)
    if any(node.lineno <= behind < (node.end_lineno or 0) for node in tree.body):
        raise Ambiguous("several statements share a line: left alone")
    return behind


def _inside(tree: ast.Module, line: int) -> bool:
    """Whether a line belongs to a function, which runs after the module was read."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno < line <= (node.end_lineno or 0)
        for node in ast.walk(tree)
    )


def _inserted(lines: _Lines, behind: int, new: Sequence[str], newline: str) -> _Edit:
    """Put these lines behind a line, with an empty one around them."""
    spot = lines.starts[behind] if behind < len(lines.starts) else len(lines.text)
    before = "" if behind == 0 else newline
    if behind and not lines.line(behind).endswith(("\n", "\r")):
        before = newline * 2
    after = newline if lines.text[spot : spot + 1] not in ("\n", "\r", "") else ""
    return _Edit(spot, spot, before + "".join(f"{line}{newline}" for line in new) + after)


def _applied(text: str, edits: Sequence[_Edit]) -> str:
    for each in sorted(edits, key=lambda each: each.start, reverse=True):
        text = text[: each.start] + each.new + text[each.end :]
    return text


class _WithoutSeeds(ast.NodeTransformer):
    """Takes away what this module may put in."""

    def __init__(self, name: str, new: Sequence[str]) -> None:
        self._name, self._new = name, frozenset(new)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        node.keywords = [
            each for each in node.keywords if not (each.arg in _KEYWORDS and self._is_seed(each.value))
        ]
        node.args = [each for each in node.args if not (isinstance(each, ast.Name) and each.id == self._name)]
        return node

    def _is_seed(self, value: ast.expr) -> bool:
        written = ast.unparse(value)
        return written in ("None", self._name, "torch.Generator().manual_seed()")


def _same(old: ast.Module, new: ast.Module, name: str, inserted: Sequence[str]) -> bool:
    """Whether the trees are the same once seeds and the inserted statements are taken out of both."""
    new.body = [node for node in new.body if ast.unparse(node) not in inserted]
    old = parse(ast.unparse(old))
    old.body = [node for node in old.body if ast.unparse(node) not in inserted]
    trees = [_WithoutSeeds(name, inserted).visit(each) for each in (old, parse(ast.unparse(new)))]
    return ast.dump(trees[0]) == ast.dump(trees[1])
