"""The pages of monitoring, alerts, diagnoses and the three views, read as a browser would."""

import re
import runpy
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mlwright.doors.web.alert_pages import is_link
from mlwright.doors.web.forms import way_back
from mlwright.doors.web.monitor_facts import monitored
from mlwright.doors.web.waiting import Waiting
from mlwright.errors import UsageError
from mlwright.platform.diagnosing import Kept

Reader = runpy.run_path(str(Path(__file__).with_name("test_pages.py")))["Reader"]
Reader.VOID = Reader.VOID | {"input", "option", "circle"}
WATCHING = runpy.run_path(str(Path(__file__).with_name("seeded_watching.py")))
PAGES = (
    "/monitor/delay",
    "/monitor/delay?days=30",
    "/alerts",
    "/alerts?endpoint=delay",
    "/diagnoses",
    "/views/engineering",
    "/views/science",
    "/views/business",
    "/views/business?endpoint=delay&days=90",
)
HERE = "http://127.0.0.1:8500"
FORM = {"origin": HERE, "content-type": "application/x-www-form-urlencoded"}
_XSS = "<script>alert"


def read(browser, path: str):
    """A page that must be there, parsed, with drawings that are whole and nothing that a browser would run."""
    answer = browser.get(path)
    assert answer.status_code == 200, (path, answer.text[:2000])
    assert _XSS not in answer.text, path
    page = Reader(answer.text)
    assert len(page.ids) == len(set(page.ids)), path
    assert [given for tag, given in page.tags if tag == "script"] == [
        {"src": "/static/page.js", "defer": None}
    ]
    for svg in re.findall(r"<svg.*?</svg>", answer.text, re.DOTALL):
        assert ElementTree.fromstring(svg).get("aria-label"), path
    return page


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_escapes_and_fetches_nothing(watched, path) -> None:
    page = read(watched, path)
    assert [g for t, g in page.tags if t == "a" and g.get("aria-current") == "page"]
    loaded = [g.get("src") or g.get("href") for t, g in page.tags if t in ("script", "link", "img")]
    assert all(each.startswith(("/", "data:image/svg+xml")) for each in loaded)
    for tag, given in page.tags:
        assert not [name for name in given if name.startswith("on")], (tag, given)
        assert not str(given.get("href", "")).startswith("javascript"), given
    named = {g["for"] for t, g in page.tags if t == "label" and g.get("for")}
    for tag, given in page.tags:
        if tag in ("input", "select") and given.get("type") != "hidden":
            assert given["id"] in named, given


@pytest.mark.parametrize("path", [each for each in PAGES if "delay" not in each])
def test_pages_of_projects_without_a_past_say_what_would_be_there(empty, path) -> None:
    page = read(empty, path)
    assert not [t for t, _ in page.tags if t == "article"]
    assert any(g.get("class") == "empty" for t, g in page.tags if t == "p")
    assert read(empty, "/monitor/delay").text.count("Next:") >= 1


def test_pages_of_an_endpoint_without_a_label_make_no_claim(bare) -> None:
    for path in ("/monitor/rules", *(each for each in PAGES if "delay" not in each)):
        page = read(bare, path)
        assert not [g for t, g in page.tags if t == "form" and "/diagnoses/" in g.get("action", "")], path
    assert "nothing is known of its quality" in read(bare, "/monitor/rules").text
    assert bare.get("/monitor").headers["location"] == "/monitor/rules"


def test_monitoring_shows_what_was_measured_beside_what_was_estimated(watched) -> None:
    page = read(watched, "/monitor/delay")
    for words in (
        "dashed: an estimate before labels, not measured",
        "labels still arrive: 59%",
        "limit",
        "by month",
        "missed",
        "too sure of itself",
        "97.2% ever get one",
    ):
        assert words in page.text, words
    hints = [words for words in page.words if words.startswith("1 Jan 2014: AUC")]
    assert re.fullmatch(
        r"1 Jan 2014: AUC [\d. ,\[\]]+; \d+ of \d+ labelled \(\d\d%\); labels still arrive, 93% due by now; "
        r"estimate [\d. ,\[\]]+",
        hints[0],
    )
    assert [g for t, g in page.tags if str(g.get("fill", "")).startswith("url(#time-hatch")]


