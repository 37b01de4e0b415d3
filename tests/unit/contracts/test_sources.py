import gzip
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlwright.errors import DataError, MissingExtra
from mlwright.model.contracts import Column, Contract
from mlwright.stages.contracts.sources import read_source

CONTRACT = Contract(
    id="c",
    version="1",
    dataset="d",
    columns=(
        Column(name="id", logical_type="integer"),
        Column(name="price", logical_type="number"),
        Column(name="code", logical_type="string"),
        Column(name="at", logical_type="timestamp"),
        Column(name="day", logical_type="date"),
        Column(name="ok", logical_type="boolean"),
    ),
    rules=(),
)


def no_call(path: Path, name: str) -> object:
    raise AssertionError(f"{path}:{name} was called")


def read(folder: Path, text: str | bytes, contract: Contract | None = CONTRACT) -> pl.DataFrame:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "x.csv").write_bytes(data)
    return read_source("x.csv", folder, no_call, contract=contract)


def refused(folder: Path, text: str | bytes, contract: Contract | None = CONTRACT) -> DataError:
    with pytest.raises(DataError) as caught:
        read(folder, text, contract)
    assert caught.value.next_command
    return caught.value


def test_the_contract_gives_the_types(tmp_path: Path) -> None:
    data = read(tmp_path, "id,price,code,ok,more\n1,2,007,true,4\n,,,,\n")
    assert data.schema == {
        "id": pl.Int64,
        "price": pl.Float64,
        "code": pl.String,
        "ok": pl.Boolean,
        "more": pl.Int64,
    }
    assert data.row(0) == (1, 2.0, "007", True, 4)
    assert data.row(1) == (None, None, None, None, None)


@pytest.mark.parametrize(
    "text",
    [
        "2013-01-01T10:00:00Z",
        "2013-01-01 10:00:00",
        "2013-01-01T10:00",
        "2013-01-01T12:00:00+02:00",
        "2013-01-01T10:00:00.000000z",
        " 2013-01-01T10:00:00 ",
    ],
)
def test_instants_come_as_utc(tmp_path: Path, text: str) -> None:
    data = read(tmp_path, f"at,day\n{text},2013-01-01\n2013-01-02,\n")
    assert data["at"].to_list() == [datetime(2013, 1, 1, 10, tzinfo=UTC), datetime(2013, 1, 2, tzinfo=UTC)]
    assert data["day"].dtype == pl.Date


def test_a_row_with_too_few_or_too_many_fields_is_named_with_its_line(tmp_path: Path) -> None:
    short = refused(tmp_path, 'id,code\n1,"a\nb"\n2\n3,c\n')
    assert short.where == f"{tmp_path / 'x.csv'}:4"
    assert short.what == "the row has 1 field, and the header has 2"
    assert short.why == "found '2'"
    long = refused(tmp_path, "id,code\n1,a\n2,b,c\n", contract=None)
    assert long.where == f"{tmp_path / 'x.csv'}:3"
    assert "3 fields" in long.what
    empty = refused(tmp_path, "id,code\n1,a\n\n2,b\n")
    assert (empty.where, empty.why) == (f"{tmp_path / 'x.csv'}:3", "the line is empty")


def test_a_null_in_the_last_column_is_no_short_row(tmp_path: Path) -> None:
    assert read(tmp_path, "id,code\n1,\n2,b\n\n\n")["code"].to_list() == [None, "b"]


@pytest.mark.parametrize(
    ("column", "good", "bad", "words"),
    [
        ("id", "1", "1.5", "not an integer"),
        ("id", "1", "x1", "not an integer"),
        ("price", "1", "NA", "not a number"),
        ("ok", "true", "yes", "not a boolean"),
        ("at", "2013-01-01T10:00:00Z", "2013-13-01T10:00:00Z", "not an instant"),
        ("day", "2013-02-28", "2013-02-30", "not a date"),
    ],
)
def test_a_value_that_does_not_parse_is_named_with_line_and_column(
    tmp_path: Path, column: str, good: str, bad: str, words: str
) -> None:
    rows = "\n".join(f"{good},1" for _ in range(500))
    error = refused(tmp_path, f"{column},n\n{rows}\n{bad},2\n{good},3\n{bad},4\n")
    assert error.where == f"{tmp_path / 'x.csv'}:502"
    assert f"column {column!r} holds {bad!r}" in error.what
    assert words in error.what


