"""The half of the pass over a syntax tree that is about expressions: names, calls, arguments, what is assigned."""

import ast
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, ClassVar, Final

from mlwright.engineer.collect.literals import clean, cut, literal
from mlwright.engineer.collect.passing import FIELDS, Visitor, passing
from mlwright.engineer.collect.places import looks_like_path
from mlwright.engineer.collect.scopes import Callee, Scopes, given

RawFile = dict[str, Any]
"""The fields of a PythonFile, with tuples in place of facts."""

_STRINGS: Final = 500
_READ: Final = 200
_WORD: Final = 60
_SHOWN: Final = 80
_BOUND: Final = 200
_NESTED: Final = 4
_THROUGH: Final = frozenset(
    ("enumerate", "list", "tuple", "sorted", "reversed", "tqdm.tqdm", "tqdm.auto.tqdm")
)

ORDERED: Final = ("imports", "functions", "classes", "assignments", "bindings", "handlers", "comparisons")
# Not written as ``A | B`` where they are asked: a union is made anew each time, which costs more than the question.
_ROWS: Final = (ast.Tuple, ast.List)
_DOTTED: Final = (ast.Name, ast.Attribute)
_ODD: Final = (bytes, complex)
_PLACE: Final = itemgetter(0)
_CALL_PLACE: Final = itemgetter(0, 1, 2)