@pytest.mark.parametrize("path", ["/monitor/delay", "/views/science"])
def test_all_features_together_stand_beside_the_heat_map(watched, path) -> None:
    """The last week in words and columns, every week on the axis with its interval and what is usual."""
    page = read(watched, path)
    assert "All features together: AUC of a classifier of served and held-out rows" in page.text
    weeks = [words for words in page.words if "6,384 rows served, 19,000 held out by flight-delay/1" in words]
    inside = [words for words in weeks if "in the reference itself 0.51" in words]
    assert len(inside) > 10
    assert re.search(r"AUC 0\.6\d+ \[0\.6\d+, 0\.7\d*\]; .*; told apart by ", inside[-1])
    assert "told apart" not in inside[0] or path == "/views/science"
    for words in ("Not asked: sched_at (an instant)", "p 0.034", "(10,000", "Context, not an alarm"):
        assert words.replace("(10,000", "6,384 and 10,000 taken") in page.text, words
    asked = watched.get("/api/drift/delay/joint").json()
    assert asked[-1]["columns"][2]["alone"]["value"] == 0.7
    assert asked[-1]["auc"]["lower"] > 0.5
    refused = watched.get("/api/drift/delay/joint?from=2013-05-06&to=2013-05-13")
    assert refused.status_code == 400
    assert "without held-out rows" in refused.text


def test_slices_and_variants_that_moved_stand_below_the_heat_map(watched) -> None:
    page = read(watched, "/monitor/delay")
    said = page.text[page.text.index("Drift of slices and variants, ") :]
    order = [said.index(part) for part in ("carrier=<", "carrier=UA", "carrier=EV", "variant=challenger")]
    assert order == sorted(order)
    for words in (
        "4,100 1 of 9 temp 0.31",
        "0.18 and 5 more",
        "too few to judge: 29 held-out rows and 40 served rows, 500 are needed",
        "Limits by how the slice itself varies over 21 windows of its held-out rows; limits by how all vary.",
    ):
        assert words in said, words
    asked = watched.get("/api/drift/delay/parts").json()
    assert [each["part"] for each in asked["parts"]][-1] == "variant=champion (flight-delay/5)"
    nobody = watched.get("/api/drift/delay/parts?from=2012-01-01T00:00:00Z&to=2012-01-02T00:00:00Z")
    assert (nobody.status_code, nobody.json()) == (200, None)


def test_the_limit_is_that_of_the_version_that_answered(watched) -> None:
    found = monitored(watched.control, "delay").quality
    day, late = found.days[0], found.days[-1]
    assert (day.versions, late.versions) == (("flight-delay/1",), ("flight-delay/5",))
    assert found.limit_of(day) == pytest.approx(0.69 + 1 / 400 - 0.02)
    assert found.limit_of(late) == pytest.approx(0.69 + 5 / 400 - 0.02)


def test_drift_marks_what_moved_and_says_by_how_much(watched) -> None:
    page = read(watched, "/monitor/delay")
    moved = [g for t, g in page.tags if g.get("class") == "moved"]
    assert 20 < len(moved) < 120
    humid = next(words for words in page.words if words.startswith("humid, week of 8 Jul 2013"))
    for words in (
        "PSI 0.",
        "threshold 0.250",
        "missing 30.0% (reference 1.0%)",
        "moved (missing, psi) on 7 of 7 days",
    ):
        assert words in humid, humid
    assert "new levels 2.0%" in next(words for words in page.words if words.startswith("carrier, week"))
    assert "day of" not in page.text
    by_day = read(watched, "/monitor/delay?days=30")
    assert any(words.startswith("temp, 30 Dec 2013: PSI") for words in by_day.words)


def test_parts_are_listed_worst_first_and_judged_by_their_intervals(watched) -> None:
    quality = monitored(watched.control, "delay").quality
    assert [each.part.removeprefix("carrier=")[:8] for each in quality.slices] == [
        "EV",
        "B6",
        "UA",
        "<script>",
        "OO",
    ]
    assert [each.part for each in quality.variants] == ["variant=challenger"]
    parts = read(watched, "/monitor/delay").text.partition("Parts of the answers")[2]
    assert (
        parts.index("carrier=EV")
        < parts.index(" worse ", parts.index("carrier=EV"))
        < parts.index("carrier=B6")
    )


