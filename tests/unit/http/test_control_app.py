"""The control door: every call, every kind of error in one form, and who may come in."""

import json
import re
import runpy
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlwright.doors.http.control.calls import CHANGES, NOT_OVER_HTTP, READS
from mlwright.errors import StorageError
from mlwright.platform.alerting import AlertJourney
from mlwright.platform.checking import CheckJourney
from mlwright.platform.data import DataJourney
from mlwright.platform.diagnosing import DiagnoseJourney
from mlwright.platform.dossiers import DossierJourney
from mlwright.platform.drifting import DriftJourney
from mlwright.platform.facade import Platform
from mlwright.platform.imaging import ImagingJourney
from mlwright.platform.objectives import ObjectiveJourney
from mlwright.platform.optimizing import OptimizeJourney
from mlwright.platform.profiling import ProfileJourney
from mlwright.platform.records import RecordsJourney
from mlwright.platform.releases import ReleaseJourney
from mlwright.platform.retraining import RetrainJourney
from mlwright.platform.rolling import RolloutJourney
from mlwright.platform.scoring import ScoringJourney
from mlwright.platform.shifting import JointDriftJourney
from mlwright.platform.training import TrainingJourney
from mlwright.platform.watching import WatchJourney

BENCH = runpy.run_path(str(Path(__file__).parents[1] / "web" / "bench.py"))
HERE = "http://127.0.0.1:8500"


@pytest.fixture(scope="module")
def bench():
    opened = BENCH["Bench"]()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def year(bench, tmp_path_factory):
    """A browser at a project with a year behind it; nobody changes it."""
    return BENCH["Browser"](bench.open(BENCH["SEEDED"]["seed"](tmp_path_factory.mktemp("year"))))


@pytest.fixture
def fresh(bench, tmp_path):
    """The same, for one test to change."""
    return BENCH["Browser"](bench.open(BENCH["SEEDED"]["seed"](tmp_path)))


@pytest.fixture
def empty(bench, tmp_path):
    BENCH["SEEDED"]["write_files"](tmp_path)
    return BENCH["Browser"](bench.open(tmp_path))


def error_of(response) -> dict:
    (name,) = response.json()
    assert name == "error"
    return response.json()["error"]


@pytest.mark.parametrize(
    ("path", "check"),
    [
        ("/api/loop", lambda got: len(got["stages"]) == 11),
        ("/api/processes", lambda got: got["processes"]["workers"][0]["pid"] == 4711),
        ("/api/runs", lambda got: len(got) == 8),
        ("/api/runs?limit=2", lambda got: len(got) == 2),
        ("/api/runs?failed=true", lambda got: [each["status"] for each in got] == ["FAILED"]),
        ("/api/pipelines", lambda got: got == [{"name": "train_delay", "about": "Count rows."}]),
        ("/api/models", lambda got: [each["version"] for each in got] == [7, 6, 5, 4, 3, 2, 1]),
        ("/api/models/flight-delay/5", lambda got: got["aliases"] == ["champion"]),
        ("/api/models/flight-delay@challenger", lambda got: got["version"] == 7),
        ("/api/endpoints", lambda got: [each["endpoint"] for each in got] == ["delay"]),
        ("/api/endpoints/delay", lambda got: got["rollout"]["challenger"] == 7),
        ("/api/rollouts?limit=3", lambda got: len(got) == 3),
        ("/api/monitor/delay", lambda got: len(got) == 275),
        ("/api/monitor/delay?by=month", lambda got: len(got) == 9),
        ("/api/monitor/delay?from=2013-05-01&to=2013-05-02T12:00:00Z", lambda got: got["predictions"] == 0),
        ("/api/monitor/delay/slices?by=month", lambda got: got == []),
        ("/api/monitor/delay/young", lambda got: got == []),
        ("/api/monitor/delay/maturity", lambda got: (got["predictions"], got["shares"]) == (0, [])),
        ("/api/drift/delay", lambda got: len(got) == 275),
        ("/api/alerts?endpoint=delay", lambda got: len(got) == 5),
        ("/api/decisions?subject=delay&limit=4", lambda got: len(got) == 4),
        ("/api/audit", lambda got: got[0]["action"] == "deploy"),
        ("/api/audit/verify", lambda got: got == {"first_broken_row": None}),
        ("/api/trace/model:flight-delay/5", lambda got: len(got["causes"]) == 2),
        ("/api/trace/flight-delay/5", lambda got: len(got["effects"]) == 1),
    ],
)
def test_what_can_be_read(year, path, check) -> None:
    response = year.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert check(response.json()), response.text[:300]


