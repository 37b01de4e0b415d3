"""One pass over the syntax trees of a file: what it imports, calls, defines and assigns, as plain tuples.

Plain tuples, not facts, because they cross from one process to another with ``marshal``, which takes a tenth of the
time that pickled values would. ``making.py`` makes facts of them.
"""

import ast
import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final

from mlwright.engineer.collect.expressions import Expressions, expression_visitors

_TRAIL: Final = 100_000
_FEW: Final = 5
_COMPARED: Final = 80
_ORDERS: Final = frozenset((ast.Lt, ast.LtE, ast.Gt, ast.GtE))
_IMPORTS: Final = (ast.Import, ast.ImportFrom)
_NOTHING: Final = (ast.Pass, ast.Continue)
_JUMPS: Final = (ast.Return, ast.Break, ast.Continue, ast.Raise)
_MISSING: Final = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))
_TIDIES: Final = re.compile(
    r"close|shutdown|unlink|remove|rmtree|rmdir|kill|terminate|delete|clean|release|stop|disconnect|cancel|rollback"
    r"|_del_|_exit_|teardown|track|telemetry|analytics",
    re.IGNORECASE,
)


class Reading(Expressions):
    """The pass over one file or notebook; ``read`` takes a tree at a time, in the order of the text."""

    _asserting = False
    _spared = 0
    _ending = 0
    _settled: frozenset[int] = frozenset()

    def read(self, tree: ast.Module, lines: Sequence[str], cell: int | None = None) -> None:
        """Add what a tree says; ``lines`` is its source, ``cell`` the notebook's cell that it stands in."""
        self._lines, self._cell, self._part = lines, cell, cell or 0
        self._block(_undocumented(tree.body))

    # -- imports

    def _import(self, node: ast.Import) -> None:
        self._trail.append("Import")
        for each in node.names:
            self._scopes.bring(
                each.asname or each.name.partition(".")[0],
                each.name if each.asname else each.name.partition(".")[0],
            )
            self._imported(each.name, node)

    def _import_from(self, node: ast.ImportFrom) -> None:
        self._trail.append("ImportFrom")
        module = self._scopes.absolute(node.module or "", node.level)
        for each in node.names:
            whole = f"{module}.{each.name}" if module else each.name
            if each.name != "*":
                self._scopes.bring(each.asname or each.name, whole)
            self._imported(whole, node)

    def _imported(self, name: str, node: ast.stmt) -> None:
        self._words.update(name.split("."))
        optional = self._spared > 0 or bool(self._scopes.scope)
        self._note("imports", node, (name, node.lineno, self._cell, optional))

    # -- blocks

    def _for(self, node: Any) -> None:
        self._trail.append(type(node).__name__)
        self._visit(node.iter)
        self._each_of(node.target, node.iter)
        self._visit(node.target)
        self._loops += 1
        self._block(node.body)
        self._loops -= 1
        self._block(node.orelse)

    def _while(self, node: ast.While) -> None:
        self._trail.append("While")
        self._loops += 1
        self._visit(node.test)
        self._block(node.body)
        self._loops -= 1
        self._block(node.orelse)

    def _with(self, node: Any) -> None:
        self._trail.append(type(node).__name__)
        for item in node.items:
            if item.optional_vars is None:
                self._visit(item.context_expr)
                continue
            names = tuple(self._places(item.optional_vars))
            made_by = self._value(item.context_expr, names)
            for name in names:
                self._scopes.give(name, made_by)
            self._visit(item.optional_vars)
        self._block(node.body)

    def _if(self, node: ast.If) -> None:
        self._trail.append("If")
        test = node.test
        if (
            isinstance(test, ast.Compare)
            and isinstance(test.left, ast.Name)
            and test.left.id == "__name__"
            and any(isinstance(each, ast.Constant) and each.value == "__main__" for each in test.comparators)
        ):
            self._out["main_guard"] = True
        read = len(self._names)
        self._visit(test)
        typing = "TYPE_CHECKING" in self._names[read:] or (
            "TYPE_CHECKING" in self._words
            and any(
                isinstance(each, ast.Attribute) and each.attr == "TYPE_CHECKING" for each in ast.walk(test)
            )
        )
        self._spared += typing
        self._block(node.body)
        self._spared -= typing
        self._block(node.orelse)

    def _try(self, node: Any) -> None:
        self._trail.append(type(node).__name__)
        missing = any(self._caught(each) & _MISSING for each in node.handlers)
        before = self._settled
        if self._loses_nothing(node):
            self._settled = before | {id(each) for each in node.handlers}
        self._spared += missing
        self._block(node.body)
        self._block(node.handlers)
        self._settled = before  # an identity may be another's once this tree is gone
        self._block(node.orelse)
        self._spared -= missing
        self._ending += 1
        self._block(node.finalbody)
        self._ending -= 1

    def _loses_nothing(self, node: Any) -> bool:
        """Whether what follows a ``try`` knows whether it worked, or need not know."""
        first, last = node.body[0], node.body[-1]
        if node.orelse or isinstance(last, _JUMPS) or isinstance(first, _IMPORTS):
            return True
        if self._ending or _TIDIES.search(self._scopes.scope.rpartition(".")[2]):
            return True
        alone = len(node.body) == 1 and isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)
        return alone and bool(_TIDIES.search((self._scopes.dotted(last.value.func) or "").rpartition(".")[2]))

    def _caught(self, node: ast.ExceptHandler) -> frozenset[str]:
        """The names of what a clause catches; one that catches everything catches ``Exception``."""
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        return frozenset("Exception" if each is None else self._scopes.dotted(each) or "" for each in caught)

    def _except(self, node: ast.ExceptHandler) -> None:
        self._trail.append("ExceptHandler")
        broad = bool(self._caught(node) & {"Exception", "BaseException"})
        silent = all(
            isinstance(each, _NOTHING)
            or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
            for each in node.body
        )
        self._note("handlers", node, (node.lineno, self._cell, broad, silent, id(node) in self._settled))
        if node.type is not None:
            self._visit(node.type)
        self._block(node.body)

    def _case(self, node: ast.match_case) -> None:
        self._trail.append("match_case")
        self._visit(node.pattern)
        if node.guard is not None:
            self._visit(node.guard)
        self._block(node.body)

    def _assert(self, node: ast.Assert) -> None:
        self._trail.append("Assert")
        self._out["asserts"] += 1
        self._asserting = True
        self._visit(node.test)
        self._asserting = False
        if node.msg is not None:
            self._visit(node.msg)

    def _compare(self, node: ast.Compare) -> None:
        self._trail.append("Compare")
        self._visit(node.left)
        self._all(node.comparators)
        if not _ORDERS.isdisjoint(map(type, node.ops)):
            text = self._source(node, _COMPARED)
            row = (text, node.lineno, self._cell, self._scopes.scope, self._loops > 0, self._asserting)
            self._note("comparisons", node, row)

    # -- definitions

    def _function(self, node: Any) -> None:
        self._trail.append(type(node).__name__)
        self._all(node.decorator_list)
        decorators = tuple(filter(None, map(self._scopes.dotted, node.decorator_list)))
        spec = node.args
        self._all([*spec.defaults, *spec.kw_defaults])
        arguments = [*spec.posonlyargs, *spec.args, spec.vararg, *spec.kwonlyargs, spec.kwarg]
        parameters = [each for each in arguments if each is not None]
        kinds: list[tuple[str, str]] = []
        for each in parameters:
            kind = ""
            if each.annotation is not None:
                self._visit(each.annotation)
                kind = self._annotation(each.annotation)
            kinds.append((each.arg, kind))
            self._words.add(each.arg)
        if node.returns is not None:
            self._visit(node.returns)
        self._words.add(node.name)
        name = self._scopes.prefix + node.name
        self._scopes.enter(node.name, is_class=False)
        for parameter, kind in kinds:
            self._scopes.give(parameter, kind)
        loops, self._loops = self._loops, 0
        body = _undocumented(node.body)
        before, start = self._statements, len(self._trail)
        self._block(body)
        statements = self._statements - before
        self._loops = loops
        self._scopes.leave()
        shape = _digest(self._trail[start : start + _TRAIL]) if statements >= _FEW else ""
        names = tuple(each.arg for each in parameters)
        row = (name, node.lineno, node.end_lineno, self._cell, decorators, names, statements, shape)
        apart = (len(body) < len(node.body), isinstance(node, ast.AsyncFunctionDef))
        self._note("functions", node, row + apart)

    def _define_class(self, node: ast.ClassDef) -> None:
        self._trail.append("ClassDef")
        self._all([*node.decorator_list, *node.bases, *node.keywords])
        self._words.add(node.name)
        bases = tuple(filter(None, map(self._scopes.dotted, node.bases)))
        fields = tuple(
            each.target.id
            for each in node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        )
        self._note("classes", node, (self._scopes.prefix + node.name, node.lineno, self._cell, bases, fields))
        self._scopes.enter(node.name, is_class=True)
        loops, self._loops = self._loops, 0
        self._block(_undocumented(node.body))
        self._loops = loops
        self._scopes.leave()


Reading.visitors = {
    **expression_visitors(),
    ast.Import: Reading._import,
    ast.ImportFrom: Reading._import_from,
    ast.For: Reading._for,
    ast.AsyncFor: Reading._for,
    ast.While: Reading._while,
    ast.With: Reading._with,
    ast.AsyncWith: Reading._with,
    ast.If: Reading._if,
    ast.FunctionDef: Reading._function,
    ast.AsyncFunctionDef: Reading._function,
    ast.ClassDef: Reading._define_class,
    ast.Try: Reading._try,
    ast.TryStar: Reading._try,
    ast.ExceptHandler: Reading._except,
    ast.match_case: Reading._case,
    ast.Assert: Reading._assert,
    ast.Compare: Reading._compare,
}


def _undocumented(body: Sequence[ast.stmt]) -> Sequence[ast.stmt]:
    first = body[0] if body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return body[1:]
    return body


def _digest(trail: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(trail).encode("utf-8", "replace"), digest_size=12).hexdigest()
