"""Accepting a finding: where it may stand, what it must say, and that it hides nothing."""

import runpy
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlwright.engineer.annotations import Acceptances, accepted, read_acceptances
from mlwright.engineer.lines import Lines
from mlwright.engineer.standing import judge, take_stock
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location, Outcome

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("assessments.py"))))
TODAY = date(2026, 6, 1)
PROBES = ("data.contract", "model.loads_trusted", "release.canary", "x.y")


def read(root: Path, *findings, today: date = TODAY) -> Acceptances:
    return read_acceptances(findings, Lines(root), probes=PROBES, today=today)


def written(root: Path, path: str, text: str, *lines: int | None, cell: int | None = None) -> Acceptances:
    (root / path).write_text(text)
    return read(
        root, made.finding("x.y", Outcome.FALSE, *(Location(path=path, line=at, cell=cell) for at in lines))
    )


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("a.py", "bad()  # mlwright: accept x.y -- our own bucket\n", 1),
        ("a.py", "# mlwright: accept x.y -- our own bucket\nbad()\n", 2),
        ("a.py", "fine()\n# mlwright: accept x.y -- our own bucket\n# and more words\nbad()\n", 4),
        ("a.py", "bad()  #mlwright:accept data.contract , x.y--our own bucket\n", 1),
        ("broken.py", "def (:\n    '''\nbad()  # mlwright: accept x.y -- our own bucket\n", 3),
        ("a.yaml", "key: 1\n# mlwright: accept x.y -- our own bucket\nother: 2\n", 3),
        ("Dockerfile", "# mlwright: accept x.y -- our own bucket\nFROM python\n", 2),
        ("a.toml", "a = 1 # mlwright: accept x.y -- our own bucket\n", 1),
        ("main.tf", "// mlwright: accept x.y -- our own bucket\nresource {}\n", 2),
        ("README.md", "text <!-- mlwright: accept x.y -- our own bucket -->\n", 1),
    ],
)
def test_beside_or_above_the_line(tmp_path, path, text, line):
    (one,) = written(tmp_path, path, text, line).suppressions
    assert (one.finding, one.reason, one.expires, one.expired) == ("x.y", "our own bucket", None, False)
    assert one.location == Location(path=path, line=line)
    assert "mlwright" in text.split("\n")[one.source.line - 1]


def test_it_speaks_of_its_own_line_only(tmp_path):
    text = "bad()  # mlwright: accept x.y -- why\nbad()\n\nbad()\n"
    found = written(tmp_path, "a.py", text, 1, 2, 4)
    assert [each.location.line for each in found.suppressions] == [1]


def test_at_the_top_it_speaks_of_the_file(tmp_path):
    found = written(
        tmp_path, "Dockerfile", "# syntax=1\n# mlwright: accept x.y -- why\nFROM a\nRUN b\n", None, 4
    )
    assert [each.location for each in found.suppressions] == [Location(path="Dockerfile")]


def test_in_a_cell_of_a_notebook(tmp_path):
    cells = (
        '{"cells": [{"source": "bad()"}, {"source": ["bad()  # mlwright: accept x.y -- why\\n", "bad()"]}]}'
    )
    found = written(tmp_path, "n.ipynb", cells, 1, 2, cell=2)
    assert [str(each.location) for each in found.suppressions] == ["n.ipynb:cell 2:1"]


def test_a_text_that_speaks_of_annotations_is_none(tmp_path):
    text = '"""Write\n\n    # mlwright: accept nonsense\n"""\nbad("# mlwright: accept x.y -- no")\n'
    assert written(tmp_path, "a.py", text, 5) == Acceptances()


def test_it_ends_after_its_last_day(tmp_path):
    text = "bad()  # mlwright: accept x.y -- why (until 2026-06-01)\n"
    (one,) = written(tmp_path, "a.py", text, 1).suppressions
    assert (one.expires, one.expired, one.reason) == (TODAY, False, "why")
    finding = made.finding("x.y", Outcome.FALSE, Location(path="a.py", line=1))
    (late,) = read(tmp_path, finding, today=date(2026, 6, 2)).suppressions
    assert late.expired
    assert accepted(finding, finding.locations[0], [late]) is None
    assert accepted(finding, finding.locations[0], [one]) == one


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("x.y", "there is no reason"),
        ("x.y --", "there is no reason"),
        ("x.y -- (until 2027-01-31)", "there is no reason"),
        ("-- why", "which finding"),
        ("data.contracts -- why", "no probe is named 'data.contracts' (did you mean 'data.contract'?)"),
        ("x.y -- why (until soon)", "'soon' is no date"),
        ("x.y -- why (until 2026-02-30)", "'2026-02-30' is no date"),
        ("data.contract -- why", "accepts nothing: data.contract is no problem here"),
    ],
)
def test_what_cannot_be_used_is_a_fault_with_its_place(tmp_path, rest, said):
    found = written(tmp_path, "a.py", f"fine()\nbad()  # mlwright: accept {rest}\n", 2)
    assert not found.suppressions
    (fault,) = found.faults
    assert fault.where == "a.py:2"
    assert said in str(fault)


