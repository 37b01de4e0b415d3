"""``mlwright diagnose`` of two tables, and the three forms of its report."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from mlwright.doors.cli.main import cli
from mlwright.doors.reports.diagnosis.html import diagnosis_html
from mlwright.doors.reports.diagnosis.markdown import diagnosis_markdown
from mlwright.doors.reports.diagnosis.plots import share_bars
from mlwright.model.diagnosis import Cause, Diagnosis, LossPoint, Outcome, Share, Sureness, Suspect, Test
from mlwright.model.monitoring import Estimate

TRICK = "<script>alert(1)</script>|`x`"


def rows(n: int, seed: int, factor: float = 1.0) -> pl.DataFrame:
    """A model that is right about its world, and answers what it is given."""
    random = np.random.default_rng(seed)
    age, amount = random.normal(40, 10, n), random.lognormal(6, 1, n)

    def chance(amount: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(0.08 * (age - 40) + 1.2 * (np.log(amount) - 6))))

    label = (random.random(n) < chance(amount)).astype(int)
    served = amount * factor
    return pl.DataFrame({"age": age, "amount": served, "y": label, "p": chance(served)})


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    rows(1500, 1).write_parquet(folder / "ref.parquet")
    rows(1200, 2, factor=100).write_csv(folder / "cur.csv")
    rows(1200, 3).write_parquet(folder / "well.parquet")
    return folder


def run(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["diagnose", *map(str, words)])


def test_two_tables_are_enough_for_a_cause_and_its_report(tables: Path, tmp_path: Path) -> None:
    about = (
        "--reference",
        tables / "ref.parquet",
        "--current",
        tables / "cur.csv",
        "--target",
        "y",
        "--score",
        "p",
    )
    page = tmp_path / "why.html"
    done = run(*about, "--html", page, "--json")
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout)
    assert (found["verdict"], found["suspects"][0]["column"], found["suspects"][0]["mechanism"]) == (
        "data quality",
        "amount",
        "unit",
    )
    assert found["suspects"][0]["factor"] == 100
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert found["digest"][:16] in html
    assert not re.search(r"(src|href)=", html)  # nothing is fetched
    assert [each["id"] for each in found["tests"]] == ["S0", "S0", *(f"S{n}" for n in range(1, 10))]


def test_where_nothing_fell_it_says_so_and_how_small_a_drop_it_would_have_seen(tables: Path) -> None:
    reference, current = tables / "ref.parquet", tables / "well.parquet"
    done = run(
        "--reference", reference, "--current", current, "--target", "y", "--score", "p", "--markdown", "-"
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("# Why did the model get worse?")
    assert "no evidence of a drop" in done.stdout
    assert "smallest detectable drop" in done.stdout


@pytest.mark.parametrize(
    ("words", "said", "following"),
    [
        (("--reference", "ref.parquet"), "--current, --target, --score missing", "--reference ref.parquet"),
        (
            ("--reference", "ref.parquet", "--current", "cur.csv", "--target", "yy", "--score", "p"),
            "yy",
            "",
        ),
        (
            ("delay", "--reference", "ref.parquet", "--current", "cur.csv", "--target", "y", "--score", "p"),
            "not both",
            "--reference ref.parquet",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_next_command(
    tables: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str, following: str
) -> None:
    monkeypatch.chdir(tables)
    done = run(*words, "--json")
    assert done.exit_code == 2 or done.exit_code > 2, done.output
    error = json.loads(done.stdout or done.stderr)["error"]
    assert said in str(error)
    assert following in (error["next"] or "")


def made(**changes: object) -> Diagnosis:
    """A diagnosis with names that would break out of a page."""
    estimate = Estimate(value=0.96, lower=0.91, upper=1.2)
    about: dict[str, object] = {
        "subject": TRICK,
        "metric": "Brier score",
        "reference_rows": 10,
        "current_rows": 20,
        "labelled_rows": 20,
        "loss_before": 0.1,
        "loss_now": 0.2,
        "drop": Estimate(value=0.1, lower=0.05, upper=0.15),
        "verdict": Cause.QUALITY,
        "sureness": Sureness.SURE,
        "summary": TRICK,
        "shares": (Share(cause=Cause.QUALITY, share=estimate, text=TRICK),),
        "suspects": (Suspect(column=TRICK, mechanism="unit", text=TRICK, rows=1.0, recovered=estimate),),
        "tests": (Test(id="S4", title="Integrity", outcome=Outcome.FOUND, text=TRICK),),
    }
    return Diagnosis(**{**about, **changes})  # type: ignore[arg-type]


def test_names_are_text_and_nothing_else_in_every_form() -> None:
    page, text = diagnosis_html(made()), diagnosis_markdown(made())
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    table = next(line for line in text.splitlines() if line.startswith("| ") and "unit" in line)
    assert table.count(" | ") == 4
    assert "\\<script\\>" in text


def test_every_verdict_has_its_action_and_every_drawing_keeps_inside() -> None:
    for cause in Cause:
        assert str(cause) in diagnosis_html(made(verdict=cause, sureness=Sureness.OPEN))
    bars = str(share_bars(made()))
    places = [float(at) for at in re.findall(r'[ xM]="?(-?\d+\.\d)', bars)]
    assert places
    assert all(0 <= at <= 1060 for at in places)
    none = diagnosis_html(made(shares=(), suspects=(), series=(LossPoint(at=None, loss=0.1, rows=3),)))  # type: ignore[arg-type]
    assert "<svg" not in none