def test_one_run_by_its_id(year) -> None:
    run = year.get("/api/runs").json()[3]
    assert year.get(f"/api/runs/{run['id']}").json()["metrics"] == run["metrics"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/runs/none", None, 404, "NotFound"),
        ("GET", "/api/models/flight-delay/99", None, 404, "NotFound"),
        ("GET", "/api/models/flight-dely@champion", None, 404, "NotFound"),
        ("GET", "/api/endpoints/dely", None, 404, "NotFound"),
        ("GET", "/api/monitor/dely", None, 404, "NotFound"),
        ("GET", "/api/drift/dely", None, 404, "NotFound"),
        ("GET", "/api/trace/model:nobody/1", None, 404, "NotFound"),
        ("GET", "/api/runs?limit=0", None, 400, "BadRequest"),
        ("GET", "/api/runs?limit=²", None, 400, "BadRequest"),
        ("GET", "/api/monitor/delay?by=wek", None, 400, "BadRequest"),
        ("GET", "/api/monitor/delay?from=2013-05-01", None, 400, "BadRequest"),
        ("GET", "/api/monitor/delay?from=2013-05-02&to=2013-05-01", None, 400, "BadRequest"),
        ("GET", "/api/monitor/delay?from=yesterday&to=2013-05-01", None, 400, "BadRequest"),
        ("GET", "/api/nothing", None, 404, "NoSuchCall"),
        ("GET", "/api/tick", None, 405, "NoSuchCall"),
        ("POST", "/api/runs", None, 405, "NoSuchCall"),
        ("POST", "/api/endpoints/delay/deploy", b"{", 400, "BadRequest"),
        ("POST", "/api/endpoints/delay/deploy", b'{"reff": "x"}', 400, "BadRequest"),
        ("POST", "/api/endpoints/delay/deploy", b'{"ref": 3}', 400, "BadRequest"),
        ("POST", "/api/endpoints/delay/deploy", b'{"ref": "flight-delay/99"}', 404, "NotFound"),
        ("POST", "/api/rollouts/delay/start", b"", 400, "BadRequest"),
        ("POST", "/api/alerts/none/ack", b"", 404, "NotFound"),
        ("POST", "/api/retrain/dely", b"", 404, "NotFound"),
        ("POST", "/api/run/train_dely", b"", 404, "NotFound"),
        ("POST", "/api/tick", b" " * (2 << 20), 400, "BadRequest"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_form(year, method, path, body, status, code) -> None:
    response = year.ask(method, path, content=body)
    error = error_of(response)
    assert (response.status_code, error["code"]) == (status, code), response.text
    assert error["what"]


def test_a_near_miss_is_suggested_with_the_next_command(year) -> None:
    error = error_of(year.get("/api/endpoints/dely"))
    assert "did you mean 'delay'" in error["what"]
    assert "did you mean 'week'" not in error_of(year.get("/api/monitor/delay?by=dya"))["what"]
    assert "did you mean 'day'" in error_of(year.get("/api/monitor/delay?by=dya"))["what"]


def test_a_fault_of_ours_says_nothing_of_the_inside(empty, monkeypatch) -> None:
    def explode(*_, **__):
        raise ZeroDivisionError("secret in /root/key")

    monkeypatch.setattr(type(empty.control.platform.releases), "endpoints", explode)
    for path in ("/api/endpoints", "/"):
        response = empty.get(path)
        assert response.status_code == 500
        assert "secret" not in response.text
        assert "ZeroDivision" not in response.text
    assert error_of(empty.get("/api/endpoints"))["code"] == "Unexpected"


def test_a_database_that_is_away_is_503(empty, monkeypatch) -> None:
    def away(*_, **__):
        raise StorageError("the database is locked", next_command="mlwright doctor")

    monkeypatch.setattr(type(empty.control.platform.training), "list", away)
    response = empty.get("/api/runs")
    assert (response.status_code, error_of(response)["next"]) == (503, "mlwright doctor")


def test_health_needs_no_database(empty, monkeypatch) -> None:
    monkeypatch.delattr(type(empty.control), "platform", raising=False)
    assert empty.get("/health").json()["status"] == "ok"


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8500", "localhost", "localhost:1", "[::1]:8500", "LOCALHOST:8500"]
)
def test_this_machine_may_come_in(year, host) -> None:
    assert year.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8500",
        "127.0.0.1.evil.example",
        "localhost.",
        "",
        "[::1",
        "10.0.0.1:8500",
        "127.0.0.2",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/loop", "/static/page.css"])
def test_a_name_that_was_rebound_may_not(year, host, path) -> None:
    response = year.get(path, headers={"host": host})
    assert response.status_code == 403
    assert error_of(response)["code"] == "Refused"


@pytest.mark.parametrize("path", ["/alerts/x/ack", "/api/alerts/x/ack"])
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 404),
        (HERE, 404),
        ("http://127.0.0.1:9999", 403),
        ("https://127.0.0.1:8500", 403),
        ("http://localhost:8500", 403),
        ("http://evil.example", 403),
        ("null", 403),
    ],
)
def test_a_change_comes_from_a_program_or_from_our_own_page(year, path, origin, status) -> None:
    headers = {"origin": origin} if origin else {}
    assert year.post(path, headers=headers).status_code == status


