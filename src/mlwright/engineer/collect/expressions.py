"""The half of the pass over a syntax tree that is about expressions: names, calls, arguments, what is assigned."""

import ast
from collections.abc import Callable, Sequence
from typing import Any, Final

from mlwright.engineer.collect.literals import clean, cut, literal
from mlwright.engineer.collect.places import looks_like_path
from mlwright.engineer.collect.scopes import Scopes

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

_NOT_CHILDREN: Final = frozenset(
    (
        *(
            "ctx",
            "op",
            "ops",
            "id",
            "attr",
            "arg",
            "name",
            "asname",
            "module",
            "level",
            "names",
            "kind",
            "conversion",
        ),
        *("simple", "is_async", "rest", "kwd_attrs", "type_comment", "type_ignores", "lineno"),
    )
)
_FIELDS: Final[dict[type, tuple[str, ...]]] = {
    kind: tuple(field for field in kind._fields if field not in _NOT_CHILDREN)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
ORDERED: Final = ("imports", "functions", "classes", "assignments", "bindings", "handlers", "comparisons")


class Expressions:
    """What is read of expressions and assignments; ``Reading`` in ``syntax.py`` adds statements."""

    def __init__(self, package: str) -> None:
        self._scopes = Scopes(package)
        self._cell: int | None = None
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
        self._visitors = self._table()

    def _table(self) -> dict[type, Callable[[Any], None]]:
        return {
            ast.Attribute: self._attribute,
            ast.Constant: self._constant,
            ast.Call: self._call,
            ast.keyword: self._keyword,
            ast.Assign: self._assign,
            ast.AnnAssign: self._annotated,
            ast.NamedExpr: self._walrus,
            ast.Delete: self._delete,
            ast.Global: self._global,
            ast.comprehension: self._comprehension,
            ast.ListComp: self._comprehended,
            ast.SetComp: self._comprehended,
            ast.GeneratorExp: self._comprehended,
            ast.DictComp: self._comprehended,
        }

    # -- walking

    def _visit(self, node: Any) -> None:
        # Called for every node there is: the commonest kinds first, and nothing looked up twice.
        kind = type(node)
        self._trail.append(kind.__name__)
        if kind is ast.Name:
            self._names.append(node.id)
            self._words.add(node.id)
            return
        visitor = self._visitors.get(kind)
        if visitor is not None:
            visitor(node)
            return
        for field in _FIELDS[kind]:
            value = getattr(node, field, None)
            if type(value) is list:
                self._all(value)
            elif isinstance(value, ast.AST):
                self._visit(value)

    def _all(self, nodes: Sequence[Any]) -> None:
        for node in nodes:
            if isinstance(node, ast.stmt):
                self._statements += 1
                self._visit(node)
            elif isinstance(node, ast.AST):
                self._visit(node)

    def _block(self, body: Sequence[ast.stmt]) -> None:
        self._statements += len(body)
        for statement in body:
            self._visit(statement)

    def _note(self, what: str, node: Any, row: tuple[Any, ...]) -> None:
        self._out[what].append(((self._cell or 0, node.lineno, node.col_offset), row))

    def _source(self, node: Any, limit: int) -> str:
        first, last = node.lineno - 1, node.end_lineno - 1
        line = self._lines[first] if first < len(self._lines) else ""
        if first == last:
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
        text = text[:limit]
        return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)

    # -- expressions

    def _attribute(self, node: ast.Attribute) -> None:
        self._words.add(node.attr)
        self._trail.append(node.attr)
        self._visit(node.value)

    def _constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, str):
            value = clean(value)
            self._strings.append(value)
            if len(value) <= _WORD:
                self._words.add(value)
            if looks_like_path(value):
                self._out["paths"].append((value, node.lineno))

    def _keyword(self, node: ast.keyword) -> None:
        if node.arg:
            self._words.add(node.arg)
            self._trail.append(node.arg)
        self._visit(node.value)

    def _call(self, node: ast.Call) -> None:
        self._called(node, ())

    def _called(self, node: ast.Call, results: tuple[str, ...]) -> str:
        """Note a call; the answer is what its results are made by."""
        callee = self._scopes.callee(node.func)
        line, column = node.func.end_lineno, node.func.end_col_offset
        key = (self._cell or 0, line, column)
        fact = (
            callee.name,
            line,
            self._cell,
            self._scopes.scope,
            (),
            results,
            callee.receiver,
            callee.made_by,
        )
        row: list[Any] = [*key, *fact, self._loops > 0]
        self._calls.append(row)
        if callee.late is not None:
            self._late.append((row, callee.late))
        if callee.name.rpartition(".")[2].startswith("assert") or callee.name == "pytest.raises":
            self._out["asserts"] += 1
        self._visit(node.func)
        args = [self._argument(None, each) for each in node.args]
        for keyword in node.keywords:
            if keyword.arg:
                self._words.add(keyword.arg)
                self._trail.append(keyword.arg)
            args.append(self._argument(keyword.arg or "**", keyword.value))
        row[7] = tuple(args)
        return callee.gives

    def _argument(self, keyword: str | None, node: ast.expr) -> tuple[Any, ...]:
        start = len(self._names)
        self._visit(node)
        constant, value = literal(node)
        names = tuple(dict.fromkeys(self._names[start : start + _READ]))
        text = node.id if isinstance(node, ast.Name) else self._source(node, _SHOWN)
        return keyword, constant, text if isinstance(value, bytes | complex) else value, names, text

    def _walrus(self, node: ast.NamedExpr) -> None:
        self._scopes.give(node.target.id, self._value(node.value, (node.target.id,)))
        self._visit(node.target)

    def _comprehended(self, node: Any) -> None:
        self._all(node.generators)
        for field in ("key", "value", "elt"):
            if (below := getattr(node, field, None)) is not None:
                self._visit(below)

    def _comprehension(self, node: ast.comprehension) -> None:
        self._visit(node.iter)
        self._each_of(node.target, node.iter)
        self._visit(node.target)
        self._all(node.ifs)

    # -- assignments

    def _assign(self, node: ast.Assign) -> None:
        self._bind(node, node.targets, node.value)
        self._all(node.targets)

    def _annotated(self, node: ast.AnnAssign) -> None:
        self._visit(node.annotation)
        if node.value is not None:
            self._bind(node, [node.target], node.value)
        elif kind := self._annotation(node.annotation):
            self._scopes.give(self._scopes.place(node.target), kind)
        self._visit(node.target)

    def _bind(self, statement: ast.stmt, targets: Sequence[ast.expr], value: ast.expr) -> None:
        first = targets[0]
        if (
            len(targets) == 1
            and isinstance(first, ast.Tuple | ast.List)
            and isinstance(value, ast.Tuple | ast.List)
            and len(first.elts) == len(value.elts)
            and not any(isinstance(each, ast.Starred) for each in (*first.elts, *value.elts))
        ):
            for target, part in zip(first.elts, value.elts, strict=True):
                self._bind(statement, [target], part)
            return
        names = tuple(name for target in targets for name in self._places(target))
        constant, scalar = literal(value)
        if constant and not isinstance(scalar, bytes | complex):
            self._visit(value)
            for name in names:
                self._scopes.give(name, "")
                self._constant_at(name, scalar, statement)
            return
        read, said = len(self._names), len(self._strings)
        made_by = self._value(value, names)
        for name in names:
            self._scopes.give(name, made_by)
            if isinstance(value, ast.Dict):
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

    def _value(self, node: ast.expr, names: tuple[str, ...]) -> str:
        """Visit what is assigned to these names; the answer is what made it."""
        if isinstance(node, ast.Await):
            return self._value(node.value, names)
        if isinstance(node, ast.Call):
            self._trail.append("Call")
            return self._called(node, names)
        if isinstance(node, ast.IfExp):
            self._visit(node.test)
            return self._value(node.body, names) or self._value(node.orelse, names)
        self._visit(node)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._scopes.origin(self._scopes.dotted(node))[0]
        if isinstance(node, ast.Subscript):
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
                return self._scopes.callee(inner.func).gives
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
        if isinstance(target, ast.Tuple | ast.List):
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
            if constant and not isinstance(scalar, bytes | complex):
                self._constant_at(below, scalar, key)
            elif isinstance(value, ast.Dict) and depth < _NESTED:
                self._places_of(below, value, statement, depth + 1)

    def _delete(self, node: ast.Delete) -> None:
        self._all(node.targets)
        names = tuple(name for target in node.targets for name in self._places(target))
        roots = tuple(dict.fromkeys(name.partition(".")[0] for name in names))
        self._note("bindings", node, (names, roots, (), "del", node.lineno, self._cell, self._scopes.scope))

    def _global(self, node: ast.Global) -> None:
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
        return self._scopes.dotted(node) if isinstance(node, ast.Name | ast.Attribute) else ""

    def _annotation(self, node: ast.expr) -> str:
        """The class that an annotation names, where it comes from an import; "" otherwise."""
        if isinstance(node, ast.Name | ast.Attribute):
            name = self._scopes.dotted(node)
            return name if "." in name else ""
        return ""
