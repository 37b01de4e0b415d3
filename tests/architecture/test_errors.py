"""The tree in the docstring of errors.py is the tree of classes: names, nesting, parents, exit codes."""

import re
from dataclasses import dataclass

import pytest

from mlwright import errors

LINE = re.compile(
    r"^ {4}(?P<lead>[│ ]*)[├└]── (?P<name>\w+)(?: \((?P<also>\w+)\))?(?: +(?P<code>\d+) )?(?P<says>.*)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One error as it is drawn or as it is defined."""

    name: str
    parent: str
    also: str | None
    exit_code: int


def drawn() -> list[Kind]:
    kinds: list[Kind] = []
    path = ["MlwrightError"]
    codes = [errors.MlwrightError.exit_code]
    for line in (errors.__doc__ or "").splitlines():
        if "──" not in line:
            continue
        found = LINE.match(line)
        assert found, f"cannot read this line of the tree: {line!r}"
        depth = len(found["lead"]) // 4
        del path[depth + 1 :], codes[depth + 1 :]
        code = int(found["code"]) if found["code"] else codes[-1]
        kinds.append(Kind(name=found["name"], parent=path[-1], also=found["also"], exit_code=code))
        path.append(found["name"])
        codes.append(code)
    return kinds


def subclasses(kind: type[errors.MlwrightError]) -> list[type[errors.MlwrightError]]:
    below = [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]
    return below + [deeper for each in below for deeper in subclasses(each)]


def defined() -> list[Kind]:
    kinds = []
    for kind in subclasses(errors.MlwrightError):
        first, *others = kind.__bases__
        also = others[0].__name__ if others else None
        kinds.append(Kind(name=kind.__name__, parent=first.__name__, also=also, exit_code=kind.exit_code))
    return kinds


def by_name(kind: Kind) -> str:
    return kind.name


def test_the_drawing_is_the_code() -> None:
    assert len(drawn()) > 15
    assert sorted(drawn(), key=by_name) == sorted(defined(), key=by_name)


def test_each_family_has_its_own_exit_code() -> None:
    families = [kind for kind in defined() if kind.parent == "MlwrightError"]
    codes = [kind.exit_code for kind in families]
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 126 for code in codes)
    assert errors.MlwrightError.exit_code not in codes


@pytest.mark.parametrize("kind", subclasses(errors.MlwrightError), ids=lambda kind: kind.__name__)
def test_each_error_says_what_it_means(kind) -> None:
    assert kind.__doc__
    assert kind("what").code == kind.__name__


def test_errors_are_raised_only_from_the_tree(sources) -> None:
    """No module defines a public error of ours anywhere else: the catalogue would miss it."""
    known = {kind.name for kind in defined()} | {"MlwrightError"}
    wrong = []
    for source in sources:
        if source.path.parts == ("errors.py",):
            continue
        for name, node in source.definitions():
            bases = {getattr(base, "id", getattr(base, "attr", "")) for base in getattr(node, "bases", [])}
            if bases & known and not node.name.startswith("_"):
                wrong.append(f"{source.path}:{node.lineno}: {name}")
    assert not wrong, "\n".join(wrong)