FILE = """
[[accept]]
finding = "release.canary"
reason = "batch only"

[[accept]]
finding = "x.y"
path = "old/*"
reason = "goes away"
expires = 2026-01-31
"""


def test_the_file_in_the_root(tmp_path):
    (tmp_path / ".mlwright-accept.toml").write_text(FILE)
    places = [Location(path=path, line=1) for path in ("new/a.py", "old/a.py", "old/deep/b.py")]
    found = read(tmp_path, made.finding("release.canary"), made.finding("x.y", Outcome.FALSE, *places))
    assert not found.faults
    assert [(each.finding, each.location, each.expired) for each in found.suppressions] == [
        ("release.canary", None, False),
        ("x.y", places[1], True),
        ("x.y", places[2], True),
    ]
    assert [str(each.source) for each in found.suppressions] == [
        ".mlwright-accept.toml:2", ".mlwright-accept.toml:6", ".mlwright-accept.toml:6"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[accept]]\nfinding = "x.y"\n', "mlwright-accept.toml:1: there is no reason"),
        ('[[accept]]\nreason = "why"\n', "mlwright-accept.toml:1: it does not say which"),
        (
            '\n[[accept]]\nfinding = "x.z"\nreason = "why"\n',
            "mlwright-accept.toml:2: no probe is named 'x.z'",
        ),
        ('[[accept]]\nfinding = "x.y"\nreason = "why"\nexpires = "soon"\n', "'soon' is no date"),
        ('[[accept]]\nfinding = "x.y"\nreason = "why"\nexpires = 3\n', "'3' is no date"),
        ('[[accept]]\nfinding = ["x.y"]\nreason = "why"\n', "finding must be a text"),
        ('[[accept]]\nfinding = "x.y"\nreason = "why"\nexpire = 1\n', "did you mean 'expires'?"),
        ('[[accpet]]\nfinding = "x.y"\n', "did you mean 'accept'?"),
        ("accept = 1\n", "write [[accept]]"),
        ("accept = [1]\n", "an entry is a table"),
        ("a = [\n[[accept]]", "mlwright-accept.toml:2: this is no TOML"),
        ('[[accept]]\nfinding = "data.contract"\nreason = "why"\n', "accepts nothing"),
    ],
)
def test_faults_of_the_file(tmp_path, text, said):
    (tmp_path / ".mlwright-accept.toml").write_text(text)
    found = read(tmp_path, made.finding("x.y"))
    assert not found.suppressions
    assert said in "\n".join(map(str, found.faults))


def test_the_file_may_not_be_a_link_out_of_the_root(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "elsewhere.toml").write_text('[[accept]]\nfinding = "x.y"\nreason = "why"\n')
    (tmp_path / "root/.mlwright-accept.toml").symlink_to(tmp_path / "elsewhere.toml")
    assert read(tmp_path / "root", made.finding("x.y")) == Acceptances()


def test_accepting_hides_nothing_and_only_calms_the_gate(tmp_path):
    (tmp_path / ".mlwright-accept.toml").write_text('[[accept]]\nfinding = "x.y"\nreason = "why"\n')
    report = made.assessment(findings=(made.finding("x.y"),))
    standing = take_stock(report, tmp_path, probes=PROBES, today=TODAY)
    assert standing.assessment.findings == report.findings
    assert standing.assessment.readiness == report.readiness
    assert judge(standing, fail_on=Severity.INFO).passes
    assert not judge(standing, fail_under=50).passes
    bare = take_stock(report, tmp_path / "no", probes=PROBES, today=TODAY)
    assert judge(bare, fail_on=Severity.INFO).refusals == ("error: x.y does not hold",)
