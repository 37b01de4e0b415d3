"""Files through an endpoint's core: the same answers as online, whatever stops it in between."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlwright.errors import (
    AlreadyRunning,
    Conflict,
    DataError,
    MissingExtra,
    MlwrightError,
    ModelError,
    StorageError,
    UsageError,
)
from mlwright.model.batches import Array, Batch
from mlwright.model.endpoints import Route, Variant
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.registry import Field, Signature
from mlwright.model.settings import EdgeSettings, EndpointSettings, ServingSettings
from mlwright.model.value_rules import ValueRule
from mlwright.ports.online_store import FeatureRows
from mlwright.stages.serving.asks import Answer, Ask
from mlwright.stages.serving.batch.cutting import cut
from mlwright.stages.serving.batch.job import JobOptions, Scored
from mlwright.stages.serving.batch.places import FORMATS, Place, listed
from mlwright.stages.serving.batch.reading import instants, read_chunk
from mlwright.stages.serving.batch.running import manifest_of, run
from mlwright.stages.serving.batch.scoring import faults_of
from mlwright.stages.serving.batch.targets import held
from mlwright.stages.serving.batch.working import LookUps, NoJournal
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.values import ValueChecks
from mlwright.testing.fakes.clock import ManualClock

FIELDS = (
    Field(name="x", type="double"),
    Field(name="n", type="long"),
    Field(name="s", type="string"),
    Field(name="b", type="boolean", required=False),
)
NUMBERS = tuple(Field(name=name, type="double") for name in ("x", "y"))
RULES = (
    ValueRule(field="n", minimum=-1000.0),
    ValueRule(field="x", minimum=-100.0, maximum=100.0),
    ValueRule(field="s", allowed=("a", "b", "c")),
)
SCHEMA = {"x": pl.Float64, "n": pl.Int64, "s": pl.String, "b": pl.Boolean}


@dataclass
class Telltale:
    """A model whose answer is everything it was given, with its types; ``poison`` makes it fail."""

    inputs: tuple[Field, ...] = FIELDS
    version: int = 1
    poison: float = 66.0
    calls: int = 0

    @property
    def signature(self) -> Signature:
        return Signature(
            inputs=self.inputs,
            outputs=(Field(name="score", type="double"), Field(name="said", type="string")),
        )

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        self.calls += 1
        x = np.asarray(batch.column("x"), dtype=np.float64)
        if (x == self.poison).any():
            raise RuntimeError("poison")
        said = np.empty(batch.rows, dtype=object)
        columns = [batch.column(each.name) for each in self.inputs if batch.has(each.name)]
        for row in range(batch.rows):
            said[row] = " ".join(f"{column.dtype.kind}{column[row]!s}" for column in columns)
        return {"score": self.version + x / 1000, "said": said}

    def close(self) -> None:
        pass


def route(**changes) -> Route:
    variants = (Variant(name="champion", model=ModelName("m"), version=1, share=1.0),)
    return Route(
        **{
            "endpoint": EndpointName("rows"),
            "generation": 1,
            "salt": "s",
            "variants": variants,
            **changes,
        }
    )


def scored(invalid: str = "reject", fields=FIELDS, **changes) -> Scored:
    edge = EdgeSettings(invalid=invalid, impute={"s": "a", "n": 7})
    spec = EndpointSettings(name="rows", model="m", keyed=False, serving=ServingSettings(edge=edge))
    values = {"spec": spec, "route": route(), "digests": {"m/1": "blake3:1"}, "takes": fields}
    return Scored(**{**values, **changes})


def core_of(asked: Scored, models=None, rules=RULES, journal=None, **more) -> EndpointCore:
    load = lambda variant: (models or {}).get(variant.version) or Telltale(asked.takes, variant.version)  # noqa: E731
    journal = journal or NoJournal()
    core = EndpointCore(
        asked.spec,
        more.get("views", ()),
        more.get("online"),
        load,
        journal,
        ManualClock(),
        checks=ValueChecks(rules, asked.spec.serving.edge),
    )
    core.apply(asked.route)
    return core


def score(source, output, asked: Scored | None = None, *, opens=core_of, **options):
    asked = asked or scored()
    job = JobOptions(**{"workers": 1, **options})
    return run(asked, str(source), str(output), job, open_core=lambda each, _: opens(each), now=5)


def frame(rows: int = 10, **columns) -> pl.DataFrame:
    values = {
        "id": [f"k{row}" for row in range(rows)],
        "x": [float(row) for row in range(rows)],
        "n": list(range(rows)),
        "s": ["abc"[row % 3] for row in range(rows)],
        "b": [row % 2 == 0 for row in range(rows)],
    }
    return pl.DataFrame({**values, **columns})


def rejected(file) -> list[dict]:
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


WRITERS = {
    "parquet": lambda rows, path: rows.write_parquet(path, row_group_size=7),
    "csv": lambda rows, path: rows.write_csv(path),
    "ndjson": lambda rows, path: rows.write_ndjson(path),
    "jsonl": lambda rows, path: rows.write_ndjson(path),
    "arrow": lambda rows, path: rows.write_ipc(path),
    "feather": lambda rows, path: rows.write_ipc(path, compression="lz4"),
}
READERS = {"parquet": pl.read_parquet, "csv": pl.read_csv, "ndjson": pl.read_ndjson}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("to", READERS)
def test_every_form_in_and_out(tmp_path, kind, to) -> None:
    WRITERS[kind](frame(23), tmp_path / f"rows.{kind}")
    report = score(tmp_path / f"rows.{kind}", tmp_path / f"out.{to}", chunk_rows=5)
    assert (report.rows, report.written, report.rejected, report.parts) == (23, 23, 0, 5)
    found = READERS[to](tmp_path / f"out.{to}")
    assert found.columns == ["id", "score", "said", "model_version", "flags"]
    assert found["id"].to_list() == [f"k{row}" for row in range(23)]
    assert found["score"].to_list() == [1 + row / 1000 for row in range(23)]
    assert found["said"][4] == "f4.0 i4 Ob bTrue"
    assert set(found["model_version"]) == {"m/1"}
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(
        [f"out.{to}", f"out.{to}.manifest.json", f"rows.{kind}"]
    )


def test_a_folder_of_parts(tmp_path) -> None:
    folder = tmp_path / "rows"
    (folder / "deep").mkdir(parents=True)
    frame(5).write_parquet(folder / "a.parquet")
    frame(3).write_csv(folder / "deep" / "b.csv")
    frame(9).write_parquet(folder / "_left.parquet")
    (folder / "notes.txt").write_text("no rows")
    report = score(folder, tmp_path / "out", chunk_rows=4, keep=("all",))
    assert (report.rows, report.parts) == (8, 3)
    names = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert names == ["_manifest.json", "part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    parts = [pl.read_parquet(tmp_path / "out" / f"part-0000{number}.parquet") for number in range(3)]
    assert [part.height for part in parts] == [4, 1, 3]
    assert parts[0].columns == ["id", "x", "n", "s", "b", "score", "said", "model_version", "flags"]
    assert parts[0].schema["b"] == pl.Boolean
    assert parts[2].schema["n"] == pl.Int64, "inputs of the model have its types, of a CSV too"


def test_what_is_kept(tmp_path) -> None:
    frame(4, flags=["f"] * 4).drop("id").write_parquet(tmp_path / "rows.parquet")
    score(tmp_path / "rows.parquet", tmp_path / "none.parquet", limit=3)
    found = pl.read_parquet(tmp_path / "none.parquet")
    assert found.columns[0] == "row"
    assert found["row"].to_list() == [0, 1, 2]
    score(tmp_path / "rows.parquet", tmp_path / "some.parquet", keep=("s", "flags"))
    assert pl.read_parquet(tmp_path / "some.parquet").columns[:2] == ["s", "input_flags"]
    with pytest.raises(DataError, match="did you mean 'flags'"):
        score(tmp_path / "rows.parquet", tmp_path / "wrong.parquet", keep=("flag",))


def test_rows_that_break_the_contract_are_apart(tmp_path) -> None:
    rows = frame(12).with_columns(
        x=pl.when(pl.col("n") == 3).then(1e6).otherwise(pl.col("x")),
        s=pl.when(pl.col("n").is_in([5, 6])).then(pl.lit("z")).otherwise(pl.col("s")),
    )
    rows.write_parquet(tmp_path / "rows.parquet")
    report = score(tmp_path / "rows.parquet", tmp_path / "out", chunk_rows=4)
    assert (report.written, report.rejected, report.faults) == (9, 3, {"x": 1, "s": 2})
    first = rejected(tmp_path / "out" / "_rejected-00000.ndjson")
    assert [(each["row"], each["faults"]) for each in first] == [
        (3, [{"where": "x", "what": "expected at most 100, got 1e+06"}])
    ]
    assert first[0]["values"]["x"] == 1e6
    assert [each["row"] for each in rejected(tmp_path / "out" / "_rejected-00001.ndjson")] == [5, 6]
    assert not (tmp_path / "out" / "_rejected-00002.ndjson").exists()
    assert pl.read_parquet(tmp_path / "out" / "*.parquet").height == 9
    report = score(tmp_path / "rows.parquet", tmp_path / "one.csv", chunk_rows=4)
    assert [each["row"] for each in rejected(report.rejected_at)] == [3, 5, 6]
    report = score(tmp_path / "rows.parquet", tmp_path / "flagged.parquet", scored("flag"))
    assert (report.written, report.rejected, report.flagged) == (12, 0, 3)
    assert pl.read_parquet(tmp_path / "flagged.parquet")["flags"][3] == "x: 1e+06 is above 100"


def test_a_chunk_of_nothing_but_rejected_rows_has_its_columns(tmp_path) -> None:
    frame(6, x=[1e9] * 3 + [1.0] * 3).write_parquet(tmp_path / "rows.parquet")
    report = score(tmp_path / "rows.parquet", tmp_path / "out.parquet", chunk_rows=3)
    assert (report.written, report.rejected) == (3, 3)
    assert pl.read_parquet(tmp_path / "out.parquet")["id"].to_list() == ["k3", "k4", "k5"]


def test_lines_that_are_no_rows(tmp_path) -> None:
    (tmp_path / "rows.ndjson").write_text(
        '{"x": 1, "n": 2, "s": "a"}\n\nnonsense\n[1]\n{"x": 3, "n": 4, "s": "b", "b": true}', encoding="utf-8"
    )
    report = score(tmp_path / "rows.ndjson", tmp_path / "out.parquet")
    assert (report.written, report.rejected, report.faults) == (2, 2, {"row": 2})
    assert [each["row"] for each in rejected(report.rejected_at)] == [2, 3]
    (tmp_path / "rows.csv").write_text('x,n,s\n1,2,a\n3\n4,5,"b"\n6,7,c,d\n\n8,many,a\n', encoding="utf-8")
    report = score(tmp_path / "rows.csv", tmp_path / "csv.parquet")
    assert report.faults == {"row": 2, "n": 1}
    assert [each["faults"][0]["what"] for each in rejected(report.rejected_at)] == [
        "has 1 cells, and the header 3",
        "has 4 cells, and the header 3",
        "expected long, got 'many' (str)",
    ]
    assert pl.read_parquet(tmp_path / "csv.parquet")["said"].to_list() == [
        "f1.0 i2 Oa fnan",
        "f4.0 i5 Ob fnan",
    ]


@pytest.mark.parametrize("rows", [1, 100])
def test_a_model_that_fails_on_one_row(tmp_path, rows) -> None:
    frame(rows + 3, x=[66.0] + [1.0] * (rows + 2)).write_parquet(tmp_path / "rows.parquet")
    report = score(tmp_path / "rows.parquet", tmp_path / "out.parquet")
    assert (report.written, report.rejected, report.faults) == (rows + 2, 1, {"row": 1})
    [only] = rejected(report.rejected_at)
    assert only["code"] == "ModelError"
    assert "poison" in only["faults"][0]["what"]


def test_a_model_that_fails_on_all_of_them(tmp_path) -> None:
    frame(1200, x=[66.0] * 1200).write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ModelError, match="poison"):
        score(tmp_path / "rows.parquet", tmp_path / "out.parquet")


def online(core: EndpointCore, row: Mapping[str, object]) -> Answer | MlwrightError:
    """What the endpoint says to one row; a column that is missing is sent as missing, as in a file."""
    ask = Ask(id="r", rows=1, columns={each.name: [row.get(each.name)] for each in FIELDS})
    return core.answer([ask])[0]


VALUES = {
    "x": st.one_of(st.floats(-200, 200), st.just(66.0), st.none()),
    "n": st.one_of(st.integers(-(2**40), 2**40), st.none()),
    "s": st.one_of(st.sampled_from("abcz"), st.none()),
    "b": st.one_of(st.booleans(), st.none()),
}
WILD = {
    name: st.one_of(values, st.just("what"), st.just(1.5), st.just([1])) for name, values in VALUES.items()
}
TABLES = st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=30)
WILD_TABLES = st.lists(st.fixed_dictionaries(WILD), min_size=1, max_size=30)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=WILD_TABLES,
    plain=TABLES,
    invalid=st.sampled_from(["reject", "impute", "flag"]),
    chunk=st.integers(3, 12),
)
@example(rows=[{"x": 1.0, "n": 1, "s": "a", "b": True}] * 3, plain=[], invalid="impute", chunk=2)
def test_batch_is_online_row_by_row(rows, plain, invalid, chunk) -> None:
    asked = scored(invalid)
    core = core_of(asked)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = {"ndjson": rows}
        (folder / "rows.ndjson").write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
        if plain:
            tables["parquet"] = plain
            pl.DataFrame(plain, schema=SCHEMA).write_parquet(folder / "rows.parquet", row_group_size=3)
        for kind, table in tables.items():
            report = score(folder / f"rows.{kind}", folder / f"{kind}.out.parquet", asked, chunk_rows=chunk)
            found = {row["row"]: row for row in pl.read_parquet(report.output).iter_rows(named=True)}
            wrong = {row["row"]: row for row in rejected(report.rejected_at)} if report.rejected else {}
            assert found.keys() | wrong.keys() == set(range(len(table)))
            for number, row in enumerate(table):
                answer = online(core, row)
                if not isinstance(answer, Answer):
                    assert wrong[number]["code"] == answer.code
                    faults = [{"where": each.where, "what": each.what} for each in faults_of(answer)]
                    assert wrong[number]["faults"] == faults
                    continue
                here = found[number]
                np.testing.assert_equal(here["score"], answer.outputs["score"][0])
                assert here["said"] == answer.outputs["said"][0]
                assert here["model_version"] == answer.versions[0]
                flags = sorted(each.replace("[0]", "") for each in answer.flags)
                assert sorted(here["flags"].split("; ") if here["flags"] else []) == flags


def test_a_csv_is_read_as_the_model_takes_it(tmp_path) -> None:
    text = '﻿id,x,n,s,b\n1, 1e2 ,7,"a",TRUE\n2,,,b,\n3,NaN,3.0,"c",0\n"4\n5",1_0,4,,1\n'
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    report = score(tmp_path / "rows.csv", tmp_path / "out.parquet", chunk_rows=1, keep=("all",))
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert found["id"].to_list() == ["1", "2", "3"]
    assert found["said"].to_list() == ["f100.0 i7 Oa bTrue", "fnan fnan Ob fnan", "fnan i3 Oc bFalse"]
    assert found["b"].to_list() == [True, None, False]
    [only] = rejected(report.rejected_at)
    assert only["faults"] == [{"where": "x", "what": "expected double, got '1_0' (str)"}]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_lines_are_cut_at_their_ends(tmp_path, chunk, ending) -> None:
    cells = ["plain", '"with\nline"', '"a ""quoted"", word"', '""', "last"]
    body = (ending or "\n").join(f"{number},{cell}" for number, cell in enumerate(cells))
    path = tmp_path / "rows.csv"
    path.write_bytes(f"n,cell{ending or chr(10)}{body}{ending}".encode())
    plan = cut(str(path), "csv", 0, 0, chunk, sys.maxsize)
    read = [read_chunk(str(path), "csv", each, plan, ["n", "cell"]) for each in plan.chunks]
    assert [len(each) for each in read[:-1]] == [chunk] * (len(read) - 1)
    assert [cell for each in read for cell in each.columns["n"]] == list("01234")
    assert [cell for each in read for cell in each.columns["cell"]] == [
        "plain",
        "with\nline",
        'a "quoted", word',
        read[-1].columns["cell"][-2]
        if chunk > 1 and len(read[-1]) > 1
        else [*(c for e in read for c in e.columns["cell"])][3],
        "last",
    ]
    assert [row for each in read for row in each.numbers.tolist()] == list(range(5))
    few = cut(str(path), "csv", 0, 4, chunk, 3)
    assert (few.rows, few.chunks[0].part) == (3, 4)


def test_kinds_of_columns_that_no_model_takes(tmp_path) -> None:
    rows = [
        {"x": 1, "n": 1, "s": "a", "at": "2025-01-01", "flag": True, "deep": {"a": [1]}, "count": 3},
        {"x": 1, "n": 1, "s": "a", "count": None},
    ]
    path = tmp_path / "rows.ndjson"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    score(path, tmp_path / "out.parquet", keep=("at", "flag", "deep", "count"))
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert found.row(0)[:4] == ("2025-01-01", True, '{"a":[1]}', 3)
    path.write_bytes(
        b"\n".join(map(msgspec.json.encode, [*([rows[0]] * 1000), {**rows[0], "count": "many"}]))
    )
    with pytest.raises(DataError, match=r"row 1000: column 'count' is whole"):
        score(path, tmp_path / "other.parquet", keep=("count",))


@pytest.mark.parametrize(
    ("given", "micros"),
    [
        ("2025-01-01T00:00:00Z", 1_735_689_600_000_000),
        ("2025-01-01T01:00:00+01:00", 1_735_689_600_000_000),
        ("2025-01-01 00:00:00", 1_735_689_600_000_000),
        ("2025-01-01", 1_735_689_600_000_000),
        ("2025-01-01T00:00:00.000001Z", 1_735_689_600_000_001),
        (17, 17),
        ("17", 17),
        ("soon", "soon"),
        (None, None),
    ],
)
def test_instants(given, micros) -> None:
    assert instants([given]) == [micros]
    assert instants([given, "2025-01-01T00:00:00Z"])[0] == micros


def test_features_are_looked_up_as_of_each_row(kit, spec, view, online, models, tmp_path) -> None:
    online.write(
        view,
        FeatureRows(
            keys=[("JFK",), ("JFK",)],
            times=[kit.noon, kit.noon + kit.hour],
            columns={"wind": [1.0, 2.0], "rain": [0.0, 0.0]},
        ),
    )
    echo = kit.Echo(1, names=("x", "wind"))
    takes = echo.signature.inputs
    asked = Scored(spec=spec, route=route(endpoint=EndpointName("delay")), digests={}, takes=takes)
    rows = pl.DataFrame(
        {
            "flight": ["a", "b", "c"],
            "predicted_at": pl.Series([kit.noon, kit.noon + kit.hour, kit.noon]).cast(
                pl.Datetime("us", "UTC")
            ),
            "origin": ["JFK", "JFK", "LGA"],
            "x": [1.0, 2.0, 3.0],
        }
    )
    rows.write_parquet(tmp_path / "rows.parquet")
    looked = LookUps()

    def opens(each, _):
        core = core_of(each, {1: echo}, (), views=[view], online=looked.counting(online))
        echo.seen.clear()
        return core

    job = JobOptions(workers=1)
    report = run(
        asked, str(tmp_path / "rows.parquet"), str(tmp_path / "out.csv"), job, open_core=opens, now=5
    )
    assert echo.seen[-1]["wind"] == [1.0, 2.0, None]
    assert pl.read_csv(tmp_path / "out.csv").columns[:2] == ["flight", "predicted_at"]
    assert report.written == 3
    assert looked.taken() == {"weather": 1}
    rows.drop("flight", "x").write_parquet(tmp_path / "short.parquet")
    with pytest.raises(DataError) as caught:
        run(asked, str(tmp_path / "short.parquet"), str(tmp_path / "o.csv"), job, open_core=opens, now=5)
    assert [each.where for each in caught.value.faults] == ["flight", "x"]


def test_logged_predictions_have_their_ids(kit, journal, log, tmp_path) -> None:
    frame(6).write_parquet(tmp_path / "rows.parquet")
    asked = scored(log=True)
    score(
        tmp_path / "rows.parquet",
        tmp_path / "out",
        asked,
        opens=lambda each: core_of(each, journal=journal),
        chunk_rows=4,
    )
    ids = pl.read_parquet(tmp_path / "out" / "*.parquet")["prediction_id"].to_list()
    assert len(set(ids)) == 6
    assert sorted(log.predictions(None)["prediction_id"]) == sorted(ids)


# Stopped, and gone on with.


@pytest.fixture
def rows(tmp_path) -> Path:
    frame(20).write_parquet(tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


class Stop(Exception):
    pass


def stopping(after: int):
    """Opens a core whose model is taken away after so many chunks."""

    def opens(asked):
        core = core_of(asked)
        answer = core.answer
        left = iter(range(after))

        def counted(asks):
            if next(left, None) is None:
                raise Stop
            return answer(asks)

        core.answer = counted
        return core

    return opens


@pytest.mark.parametrize("output", ["out", "out.parquet", "out.csv", "out.ndjson"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_was_stopped_goes_on(tmp_path, rows, output, after) -> None:
    with pytest.raises(Stop):
        score(rows, tmp_path / output, opens=stopping(after), chunk_rows=5)
    assert len(manifest_of(str(tmp_path / output)).done) == after
    seen = []

    def opens(asked):
        seen.append(core_of(asked))
        return seen[0]

    report = score(rows, tmp_path / output, opens=opens, chunk_rows=5)
    assert (report.found_done, report.parts, report.written) == (after, 4, 20)
    score(rows, tmp_path / "whole" / output, chunk_rows=5)
    assert contents(tmp_path / output) == contents(tmp_path / "whole" / output)
    again = score(
        rows, tmp_path / output, opens=lambda asked: pytest.fail("nothing is left to do"), chunk_rows=5
    )
    assert (again.found_done, again.written) == (4, 20)


def contents(output: Path) -> dict[str, object]:
    """Rows of every file, so that what differs in their bytes only does not count."""
    files = [output] if output.is_file() else sorted(output.glob("part-*"))
    return {
        each.name: pl.read_parquet(each).rows() if each.suffix == ".parquet" else each.read_bytes()
        for each in files
    }


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"asked": scored(digests={"m/1": "blake3:2"})}, "version m/1 1"),
        ({"asked": scored("flag")}, "--invalid"),
        ({"chunk_rows": 4}, "--chunk-rows"),
        ({"keep": ("s",)}, "--keep"),
        ({"touch": True}, "rows.parquet"),
    ],
)
def test_another_job_is_refused_until_it_is_begun_anew(tmp_path, rows, change, where) -> None:
    with pytest.raises(Stop):
        score(rows, tmp_path / "out", opens=stopping(2), chunk_rows=5)
    if change.get("touch"):
        frame(11).write_parquet(rows)
    given = {"chunk_rows": 5} | {name: value for name, value in change.items() if name != "touch"}
    with pytest.raises(Conflict, match="--restart") as caught:
        score(rows, tmp_path / "out", **given)
    [fault] = caught.value.faults
    assert fault.where.endswith(where)
    report = score(rows, tmp_path / "out", **given, restart=True)
    assert report.found_done == 0
    assert report.written == report.rows == pl.read_parquet(tmp_path / "out" / "part-*").height


def test_files_of_others_are_left(tmp_path, rows) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "part-00000.parquet").write_bytes(b"somebody's")
    (tmp_path / "out.csv").write_bytes(b"somebody's")
    for output in ("out", "out.csv"):
        with pytest.raises(Conflict, match="no job of ours"):
            score(rows, tmp_path / output)
    (tmp_path / "out" / "_manifest.json").write_text("{}")
    with pytest.raises(StorageError, match="no manifest"):
        score(rows, tmp_path / "out")
    assert score(rows, tmp_path / "out", restart=True).written == 20


def test_what_was_half_written_is_swept(tmp_path, rows) -> None:
    half = "0" * 32
    left = [f"out/.part-00001.parquet.{half}", f"out/._manifest.json.{half}", f".out.csv.{half}"]
    left += [f"out.csv.parts/.part-00000.csv.{half}", "out.csv.parts/mlwright-batch-x"]
    mine = [".env", f".notes.{half}", "out/.keep"]
    for name in [*left, *mine]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("half")
    score(rows, tmp_path / "out")
    score(rows, tmp_path / "out.csv")
    assert not [name for name in left if (tmp_path / name).exists()]
    assert all((tmp_path / name).exists() for name in mine)


def test_two_processes_at_one_output(tmp_path, rows) -> None:
    with held(Place(str(tmp_path / "out"))), pytest.raises(AlreadyRunning):
        score(rows, tmp_path / "out")


def test_a_file_that_changes_while_it_is_read(tmp_path, rows) -> None:
    def opens(asked):
        frame(20).with_columns(x=pl.lit(1.0)).write_parquet(rows)
        return core_of(asked)

    with pytest.raises(Conflict, match="has changed while it was read"):
        score(rows, tmp_path / "out", opens=opens)


@pytest.mark.parametrize(
    ("source", "output", "error"),
    [
        ("no.parquet", "out", DataError),
        ("rows.txt", "out", DataError),
        ("*.feather", "out", DataError),
        ("rows.parquet", "out.arrow", UsageError),
        ("rows.parquet", "rows.parquet", UsageError),
        ("rows.parquet", ".", UsageError),
        ("nowhere://rows.parquet", "out", UsageError),
    ],
)
def test_places_that_cannot_be_right(tmp_path, rows, monkeypatch, source, output, error) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.txt").write_text("x")
    with pytest.raises(error):
        score(source, output)


def test_a_protocol_whose_package_is_not_installed(tmp_path) -> None:
    if pytest.importorskip("fsspec") and __import__("importlib.util").util.find_spec("s3fs"):
        pytest.skip("s3fs is installed")
    with pytest.raises(MissingExtra, match=r"mlwright\[s3\]"):
        listed("s3://bucket/*.parquet")


def test_near_names_are_suggested(tmp_path, rows) -> None:
    with pytest.raises(DataError, match=r"did you mean 'rows\.parquet'"):
        listed(str(tmp_path / "row.parquet"))


def test_broken_files(tmp_path) -> None:
    for suffix in {"parquet", "arrow"}:
        (tmp_path / f"broken.{suffix}").write_bytes(b"nonsense")
        with pytest.raises(DataError, match=f"broken.{suffix}"):
            score(
                tmp_path / f"broken.{suffix}", tmp_path / "out"
            )  # nothing is begun: another may use the place
    (tmp_path / "bad.csv").write_bytes(b"x,n,s\n\xff,1,a\n")
    with pytest.raises(DataError, match="UTF-8"):
        score(tmp_path / "bad.csv", tmp_path / "out2")
    (tmp_path / "twice.csv").write_bytes(b"x,x\n1,2\n")
    with pytest.raises(DataError, match="one name"):
        score(tmp_path / "twice.csv", tmp_path / "out3")
    assert len(FORMATS) == 7


@pytest.mark.parametrize("output", ["out", "out.parquet", "out.csv", "out.ndjson"])
def test_no_rows(tmp_path, output) -> None:
    frame(0).cast(SCHEMA).write_parquet(tmp_path / "rows.parquet")
    report = score(tmp_path / "rows.parquet", tmp_path / output)
    assert (report.rows, report.parts) == (0, 0)
    assert (tmp_path / output).exists()


def test_other_file_systems(tmp_path, rows) -> None:
    """Memory stands for every object store: files come over whole, parts go by one put."""
    import fsspec

    fs = fsspec.filesystem("memory")
    fs.pipe_file("/in/a.parquet", rows.read_bytes())
    fs.pipe_file("/in/b.parquet", rows.read_bytes())
    try:
        report = score("memory://in/*.parquet", "memory://out", chunk_rows=15)
        assert (report.written, report.parts) == (40, 4)
        assert len(fs.ls("/out")) == 5
        assert score("memory://in/*.parquet", "memory://out", chunk_rows=15).found_done == 4
        score("memory://in/*.parquet", "memory://one.parquet", chunk_rows=15)
        assert pl.read_parquet(fs.cat_file("/one.parquet")).height == 40
        score("memory://in/*.parquet", "memory://one.csv", chunk_rows=15)
        assert fs.cat_file("/one.csv").count(b"\n") == 41
    finally:
        fs.rm("/", recursive=True)


SCRIPT = """
import runpy, sys, time
here = runpy.run_path(sys.argv[1])
Model = here["Telltale"]
infer = Model.infer
def slow(self, batch):
    time.sleep(0.05 if batch.rows > 1 else 0)
    return infer(self, batch)
Model.infer = slow
print("ready", flush=True)
here["score"](sys.argv[2], sys.argv[3], chunk_rows=10)
"""


@pytest.mark.slow
@pytest.mark.parametrize("output", ["out", "out.parquet"])
def test_kill_9_and_go_on(tmp_path, output) -> None:
    """Killed again and again, at any moment, until it is done: the rows are those of one run."""
    frame(300).with_columns(pl.col("x") / 10).write_parquet(tmp_path / "rows.parquet")
    arguments = [__file__, str(tmp_path / "rows.parquet"), str(tmp_path / output)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    random = np.random.default_rng(5)
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments], env=environment, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2 + random.uniform(0, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    begun = manifest_of(str(tmp_path / output))
    report = score(tmp_path / "rows.parquet", tmp_path / output, chunk_rows=10)
    assert (report.rows, report.written, report.parts) == (300, 300, 30)
    assert report.found_done == (len(begun.done) if begun else 0)
    score(tmp_path / "rows.parquet", tmp_path / "whole" / output, chunk_rows=10)
    assert contents(tmp_path / output) == contents(tmp_path / "whole" / output)
    assert not list(tmp_path.rglob(".*")), "nothing half written is left"
