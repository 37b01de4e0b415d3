"""Answers of people: read with author and date, every fault said, and a hostile file costs nothing else."""

from datetime import date

import pytest

from mlwright.engineer.answers import FILE, parse_answers, read_answers
from mlwright.model.findings import Outcome

GOOD = '[[answer]]\nquestion = "microsoft.people.2"\nanswer = true\nby = "Ada"\non = 2026-11-01\n'


def test_an_answer_is_a_finding_with_author_and_date():
    answers = parse_answers(GOOD)
    assert answers.faults == ()
    assert answers.given[0].on == date(2026, 11, 1)
    [finding] = answers.findings
    assert (finding.id, finding.outcome) == ("microsoft.people.2", Outcome.TRUE)
    assert finding.evidence == "Ada answered yes on 2026-11-01"


def test_all_faults_are_said_and_good_answers_stay():
    answers = parse_answers(
        GOOD
        + '[[answer]]\nquestion = "microsoft.peple.3"\nanswer = true\nby = ""\non = 2026-11-01\n'
        + '[[answer]]\nquestion = 3\nanswer = "yes"\nby = "A"\non = 2026-11-01T00:00:00Z\nwhy = "x"\n'
        + GOOD
    )
    assert [each.question for each in answers.given] == ["microsoft.people.2"]
    said = [str(each) for each in answers.faults]
    assert len(said) == 7
    assert "did you mean 'microsoft.people.3'?" in said[0]
    for part in (
        "by must be a name",
        "'why'",
        "question must be",
        "answer must be true",
        "on must be a date",
        "twice",
    ):
        assert any(part in each for each in said)


@pytest.mark.parametrize(
    "text",
    [
        "answer = 3",
        "answer = [1]",
        "[[answer]]",
        "other = 1",
        "= broken",
        "a = " + "[" * 20_000,
        "a = " + "9" * 9_000,
    ],
)
def test_what_is_no_such_file_is_said(text):
    answers = parse_answers(text)
    assert answers.given == ()
    assert answers.faults


def test_a_name_cannot_drive_the_terminal():
    answers = parse_answers(GOOD.replace('"Ada"', '"\\u001B[31mAda"'))
    assert answers.given == ()
    assert "printable" in answers.faults[0].what


def test_reading(tmp_path):
    assert read_answers(tmp_path).faults == ()
    (tmp_path / FILE).write_text(GOOD, encoding="utf-8")
    assert len(read_answers(tmp_path).given) == 1
    (tmp_path / FILE).write_bytes(b"#" * 70_000)
    assert "larger" in read_answers(tmp_path).faults[0].what
    (tmp_path / FILE).write_bytes(b"\xff")
    assert "UTF-8" in read_answers(tmp_path).faults[0].what


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "real.toml").write_text(GOOD, encoding="utf-8")
    (tmp_path / FILE).symlink_to(tmp_path / "real.toml")
    assert "link" in read_answers(tmp_path).faults[0].what