class Expressions:
    """What is read of expressions and assignments; ``Reading`` in ``syntax.py`` adds statements.

    Every visitor notes the kind of its node in the trail, and calls the visitors of what is below by ``visitors``: this
    runs for every node that there is, so that a call or a look-up more is felt.
    """

    visitors: ClassVar[Mapping[type, Visitor]] = {}

    def __init__(self, package: str) -> None:
        self._scopes = Scopes(package)
        self._cell: int | None = None
        self._part = 0
        self._lines: Sequence[str] = ()
        self._loops = 0
        self._statements = 0
        self._names: list[str] = []
        self._strings: list[str] = []
        self._trail: list[str] = []
        self._words: set[str] = set()
        self._calls: list[list[Any]] = []
        self._late: list[tuple[list[Any], dict[str, str]]] = []
        self._out: RawFile = {
            **{each: [] for each in ORDERED},
            "paths": [],
            "main_guard": False,
            "asserts": 0,
        }

    def finish(self) -> RawFile:
        """Everything that was read, in the order of the text; the reading is over then."""
        for row, names in self._late:
            row[10] = names.get(row[9], "")
        self._calls.sort(key=_CALL_PLACE)
        self._out["calls"] = [row[3:] for row in self._calls]
        for each in ORDERED:
            self._out[each].sort(key=_PLACE)
            self._out[each] = [row for _, row in self._out[each]]
        self._words.update(self._names)
        self._out["words"] = frozenset(map(str.lower, self._words))
        return self._out

    # -- walking

    def _visit(self, node: Any) -> None:
        self.visitors[type(node)](self, node)

    def _all(self, nodes: Sequence[Any]) -> None:
        visitors = self.visitors
        for node in nodes:
            visitor = visitors.get(type(node))  # None for a key that ``**more`` stands in place of
            if visitor is not None:
                visitor(self, node)

    def _block(self, body: Sequence[ast.stmt]) -> None:
        self._statements += len(body)
        visitors = self.visitors
        for statement in body:
            visitors[type(statement)](self, statement)

    def _note(self, what: str, node: Any, row: tuple[Any, ...]) -> None:
        self._out[what].append(((self._part, node.lineno, node.col_offset), row))

    def _source(self, node: Any, limit: int) -> str:
        first, last = node.lineno - 1, node.end_lineno - 1
        line = self._lines[first] if first < len(self._lines) else ""
        if first == last and line.isascii():
            text = line[node.col_offset : node.end_col_offset]
        elif first == last:
            text = cut(line, node.col_offset, node.end_col_offset)
        else:
            parts = [cut(line, node.col_offset, None)]
            room = limit - len(parts[0])
            for number in range(first + 1, min(last, first + limit) + 1):
                if room <= 0:
                    break
                line = self._lines[number] if number < len(self._lines) else ""
                parts.append(line if number < last else cut(line, 0, node.end_col_offset))
                room -= len(parts[-1].strip())
            text = " ".join(" ".join(parts).split())
        if len(text) > limit:
            text = text[:limit]
        return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)

    # -- expressions

    def _name(self, node: ast.Name) -> None:
        self._trail.append("Name")
        self._names.append(node.id)

    def _attribute(self, node: ast.expr) -> None:
        while type(node) is ast.Attribute:
            self._trail += ("Attribute", node.attr)
            self._words.add(node.attr)
            node = node.value
        if type(node) is ast.Name:
            self._trail.append("Name")
            self._names.append(node.id)
        else:
            self.visitors[type(node)](self, node)

    def _constant(self, node: ast.Constant) -> None:
        self._trail.append("Constant")
        value = node.value
        if type(value) is str:
            if not value.isascii():
                value = clean(value)
            self._strings.append(value)
            if len(value) <= _WORD:
                self._words.add(value)
            if ("/" in value or "." in value or "\\" in value) and looks_like_path(value):
                self._out["paths"].append((value, node.lineno))

    def _keyword(self, node: ast.keyword) -> None:
        self._trail.append("keyword")
        if node.arg:
            self._words.add(node.arg)
            self._trail.append(node.arg)
        self._visit(node.value)

    def _call(self, node: ast.Call) -> None:
        self._trail.append("Call")
        self._called(node, ())

    def _called(self, node: ast.Call, results: tuple[str, ...]) -> Callee:
        """Note a call; the answer is what it calls."""
        func = node.func
        callee = self._scopes.callee(func)
        name, method, receiver, made_by, late = callee
        line = func.end_lineno
        row: list[Any] = [
            *(self._part, line, func.end_col_offset),
            *(name, line, self._cell, self._scopes.scope, (), results, receiver, made_by, self._loops > 0),
            method,
        ]
        self._calls.append(row)
        if late is not None:
            self._late.append((row, late))
        if method.startswith("assert") or name == "pytest.raises":
            self._out["asserts"] += 1
        self.visitors[type(func)](self, func)
        args = []  # and no comprehension, which is one call more
        for each in node.args:
            args.append(self._argument(None, each))
        for keyword in node.keywords:
            if keyword.arg:
                self._words.add(keyword.arg)
                self._trail.append(keyword.arg)
            args.append(self._argument(keyword.arg or "**", keyword.value))
        row[7] = tuple(args)
        return callee

    def _argument(self, keyword: str | None, node: ast.expr) -> tuple[Any, ...]:
        if type(node) is ast.Name:
            name = node.id
            self._trail.append("Name")
            self._names.append(name)
            return keyword, False, None, (name,), name
        start = len(self._names)
        self.visitors[type(node)](self, node)
        constant, value = literal(node)
        read = self._names[start : start + _READ]
        names = tuple(dict.fromkeys(read)) if len(read) > 1 else tuple(read)
        text = self._source(node, _SHOWN)
        return keyword, constant, text if isinstance(value, _ODD) else value, names, text

    def _walrus(self, node: ast.NamedExpr) -> None:
        self._trail.append("NamedExpr")
        self._scopes.give(node.target.id, self._value(node.value, (node.target.id,)))
        self._visit(node.target)

    def _comprehended(self, node: Any) -> None:
        self._trail.append(type(node).__name__)
        self._all(node.generators)
        for field in ("key", "value", "elt"):
            if (below := getattr(node, field, None)) is not None:
                self._visit(below)

    def _comprehension(self, node: ast.comprehension) -> None:
        self._trail.append("comprehension")
        self._visit(node.iter)
        self._each_of(node.target, node.iter)
        self._visit(node.target)
        self._all(node.ifs)

    # -- assignments

    def _assign(self, node: ast.Assign) -> None:
        self._trail.append("Assign")
        self._bind(node, node.targets, node.value)
        self._all(node.targets)

    def _annotated(self, node: ast.AnnAssign) -> None:
        self._trail.append("AnnAssign")
        self._visit(node.annotation)
        if node.value is not None:
            self._bind(node, [node.target], node.value)
        elif kind := self._annotation(node.annotation):
            self._scopes.give(self._scopes.place(node.target), kind)
        self._visit(node.target)

    def _bind(self, statement: ast.stmt, targets: Sequence[ast.expr], value: Any) -> None:
        first: Any = targets[0]
        if (
            len(targets) == 1
            and type(first) in _ROWS
            and type(value) in _ROWS
            and len(first.elts) == len(value.elts)
            and not any(isinstance(each, ast.Starred) for each in (*first.elts, *value.elts))
        ):
            for target, part in zip(first.elts, value.elts, strict=True):
                self._bind(statement, [target], part)
            return
        names = tuple([name for target in targets for name in self._places(target)])
        constant, scalar = literal(value)
        if constant and not isinstance(scalar, _ODD):
            self._visit(value)
            for name in names:
                self._scopes.give(name, "")
                self._constant_at(name, scalar, statement)
            return
        read, said = len(self._names), len(self._strings)
        made_by = self._value(value, names)
        for name in names:
            self._scopes.give(name, made_by)
            if type(value) is ast.Dict:
                self._places_of(name, value, statement, 0)
        self._note(
            "bindings",
            statement,
            (
                names,
                tuple(dict.fromkeys(self._names[read : read + _READ])),
                tuple(self._strings[said : said + _STRINGS]),
                self._source(value, _BOUND),
                statement.lineno,
                self._cell,
                self._scopes.scope,
            ),
        )

    def _value(self, node: Any, names: tuple[str, ...]) -> str:
        """Visit what is assigned to these names; the answer is what made it."""
        kind = type(node)
        if kind is ast.Await:
            return self._value(node.value, names)
        if kind is ast.Call:
            self._trail.append("Call")
            return given(self._called(node, names))
        if kind is ast.IfExp:
            self._visit(node.test)
            return self._value(node.body, names) or self._value(node.orelse, names)
        self._visit(node)
        if kind is ast.Name or kind is ast.Attribute:
            return self._scopes.origin(self._scopes.dotted(node))[0]
        if kind is ast.Subscript:
            return self._scopes.origin(f"{self._scopes.dotted(node.value)}[]")[0]
        for name in names:
            self._scopes.give(f"{name}[]", self._held(node))
        return ""

    def _held(self, node: ast.expr) -> str:
        """What made the first thing in a list or mapping: its values are taken to be of one kind."""
        parts = node.values if isinstance(node, ast.Dict) else getattr(node, "elts", ())
        for each in parts[:1]:
            inner = each.elts[-1] if isinstance(each, ast.Tuple) and each.elts else each
            if isinstance(inner, ast.Call):
                return given(self._scopes.callee(inner.func))
        return ""

    def _each_of(self, target: ast.expr, source: ast.expr) -> None:
        """Give the variable of a loop what made the things in the list or mapping that it goes through."""
        names = self._places(target)
        for name in names:
            self._scopes.give(name, "")
        sources = (
            source.args
            if isinstance(source, ast.Call) and self._scopes.dotted(source.func) == "zip"
            else [source]
        )
        for number, each in enumerate(sources):
            made_by = self._held(each) or self._scopes.origin(f"{self._container(each)}[]")[0]
            if made_by and names:
                self._scopes.give(names[number if len(sources) > 1 and number < len(names) else -1], made_by)

    def _places(self, target: ast.expr) -> list[str]:
        if type(target) is ast.Name:
            return [target.id]
        if isinstance(target, _ROWS):
            return [name for each in target.elts for name in self._places(each)]
        name = self._scopes.place(target)
        return [name] if name else []

    def _constant_at(self, name: str, value: Any, node: ast.AST) -> None:
        inside = self._scopes.in_class if "." not in name else ""
        whole = f"{inside}.{name}" if inside else name
        self._note(
            "assignments", node, (whole, value, getattr(node, "lineno", 1), self._cell, self._scopes.scope)
        )

    def _places_of(self, name: str, node: ast.Dict, statement: ast.stmt, depth: int) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                continue
            below = f"{name}.{clean(key.value)}"
            constant, scalar = literal(value)
            if constant and not isinstance(scalar, _ODD):
                self._constant_at(below, scalar, key)
            elif isinstance(value, ast.Dict) and depth < _NESTED:
                self._places_of(below, value, statement, depth + 1)

    def _delete(self, node: ast.Delete) -> None:
        self._trail.append("Delete")
        self._all(node.targets)
        names = tuple(name for target in node.targets for name in self._places(target))
        roots = tuple(dict.fromkeys(name.partition(".")[0] for name in names))
        self._note("bindings", node, (names, roots, (), "del", node.lineno, self._cell, self._scopes.scope))

    def _global(self, node: ast.Global) -> None:
        self._trail.append("Global")
        self._scopes.declare_global(node.names)

    def _container(self, node: ast.expr) -> str:
        """The variable whose things a loop goes through: ``models`` in ``enumerate(models.items())``."""
        while isinstance(node, ast.Call) and node.args and self._scopes.dotted(node.func) in _THROUGH:
            node = node.args[0]
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("items", "values")
        ):
            node = node.func.value
        return self._scopes.dotted(node) if isinstance(node, _DOTTED) else ""

    def _annotation(self, node: ast.expr) -> str:
        """The class that an annotation names, where it comes from an import; "" otherwise."""
        if isinstance(node, _DOTTED):
            name = self._scopes.dotted(node)
            return name if "." in name else ""
        return ""


def expression_visitors() -> dict[type, Visitor]:
    """The visitors of all kinds of nodes; those of statements that are told apart are put over these."""
    each = Expressions
    return {
        **{kind: passing(kind) for kind in FIELDS},
        ast.Name: each._name,
        ast.Attribute: each._attribute,
        ast.Constant: each._constant,
        ast.Call: each._call,
        ast.keyword: each._keyword,
        ast.Assign: each._assign,
        ast.AnnAssign: each._annotated,
        ast.NamedExpr: each._walrus,
        ast.Delete: each._delete,
        ast.Global: each._global,
        ast.comprehension: each._comprehension,
        **dict.fromkeys((ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp), each._comprehended),
    }