def test_reading_from_another_site_is_left_to_the_browser_which_hides_the_answer(year) -> None:
    response = year.get("/api/loop", headers={"origin": "http://evil.example"})
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_an_alert_is_taken_by_name_and_written_down(fresh) -> None:
    alert = next(each for each in fresh.get("/api/alerts").json() if each["state"] == "firing")
    taken = fresh.post(f"/api/alerts/{alert['id']}/ack", json={"who": "grace"})
    assert taken.json()["acknowledged_by"] == "grace"
    assert fresh.get("/api/audit").json()[0]["details"]["by"] == "grace"
    resolved = fresh.get("/api/alerts").json()[-1]["id"]
    assert fresh.post(f"/api/alerts/{resolved}/ack").status_code == 409


def test_alerts_are_silenced_and_channels_are_tried(fresh) -> None:
    alert = next(each for each in fresh.get("/api/alerts").json() if each["state"] == "firing")
    assert fresh.get(f"/api/alerts/{alert['id']}").json() == alert
    wanted = {"span": "2h", "why": "known", "who": "ada", "rule": "a*"}
    made = fresh.post("/api/silence/delay", json=wanted).json()
    assert fresh.get("/api/silences").json() == [made]
    assert fresh.get(f"/api/alerts/{alert['id']}").json()["silenced"] == made["id"]
    ended = fresh.post(f"/api/silences/{made['id']}/end", json={"who": "ada"}).json()
    assert (ended["by"], fresh.get("/api/silences").json()) == ("ada", [])
    assert len(fresh.get("/api/silences?everything=true").json()) == 1
    assert fresh.post("/api/silence/delay", json={**wanted, "span": "soon"}).status_code == 400
    assert fresh.post("/api/silence/dely", json=wanted).status_code == 404
    assert fresh.post("/api/channels/nothing/test").status_code == 404
    assert fresh.get("/api/channels").json() == {"troubles": []}


def test_an_alias_moves_and_a_rollout_ends(fresh) -> None:
    moved = fresh.post("/api/models/flight-delay/3/alias", json={"alias": "second"})
    assert moved.json()["aliases"] == ["second"]
    assert fresh.get("/api/models/flight-delay@second").json()["version"] == 3
    ended = fresh.post("/api/rollouts/delay/abort", json={"reason": "wrong data"})
    assert ended.json()["state"] == "aborted"
    assert fresh.get("/api/endpoints/delay").json()["rollout"] is None
    assert fresh.post("/api/rollouts/delay/abort").status_code == 404
    assert "wrong data" in fresh.get("/api/decisions").json()[0]["reasons"][0]