def test_data_quality_and_events_stand_below(watched) -> None:
    text = read(watched, "/monitor/delay").text
    for words in (
        "7 h old",
        "stale",
        "912 rows, usually 905",
        "served is the value of one hour earlier",
        "lag",
    ):
        assert words in text, words
    events = text[text.index("The latest first") :]
    for words in ("page: auc", "retrain", "rollout", "diagnosis"):
        assert words in events, words


def test_an_endpoint_that_is_not_there_suggests_the_nearest(watched) -> None:
    for path in ("/monitor/delya", "/alerts?endpoint=delya", "/views/science?endpoint=delya"):
        answer = watched.get(path)
        assert (answer.status_code, "delay" in answer.text) == (404, True), path
    assert watched.get("/diagnoses/nothing").status_code == 404


def test_the_inbox_has_the_worst_first_with_all_that_is_needed(watched) -> None:
    page = read(watched, "/alerts")
    rules = [g["id"].partition("-20")[0] for t, g in page.tags if t == "article"]
    assert rules[:4] == ["delay-brier", "delay-skew.temp", "delay-volume", "delay-labels"]
    for words in (
        "2 at delay, told together",
        "flights team",
        "1 d before, by ada",
        "lead , now",
        "oncall cannot be reached",
        "connection refused",
        "a load test",
        "every rule",
    ):
        assert words in page.text.replace("lead, now", "lead , now"), words
    links = [g["href"] for t, g in page.tags if t == "a" and g.get("rel")]
    assert links == ["https://wiki.example/delay"]
    assert page.text.index("Open") < page.text.index("Silences") < page.text.index("Resolved")


def test_an_alert_is_taken_and_silenced_by_forms_that_come_back(own) -> None:
    alerting = own.control.platform.alerting
    (alert,) = (each for each in alerting.alerts() if each.rule == "brier")
    taken = own.post(f"/alerts/{alert.id}/ack", content=f"who=grace&back=/alerts%23{alert.id}", headers=FORM)
    assert (taken.status_code, taken.headers["location"]) == (303, f"/alerts#{alert.id}")
    assert alerting.find(alert.id).acknowledged_by == "grace"
    made = own.post("/silence/delay", content="rule=skew.*&span=4h&why=a+test&who=grace", headers=FORM)
    assert made.status_code == 303, made.text
    assert made.headers["location"] == "/alerts#silences"
    silence = alerting.silences()[0]
    assert (silence.rule, silence.end - silence.start, silence.why) == (
        "skew.*",
        timedelta(hours=4),
        "a test",
    )
    assert "silenced" in read(own, "/alerts").text
    ended = own.post(f"/silences/{silence.id}/end", content="", headers=FORM)
    assert (ended.status_code, alerting.silences()[0].id) == (303, "silence-1")


@pytest.mark.parametrize(
    ("endpoint", "body", "headers", "status"),
    [
        ("delay", "span=4h&why=+", FORM, 400),
        ("delay", "span=soon&why=x", FORM, 400),
        ("delya", "span=1h&why=x", FORM, 404),
        ("delay", "span=1h&why=x&more=y", FORM, 400),
        ("delay", "span=1h&why=" + "x" * 20_000, FORM, 400),
        ("delay", b"\xff=1", FORM, 400),
        ("delay", "span=1h&why=x", FORM | {"origin": "http://elsewhere.example"}, 403),
    ],
)
def test_a_silence_that_cannot_be_is_refused(watched, endpoint, body, headers, status) -> None:
    assert watched.post(f"/silence/{endpoint}", content=body, headers=headers).status_code == status
    assert [each.id for each in watched.control.platform.alerting.silences()] == ["silence-1"]


def test_a_form_sends_nobody_elsewhere() -> None:
    for wanted in (
        "https://elsewhere.example",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "/alerts/../x",
        "",
    ):
        assert way_back({"back": wanted}, "/alerts") == "/alerts"
    assert way_back({"back": "/alerts#a"}, "/") == "/alerts#a"
    assert [is_link(each) for each in ("https://a.b/c", "javascript:alert(1)", "http://a b", "ask ada")] == [
        True,
        False,
        False,
        False,
    ]