def test_without_a_contract_types_come_from_all_rows(tmp_path: Path) -> None:
    rows = "\n".join("1" for _ in range(2000))
    assert read(tmp_path, f"n\n{rows}\n1.5\n", contract=None)["n"].dtype == pl.Float64


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b'id,code\n1,a\n2,"b\n3,c\n', 3, "never closed"),
        (b'id,code\n1,a\n2,"b"x\n3,c\n', 3, "quoted field"),
        (b"id,code\n1,a\n2,\xff\n", 3, "0xff at place 3 of the line is not UTF-8"),
        (b"id,id\n1,2\n", 1, "names id twice"),
    ],
)
def test_other_broken_text(tmp_path: Path, data: bytes, line: int, words: str) -> None:
    error = refused(tmp_path, data)
    assert error.where == f"{tmp_path / 'x.csv'}:{line}"
    assert words in error.what


def test_an_empty_file(tmp_path: Path) -> None:
    assert "empty" in refused(tmp_path, b"").what


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfid,code\n1,a\n").columns == ["id", "code"]


def test_compressed_files_and_globs(tmp_path: Path) -> None:
    text = b"id,code\n1,a\n"
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(tmp_path / "b.csv.zip", "w") as archive:
        archive.writestr("folder/b.csv", text.replace(b"1", b"2"))
        archive.writestr("__MACOSX/b.csv", b"")
    pl.DataFrame({"id": [3], "code": ["c"]}).write_parquet(tmp_path / "c.parquet")
    assert read_source("[a-c].*", tmp_path, no_call)["id"].to_list() == [1, 2, 3]
    for source in ("a.csv.gz", "b.csv.zip", "c.parquet"):
        assert read_source(source, tmp_path, no_call).height == 1


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(b"nonsense")
    (tmp_path / "b.parquet").write_bytes(b"nonsense")
    (tmp_path / "c.zip").write_bytes(b"nonsense")
    (tmp_path / "d.xlsx").write_bytes(b"nonsense")
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("1.csv", "a")
        archive.writestr("2.csv", "a")
    for name in ("a.csv.gz", "b.parquet", "c.zip", "d.xlsx", "e.zip"):
        with pytest.raises(DataError) as caught:
            read_source(name, tmp_path, no_call)
        assert caught.value.where == str(tmp_path / name)
    with pytest.raises(DataError, match=r"did you mean 'a.csv.gz'"):
        read_source("a.csv.gs", tmp_path, no_call)
    with pytest.raises(DataError, match=r"no file matches '\*\.txt'"):
        read_source("*.txt", tmp_path, no_call)


def test_files_of_one_source_need_the_same_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,code\n1,a\n")
    (tmp_path / "b.csv").write_text("id,kode\n1,a\n")
    with pytest.raises(DataError) as caught:
        read_source("*.csv", tmp_path, no_call)
    assert caught.value.where == str(tmp_path / "b.csv")
    assert "code, kode" in caught.value.what


def test_functions(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("")
    frame = pl.DataFrame({"a": [1]})
    calls: list[tuple[Path, str]] = []

    def call(path: Path, name: str) -> object:
        calls.append((path, name))
        return frame

    assert read_source("data.py:rows", tmp_path, call).equals(frame)
    assert calls == [(tmp_path / "data.py", "rows")]
    assert read_source("data.py:rows", tmp_path, lambda path, name: frame.lazy()).equals(frame)
    with pytest.raises(DataError, match="returned list, not a polars DataFrame"):
        read_source("data.py:rows", tmp_path, lambda path, name: [1])
    with pytest.raises(DataError, match=r"did you mean 'data.py'"):
        read_source("dta.py:rows", tmp_path, call)


def test_what_a_function_raises_is_chained_and_our_own_errors_pass(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("")

    def divide(path: Path, name: str) -> object:
        return 1 / 0

    def ask(path: Path, name: str) -> object:
        raise MissingExtra.needed("the example", "flights")

    with pytest.raises(DataError, match="raised ZeroDivisionError: division by zero") as caught:
        read_source("data.py:rows", tmp_path, divide)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(MissingExtra):
        read_source("data.py:rows", tmp_path, ask)