def test_a_pipeline_runs_with_the_parameters_that_were_sent(empty) -> None:
    run = empty.post("/api/run/train_delay", json={"params": {"rows": 8}, "tags": {"why": "test"}}).json()
    assert (run["status"], run["metrics"], run["tags"]["why"]) == ("FINISHED", {"rows": 8.0}, "test")
    failed = empty.post("/api/run/train_delay", json={"params": {"lines": 8}})
    assert failed.status_code == 400


def test_contracts_and_features_on_request(empty) -> None:
    (report,) = empty.post("/api/contracts/check").json()
    assert (report["dataset"], report["rows"]) == ("weather", 3)
    assert {each["name"]: each["value"] for each in empty.get("/api/loop").json()["stages"]}[
        "contract"
    ] == "1 kept"
    assert empty.post("/api/features").json() == {"weather_at_origin": 3}
    assert empty.post("/api/features", json={"view": "none"}).status_code == 404
    status = empty.get("/api/processes").json()["turns"]
    assert (status["failures"], status["error"]) == (0, None)  # who asked was told; the loop is well


def test_a_turn_on_request_is_counted_and_shown(empty) -> None:
    (turn,) = empty.post("/api/tick").json()
    assert (turn["endpoint"], turn["rollout"], turn["decision"]) == ("delay", None, None)
    status = empty.get("/api/processes").json()["turns"]
    assert (status["turns"], status["failures"], status["doing"]) == (1, 0, None)
    assert datetime.fromisoformat(status["last"]) > datetime(2025, 1, 1, tzinfo=UTC)


def test_what_reads_does_not_wait_for_the_turn_that_is_under_way(empty) -> None:
    reached, go_on = threading.Event(), threading.Event()
    turn = empty.control.turns.ask("thinking", lambda: (reached.set(), go_on.wait(20)))
    try:
        assert reached.wait(10)
        assert empty.get("/api/processes").json()["turns"]["doing"] == "thinking"
        assert empty.get("/").status_code == 200
        waiting = threading.Thread(target=empty.post, args=("/api/tick",))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
    finally:
        go_on.set()
    turn.result(10)
    waiting.join(10)
    assert not waiting.is_alive()


def test_every_method_of_every_journey_is_reachable_or_excused() -> None:
    """The parity of doors: whoever adds a method says how HTTP reaches it, or why it does not."""
    source = Path(__file__).parents[3] / "src/mlwright/doors/http/control"
    text = "".join(file.read_text() for file in source.glob("*.py"))
    methods = {
        f"{journey}.{name}"
        for journey, kind in journeys().items()
        for name in vars(kind)
        if not name.startswith("_")
    }
    assert len(methods) > 25
    called = {each for each in methods if re.search(rf"\.{re.escape(each)}\b", text)}
    missing = methods - called - NOT_OVER_HTTP.keys()
    assert not missing, f"add a call or a reason: {sorted(missing)}"
    assert methods >= NOT_OVER_HTTP.keys(), "an excuse for a method that does not exist"
    assert all(len(reason) > 15 for reason in NOT_OVER_HTTP.values())


def journeys() -> dict[str, type]:
    """The journeys of the façade by name."""
    found = {
        "data": DataJourney,
        "training": TrainingJourney,
        "releases": ReleaseJourney,
        "dossiers": DossierJourney,
        "rollouts": RolloutJourney,
        "scoring": ScoringJourney,
        "watch": WatchJourney,
        "alerting": AlertJourney,
        "drifting": DriftJourney,
        "shifting": JointDriftJourney,
        "objectives": ObjectiveJourney,
        "diagnosing": DiagnoseJourney,
        "checking": CheckJourney,
        "retraining": RetrainJourney,
        "records": RecordsJourney,
        "imaging": ImagingJourney,
        "optimizing": OptimizeJourney,
        "profiling": ProfileJourney,
    }
    assert set(found) <= set(Platform.__init__.__code__.co_names)
    return found


def test_no_path_is_read_and_changed() -> None:
    assert not READS.keys() & CHANGES.keys()
    assert json.dumps(sorted([*READS, *CHANGES])).isascii()
