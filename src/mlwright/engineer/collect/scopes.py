"""Names of a Python file: what an import brought, what a variable was made by, what a chain of calls is called."""

import ast
from typing import Any, Final

_CHAIN: Final = 40
"""A longer chain of attributes and calls keeps its last parts: it is generated, and looking at all of it is slow."""

# Methods that give their own object back, so that what made it stays known.
_FLUENT: Final = frozenset(
    ("fit", "partial_fit", "to", "cuda", "cpu", "half", "eval", "train", "set_params", "float")
)


Callee = tuple[str, str, str, str, dict[str, str] | None]
"""What is called: its name, the name's last part, the variable whose method it is, what made that, who may know later.

A plain tuple, as one is made for every call there is.
"""


def given(callee: Callee) -> str:
    """What an assignment of the call's value is made by."""
    name, method, _, made_by, _ = callee
    return made_by if made_by and method in _FLUENT else name


class Scopes:
    """The names that are known at a place of a file; the reader enters and leaves functions and classes.

    ``scope`` is the function around, ``prefix`` what goes before the name of something defined here.
    """

    def __init__(self, package: str) -> None:
        self.scope = ""
        self.prefix = ""
        self.in_class = ""
        self._package = package.split(".") if package else []
        self._aliases: dict[str, str] = {}
        self._module: dict[str, str] = {}
        self._frames = [self._module]
        self._globals: list[set[str]] = [set()]
        self._instance: dict[str, str] = {}
        self._outer: list[tuple[str, str, str, dict[str, str]]] = []

    def enter(self, name: str, *, is_class: bool) -> None:
        """Go into a function or class."""
        self._outer.append((self.scope, self.prefix, self.in_class, self._instance))
        qualified = self.prefix + name
        if is_class:
            self._instance, self.in_class = {}, qualified
        else:
            self.scope, self.in_class = qualified, ""
        self.prefix = f"{qualified}."
        self._frames.append({})
        self._globals.append(set())

    def leave(self) -> None:
        """Go out of it."""
        self.scope, self.prefix, self.in_class, self._instance = self._outer.pop()
        self._frames.pop()
        self._globals.pop()

    def declare_global(self, names: list[str]) -> None:
        """Take assignments of these names as the module's."""
        self._globals[-1].update(names)

    def bring(self, name: str, whole: str) -> None:
        """An import gave ``whole`` this name."""
        self._aliases[name] = whole

    def absolute(self, module: str, level: int) -> str:
        """A module that an import names, relative to the package where ``level`` is not 0."""
        if not level:
            return module
        base = self._package[: len(self._package) - (level - 1)] if level - 1 <= len(self._package) else []
        return ".".join([*base, module] if module else base)

    def give(self, name: str, made_by: str) -> None:
        """A variable was assigned from this call; "" from something else."""
        if "." in name:
            names = self._instance if name.startswith(("self.", "cls.")) else self._module
            names[name] = made_by
        elif name in self._globals[-1]:
            self._module[name] = made_by
        else:
            self._frames[-1][name] = made_by
            if self.in_class:
                self._instance[f"self.{name}"] = made_by

    def origin(self, name: str) -> tuple[str, dict[str, str] | None]:
        """What a variable was made by; where that is not known yet, the names among which it may be at the end."""
        if name.startswith(("self.", "cls.")):
            name = "self." + name.partition(".")[2]
            found = self._instance.get(name)
            return (found, None) if found else ("", self._instance)
        for frame in reversed(self._frames):
            if name in frame:
                return frame[name], None
        return "", self._module

    def expand(self, parts: list[str]) -> str:
        """A dotted name with the alias of an import expanded, unless a variable of the function hides it."""
        whole = self._whole(parts[0])
        return ".".join(parts if whole is None else (whole, *parts[1:]))

    def _whole(self, root: str) -> str | None:
        """What an import gave this name, None for a name that is no import's."""
        whole = self._aliases.get(root)
        return whole if whole is not None and not self._hidden(root) else None

    def _hidden(self, root: str) -> bool:
        frames = self._frames
        for number in range(1, len(frames)):  # noqa: SIM110 - any() costs three times as much, and this is asked often
            if root in frames[number]:
                return True
        return False

    def dotted(self, node: ast.expr | None) -> str:
        """The name that an expression of names and attributes reads, calls and subscripts left out; "" otherwise."""
        if node is None:
            return ""
        if type(node) is ast.Name:
            return self._whole(node.id) or node.id
        parts, _ = chain(node)
        return self.expand(parts) if parts[0] else ""

    def callee(self, func: ast.expr) -> Callee:
        """What a call calls."""
        # The two commonest kinds, ``f()`` and ``x.f()``, without the lists that the others need.
        if type(func) is ast.Name:
            name = self._whole(func.id) or func.id
            return name, name.rpartition(".")[2], "", "", None
        if type(func) is ast.Attribute and type(func.value) is ast.Name:
            root, method = func.value.id, func.attr
            whole = self._whole(root)
            if whole is not None or root == "str":
                return f"{whole or root}.{method}", method, "", "", None
            made_by, late = self.origin(root)
            return f"{root}.{method}", method, root, made_by, late
        return self._far(func)

    def _far(self, func: ast.expr) -> Callee:
        """What a call calls at the end of a chain."""
        parts, calls = chain(func)
        name = self.expand(parts)
        method = name.rpartition(".")[2]
        if len(parts) == 1:
            return name, method, "", "", None
        end = len(parts) - 1
        for after in calls:
            if not 1 <= after < len(parts):
                continue
            end = len(parts) - after
            if end == 1 or parts[end - 1] not in _FLUENT:
                return name, method, "", self.expand(parts[:end]), None
            end -= 1
        if not parts[0] or parts[0] == "str" or self._whole(parts[0]) is not None:
            return name, method, "", "", None
        receiver = ".".join(parts[:end])
        made_by, late = self.origin(receiver)
        if not made_by and isinstance(func, ast.Attribute) and isinstance(func.value, ast.Subscript):
            made_by = self.origin(f"{receiver}[]")[0]
        return name, method, receiver, made_by, late

    def place(self, target: ast.expr) -> str:
        """The dotted name of what is assigned to: ``config["seed"]`` is ``config.seed``; "" where it has none."""
        if type(target) is ast.Name:
            return target.id
        if isinstance(target, ast.Starred):
            return self.place(target.value)
        if isinstance(target, ast.Attribute):
            below = self.dotted(target.value)
            return f"{below}.{target.attr}" if below else ""
        if isinstance(target, ast.Subscript):
            below, key = self.dotted(target.value), _key(target.slice)
            return f"{below}.{key}" if below and key else ""
        return ""


def chain(node: ast.expr) -> tuple[list[str], list[int]]:
    """The names along a chain, first one first, and how many of them stand after each call in it, outermost first."""
    parts: list[str] = []
    calls: list[int] = []
    here: Any = node
    for _ in range(_CHAIN):
        kind = type(here)
        if kind is ast.Attribute:
            parts.append(here.attr)
            here = here.value
        elif kind is ast.Name:
            break
        elif kind is ast.Call:
            calls.append(len(parts))
            here = here.func
        elif kind is ast.Subscript or kind is ast.Await or kind is ast.Starred:
            here = here.value
        else:
            break
    kind = type(here)
    if kind is ast.Name:
        parts.append(here.id)
    else:
        text = kind is ast.JoinedStr or (kind is ast.Constant and isinstance(here.value, str))
        parts.append("str" if text else "")
    parts.reverse()
    return parts, calls


def _key(index: ast.expr) -> str:
    if isinstance(index, ast.Tuple) and index.elts:
        index = index.elts[-1]
    if (
        isinstance(index, ast.Constant)
        and isinstance(index.value, str | int)
        and not isinstance(index.value, bool)
    ):
        return str(index.value)
    return ""
