"""Every port has an exam, a perfect fake, and an adapter that sits the exam.

The exam is found by what it imports; ports/NAME.py has its fake in testing/fakes/NAME.py.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PORTS = sorted(
    file.stem for file in (ROOT / "src/mlwright/ports").glob("*.py") if not file.stem.startswith("_")
)

# A port that lacks a part, with the reason. A listed part that exists fails: the list may only shrink.
GAPS: dict[tuple[str, str], str] = {}


def imports(file: Path) -> set[str]:
    """Every module and ``module.name`` that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{each.name}" for each in node.names} | {str(node.module)}
    return found


def modules(folder: str) -> list[Path]:
    return sorted(file for file in (ROOT / folder).glob("*.py") if not file.stem.startswith("_"))


def exams(port: str) -> list[str]:
    """The modules of testing/conformance that examine a port: they import it and hold *Conformance cases."""
    found = []
    for file in modules("src/mlwright/testing/conformance"):
        if any(each.startswith(f"mlwright.ports.{port}.") for each in imports(file)) and cases(file):
            found.append(f"mlwright.testing.conformance.{file.stem}")
    return found


def cases(file: Path) -> list[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [
        case.name
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Conformance")
        for case in node.body
        if isinstance(case, ast.FunctionDef) and case.name.startswith("test_")
    ]


def missing_exam(port: str) -> str | None:
    return None if exams(port) else f"no module of testing/conformance examines mlwright.ports.{port}"


def missing_fake(port: str) -> str | None:
    file = ROOT / f"src/mlwright/testing/fakes/{port}.py"
    return None if file.exists() else f"{file.relative_to(ROOT)} does not exist"


def missing_candidates(port: str) -> str | None:
    """The exam is sat by the fake and by at least one adapter."""
    sat = [
        imported
        for imported in map(imports, modules("tests/conformance"))
        if any(each.startswith(exam) for exam in exams(port) for each in imported)
    ]
    for needed in (f"mlwright.testing.fakes.{port}", "mlwright.adapters."):
        if not any(each.startswith(needed) for imported in sat for each in imported):
            return f"no test in tests/conformance lets {needed.rstrip('.')} sit the exam of {port}"
    return None


PARTS = {"exam": missing_exam, "fake": missing_fake, "candidates": missing_candidates}


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("part", PARTS)
def test_port_is_complete(port: str, part: str) -> None:
    missing = PARTS[part](port)
    reason = GAPS.get((port, part))
    if reason is None:
        assert missing is None, missing
    else:
        assert missing is not None, f"({port}, {part}) is there now: remove the gap {reason!r}"


def test_a_port_is_a_protocol_with_an_open_wire(sources) -> None:
    """One need a file; its docstring names the open wire it corresponds to, or says that there is none."""
    wrong = []
    for source in sources:
        if source.floor != "ports" or source.path.name == "__init__.py":
            continue
        protocols = [
            node
            for node in source.tree.body
            if isinstance(node, ast.ClassDef)
            and any(ast.unparse(base).split("[")[0] == "Protocol" for base in node.bases)
        ]
        if not protocols:
            wrong.append(f"{source.path} defines no Protocol")
        if "Open wire:" not in (ast.get_docstring(source.tree) or ""):
            wrong.append(f"{source.path} does not say its open wire")
    assert not wrong, "\n".join(wrong)
