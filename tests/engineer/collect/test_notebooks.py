"""Notebooks: their cells as Python with their own lines, without magics; outputs only weighed."""

import json
from typing import Any

import pytest

from mlwright.engineer.collect.making import Maker
from mlwright.engineer.collect.notebooks import parse_notebook
from mlwright.engineer.facts.code import PythonFile, Role


def cell(
    source: str | list[str], count: int | None = None, kind: str = "code", outputs: Any = ()
) -> dict[str, Any]:
    return {"cell_type": kind, "source": source, "execution_count": count, "outputs": list(outputs)}


def read(*cells: dict[str, Any], **metadata: Any) -> PythonFile:
    return raw(json.dumps({"cells": list(cells), "metadata": metadata, "nbformat": 4}).encode())


def raw(content: bytes) -> PythonFile:
    return Maker().python_file("a.ipynb", Role.PRODUCTION, parse_notebook("a.ipynb", content))


def test_facts_name_the_cell_and_the_line_within_it() -> None:
    file = read(
        cell("# title", kind="markdown"),
        cell(["import pandas as pd\n", "df = pd.read_csv('a.csv')"]),
        cell("\ndf.head()"),
    )
    assert [(each.name, each.cell, each.line) for each in file.calls] == [
        ("pandas.read_csv", 2, 2),
        ("df.head", 3, 2),
    ]
    assert file.calls[1].made_by == "pandas.read_csv"
    assert (file.notebook, file.lines, file.fault) == (True, 4, None)
    assert str(file.at(file.calls[1])) == "a.ipynb:cell 3:2"


def test_magics_and_commands_are_taken_out_and_lines_stay() -> None:
    file = read(
        cell("%matplotlib inline\n!pip install x \\\n   y\nfiles = !ls\nif a:\n    %time\nhelp?\nlast()"),
        cell("%%time\nx = fit()"),
        cell("%%bash\nrm -rf everything()"),
        cell("total = a \\\n % b\nf(total)"),
    )
    assert [(each.name, each.cell, each.line) for each in file.calls] == [
        ("last", 1, 8),
        ("fit", 2, 2),
        ("f", 4, 3),
    ]
    assert file.fault is None


def test_a_broken_cell_costs_only_itself() -> None:
    assert [each.name for each in read(cell("def f(:"), cell("g()")).calls] == ["g"]
    assert read(cell("def f(:")).fault == "no cell is valid Python"


@pytest.mark.parametrize(
    ("counts", "in_order"),
    [([1, 2, 3], True), ([1, None, 4], True), ([2, 1], False), ([3, 3], False), ([None, None], None)],
)
def test_the_order_in_which_cells_were_run(counts: list[int | None], in_order: bool | None) -> None:
    assert read(*(cell("x()", count) for count in counts)).executed_in_order is in_order


def test_outputs_are_weighed_and_not_built() -> None:
    outputs = [{"output_type": "stream", "text": "a" * 5000}]
    assert 5000 < read(cell("x()", 1, outputs=outputs)).outputs_bytes < 5100
    assert read(cell("x()", 1)).outputs_bytes == 0


def test_another_language_is_said_so() -> None:
    assert read(cell("x <- 1"), kernelspec={"language": "R"}).fault == "written in R, not Python"


def test_the_old_format_is_read_too() -> None:
    cells = [{"cell_type": "code", "input": "f()", "prompt_number": 1}]
    file = raw(json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3}).encode())
    assert ([each.name for each in file.calls], file.executed_in_order) == (["f"], True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"cells": 3}',
        b'{"cells": [{"cell_type": 4, "source": {}}], "metadata": []}',
        b"[" * 100_000,
        b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"metadata": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b'{"cells": [{"cell_type": "code", "source": "x = \xff"}]}',
        b"\x00\x01",
    ],
)
def test_hostile_notebooks_are_a_fault_at_most(content: bytes) -> None:
    file = raw(content)
    assert file.calls == ()