def test_diagnoses_are_listed_and_each_is_a_whole_report(watched) -> None:
    page = read(watched, "/diagnoses")
    links = [g["href"] for t, g in page.tags if t == "a" and g["href"].startswith("/diagnoses/")]
    assert len(links) == 2
    report = read(watched, links[1])
    for words in (
        "data quality",
        "likely",
        "unit × 100",
        "Every test",
        "not tested",
        "What would change",
        "the next",
    ):
        assert words in report.text, words
    assert sum(t == "svg" for t, _ in report.tags) == 3


def test_a_diagnosis_that_cannot_be_made_says_why_there_and_in_the_list(own) -> None:
    answer = own.post("/diagnoses/delay", content="", headers=FORM)
    assert answer.status_code == 400
    assert "without held-out rows" in answer.text
    listed = read(own, "/diagnoses").text
    assert "The diagnosis of delay could not be made" in listed
    assert own.post("/diagnoses/delya", content="", headers=FORM).status_code == 404


class FakeDiagnosing:
    """Makes the same diagnosis whenever it is asked."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.asked = 0

    def diagnose(self, endpoint: str, **about: object) -> Kept:
        self.asked += 1
        return self.kept


def test_a_diagnosis_that_is_asked_for_is_made_in_its_turn_and_shown(own) -> None:
    kept = own.control.platform.diagnosing.diagnoses(limit=1)[0]
    fake = own.control.platform.diagnosing = FakeDiagnosing(kept)
    answer = own.post("/diagnoses/delay", content="", headers=FORM)
    assert (answer.status_code, answer.headers["location"], fake.asked) == (303, f"/diagnoses/{kept.id}", 1)


def test_who_asks_twice_waits_for_the_same_diagnosis() -> None:
    waiting, at, begun = Waiting(), WATCHING["START"], []

    def begin() -> "Future[Kept]":
        begun.append(Future())
        return begun[-1]

    assert waiting.ask("delay", at, begin) is waiting.ask("delay", at, begin)
    assert [(each.endpoint, each.trouble) for each in waiting.seen()] == [("delay", None)]
    begun[0].set_exception(UsageError("no"))
    assert waiting.seen()[0].trouble.what == "no"
    waiting.ask("delay", at, begin)
    assert len(begun) == 2


def test_engineers_see_budgets_burns_and_traffic(watched) -> None:
    page = read(watched, "/views/engineering")
    bars = [g["aria-label"] for t, g in page.tags if t == "span" and g.get("role") == "img"]
    assert bars[:2] == ["-10% of the budget left", "50% of the budget left"]
    for words in (
        "broken",
        "98.900%",
        "5m 1.1",
        "rolled back",
        "inference 1",
        "requests/s",
        "0.050%",
        "1.10%",
    ):
        assert words in page.text, words
    assert sum(t == "article" for t, _ in page.tags) == 4


def test_scientists_see_drift_calibration_and_the_last_diagnosis(watched) -> None:
    text = read(watched, "/views/science").text
    for words in (
        "What moved on 31 Dec 2013",
        "no evidence of a drop",
        "Calibration",
        "estimate of it",
        "carrier=EV",
    ):
        assert words in text, words


def test_business_reads_money_and_plain_words_only(watched) -> None:
    page = read(watched, "/views/business")
    for words in (
        "a day, on average",
        "announced, and it was so",
        "Of 100 cases that were “late” in truth, 6",
        "were announced",
        "Model 5 passed its trial and took over.",
        "Model 6 was withdrawn from its trial: it did worse.",
        "Results got worse beyond doubt.",
        "The truth about 1,1",
    ):
        assert words in page.text, words
    jargon = re.findall(
        r"\b(AUC|PSI|Brier|recall|precision|champion|calibration|guardrail|drift)\b", page.text, re.I
    )
    assert jargon == []
    assert "What is one answer worth?" not in page.text


def test_business_without_a_declared_value_says_how_to_declare_it(client) -> None:
    text = read(client, "/views/business").text
    assert "What is one answer worth?" in text
    assert 'value = { currency = "EUR", true_positive = 40' in text


def test_the_front_page_leads_to_all_of_it(watched) -> None:
    links = {g["href"] for t, g in read(watched, "/").tags if t == "a"}
    assert links >= {
        "/monitor",
        "/alerts",
        "/diagnoses",
        "/views/engineering",
        "/views/science",
        "/views/business",
    }
    assert "/monitor/delay" in links
