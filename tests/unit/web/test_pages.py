"""The pages, read as a browser would: what is there, what is escaped, what an empty project says."""

import json
import math
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from mlwright.doors.web.words import brief, day, instant, number, percent, version_of

STAGES = ["contract", "features", "pipeline", "run", "version", "endpoint", "prediction", "label", "monitor"]
STAGES += ["alert", "retrain"]
SECTIONS = {"year", "endpoint", "monitor", "alert", "decision", "run", "version", "contract", "process"}


class Reader(HTMLParser):
    """Collects ids, tags and text of a page, and complains about tags that are not closed in order."""

    VOID = frozenset({"meta", "link", "br", "rect", "line", "circle", "path", "polygon"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if given.get("id"):
            self.ids.append(given["id"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def page(client) -> Reader:
    response = client.get("/")
    assert response.status_code == 200, response.text[:500]
    assert response.headers["content-type"].startswith("text/html")
    return Reader(response.text)


def test_the_page_has_every_section_once(page) -> None:
    assert set(page.ids) >= SECTIONS
    assert len(page.ids) == len(set(page.ids))


def test_each_stage_of_the_loop_leads_to_a_section(page, client) -> None:
    stages = client.get("/api/loop").json()["stages"]
    assert [each["name"] for each in stages] == STAGES
    assert {each["href"].removeprefix("/#") for each in stages} <= set(page.ids)
    assert all(each["value"] for each in stages)


def test_the_strip_says_what_is_so(client) -> None:
    loop = client.get("/api/loop").json()
    said = {each["name"]: (each["value"], each["state"]) for each in loop["stages"]}
    assert said["contract"] == ("1 kept", "ok")
    assert said["version"] == ("v5", "ok")
    assert said["endpoint"] == ("v5 90% · v7 10%", "ok")
    assert said["alert"] == ("2 open", "bad")
    assert said["retrain"] == ("v7", "ok")
    assert said["run"] == ("failed", "warn")
    assert (loop["last_event"], loop["firing"]) == ("2014-01-01T00:00:00Z", 2)


def test_nothing_of_the_project_becomes_markup(client, page) -> None:
    runs = client.get("/api/runs").json()
    pages = [
        "/",
        *(f"/runs/{each['id']}" for each in runs[:2]),
        "/models/flight-delay/7",
        "/runs/<script>alert(1)</script>",
    ]
    for path in pages:
        html = client.get(path).text
        assert "<script>alert" not in html, path
        assert "&lt;script&gt;alert" in html, path
        assert [given for tag, given in Reader(html).tags if tag == "script"] == [
            {"src": "/static/page.js", "defer": None}
        ]
    assert "<b>out of memory" not in client.get("/").text


def test_nothing_is_fetched_from_elsewhere(client, page) -> None:
    links = [
        given.get(name) for _, given in page.tags for name in ("src", "href", "action") if given.get(name)
    ]
    assert all(each.startswith(("/", "#", "data:image/svg+xml")) for each in links), links
    for file in ("page.css", "page.js"):
        response = client.get(f"/static/{file}")
        assert response.status_code == 200
        assert "http" not in response.text
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy


def test_monitoring_shows_the_marks_and_says_what_drift_is(page) -> None:
    assert "Drift is context, not an alarm" in page.text
    assert page.text.count("▲") >= 6  # five alerts and the legend
    assert "December 2013" in page.text
    titles = [given.get("aria-label", "") for tag, given in page.tags if tag == "svg"]
    assert [each.partition(":")[0].partition(" on ")[0] for each in titles] == [
        "AUC by month",
        "AUC",
        "Calibration",
        "Drift",
    ]


def test_the_rollout_shows_its_steps_and_guardrails(page) -> None:
    steps = [
        given["class"]
        for tag, given in page.tags
        if tag == "li" and given.get("class") in ("done", "now", "ahead")
    ]
    assert steps == ["done", "now", "ahead", "ahead"]
    assert "the loss is not yet known well enough" in page.text
    for guardrail in ("loss", "errors", "latency"):
        assert f" {guardrail} " in page.text


def test_a_firing_alert_can_be_taken(fresh) -> None:
    (form,) = [given for tag, given in Reader(fresh.get("/").text).tags if tag == "form"]
    answer = fresh.post(form["action"], headers={"origin": "http://127.0.0.1:8500"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/#alert")
    assert "<form" not in fresh.get("/").text
    alerts = fresh.control.platform.alerting.alerts()
    assert all(each.acknowledged_by for each in alerts if each.resolved is None)


def test_run_and_version_have_pages_of_their_own(client) -> None:
    run = client.get("/api/runs").json()[1]["id"]
    shown = Reader(client.get(f"/runs/{run}").text).text
    for word in ("holdout_auc", "gate.1", "1f3a9c", "weather@1.0.0", "2 packages", "flight-delay/7"):
        assert word in shown
    shown = Reader(client.get("/models/flight-delay/5").text).text
    for word in ("champion", "distance", "held-out rows", "made by", "endpoint:delay"):
        assert word in shown


def test_a_page_that_is_not_there_says_what_to_do(client) -> None:
    missing = client.get("/models/flight-delay/99")
    assert missing.status_code == 404
    assert "mlwright models" in missing.text
    assert client.get("/nothing").status_code == 404


def test_an_empty_project_says_what_to_type_next(empty) -> None:
    page = Reader(empty.get("/").text)
    assert set(page.ids) >= SECTIONS - {"year"}
    for command in ("mlwright run --list", "mlwright deploy delay", "mlwright monitor delay --update"):
        assert command in page.text
    stages = {each["name"]: each for each in empty.get("/api/loop").json()["stages"]}
    assert (stages["endpoint"]["value"], stages["endpoint"]["state"]) == ("empty", "warn")
    assert (stages["contract"]["value"], stages["contract"]["note"]) == ("…", "being checked")


def test_an_endpoint_without_a_label_makes_no_claim_about_quality(bare) -> None:
    platform = bare.control.platform
    root = platform.parts.settings.root
    platform.releases.register(f"{root}/rules.py:predict", "rules")
    platform.releases.promote("rules/1")
    for deployed in (False, True):
        if deployed:
            platform.releases.deploy("rules")
        bare.control.turns.looks.look()
        assert platform.tick() == ()
        page = Reader(bare.get("/").text)
        assert set(page.ids) >= SECTIONS - {"year"}
        assert "nothing is known of its quality" in page.text
        assert "No window has matured yet" not in page.text
        stages = {each["name"]: each for each in bare.get("/api/loop").json()["stages"]}
        assert (stages["label"]["value"], stages["label"]["state"]) == ("none", "idle")
        assert (stages["monitor"]["note"], stages["prediction"]["note"]) == (
            "no label, no quality",
            "logged, not judged",
        )
        for path in ("/models", "/models/rules", "/models/rules/1", "/api/endpoints", "/api/monitor/rules"):
            assert bare.get(path).status_code == 200, path
    assert stages["endpoint"]["value"] == "v1 100%"


def test_an_endpoint_out_of_service_says_so(fresh) -> None:
    fresh.control.platform.rollouts.abort("delay", "for the test")
    headers = {"content-type": "application/json"}
    gone = fresh.post("/api/endpoints/delay/withdraw", content=b"{}", headers=headers)
    assert (gone.status_code, gone.json()["variants"]) == (200, [])
    page = Reader(fresh.get("/").text)
    assert "It is out of service" in page.text
    assert "mlwright deploy delay" in page.text
    assert "mlwright rollout start" not in page.text
    stages = {each["name"]: each for each in fresh.get("/api/loop").json()["stages"]}
    assert (stages["endpoint"]["value"], stages["endpoint"]["state"]) == ("out of service", "warn")


@pytest.mark.parametrize("text", ["{", "[]", '{"months": []}', '{"months": 3}', "\x00"])
def test_a_damaged_report_of_a_demo_is_left_out(empty, tmp_path, text) -> None:
    reports = tmp_path / ".mlwright" / "reports"
    reports.mkdir()
    (reports / "year.json").write_text(text)
    assert "year" not in Reader(empty.get("/").text).ids


def test_a_report_with_other_strategies_has_a_table_and_no_picture(empty, tmp_path, seeded) -> None:
    year = json.loads((seeded / ".mlwright/reports/year.json").read_text())
    for month in year["months"]:
        month["auc"], month["brier"] = {"mine": 0.7}, {"mine": 0.2}
    year |= {"mean_auc": {"mine": 0.7}, "mean_brier": {"mine": 0.2}, "model_changes": {"mine": 1}}
    (tmp_path / ".mlwright/reports").mkdir()
    (tmp_path / ".mlwright/reports/year.json").write_text(json.dumps(year))
    page = Reader(empty.get("/").text)
    assert "year" in page.ids
    assert not [tag for tag, _ in page.tags if tag == "svg"]


def test_values_are_written_for_people() -> None:
    assert brief("dataset:flights@blake3:" + "0123456789abcdef" * 4) == "dataset:flights@0123456789ab…"
    assert (number(None), number(math.nan), number(1234.5678, 1)) == ("–", "–", "1,234.6")
    assert (percent(0.1234), percent(1.0, 0)) == ("12.3%", "100%")
    midnight = datetime(2014, 1, 1, tzinfo=UTC)
    assert (day(midnight), day(midnight, before=True), instant(midnight)) == (
        "1 Jan 2014",
        "31 Dec 2013",
        "1 Jan 2014 00:00",
    )
    assert version_of("promoted: flight-delay/12 against flight-delay/9") == "12"
    assert version_of("keep the champion") is None
