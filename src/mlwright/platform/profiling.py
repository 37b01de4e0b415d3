"""Journey of a profile: how an endpoint or a version behaves under load, measured and kept with the version."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

import msgspec
import numpy as np

from mlwright.errors import ModelError, NotFound, UsageError
from mlwright.model.endpoints import CHAMPION, Route, Variant
from mlwright.model.evidence import Evidence, EvidenceKind, Outcome
from mlwright.model.features import FeatureView
from mlwright.model.ids import EndpointName
from mlwright.model.plain import plain
from mlwright.model.profiles import Profile
from mlwright.model.registry import Field, ModelVersion
from mlwright.model.settings import EndpointSettings, LimitSettings, ServingSettings
from mlwright.model.value_rules import value_rules
from mlwright.platform.parts import Parts
from mlwright.platform.real_rows import RealRows, real_rows
from mlwright.platform.releases import ReleaseJourney, named_version
from mlwright.ports.measuring import Load
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.registry import evidence as proofs
from mlwright.stages.serving.asks import Answer, Ask
from mlwright.stages.serving.batching import Batcher
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.profile import advise, fit_line, fit_scalability, growth
from mlwright.stages.serving.profiling import bare_samples, core_samples
from mlwright.stages.serving.ring import RingJournal
from mlwright.stages.serving.values import ValueChecks

ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_ASKED: Final = 512
"""Different requests at most."""
_IN_PROCESS: Final = 0.5
"""The share of the time in which the core is measured here; the rest goes to a serving process."""
_BARE: Final = 0.3
_NO_LIMITS: Final = LimitSettings(queue_rows=0)

ASSUMPTIONS: Final = (
    "service times are those of this machine, with whatever else ran on it meanwhile",
    "the line alpha + beta * rows has the least squares of relative errors, through the median of each size",
    "each connection sends its next request when it has its answer (a closed loop), rows one at a time",
    "the scalability law knows no batching, which makes a request cheaper as more come: see the error of its fit",
    "the load generator shares this machine and takes some 20 µs a request: a faster server shows as that slow",
)


class ProfileJourney:
    """From an endpoint to how long it takes and what it needs."""

    def __init__(self, parts: Parts, releases: ReleaseJourney) -> None:
        self._parts = parts
        self._releases = releases

    def profile(
        self,
        subject: str,
        *,
        rows: Sequence[int] = ROWS,
        seconds: float = 10.0,
        say: Callable[[str], None] = lambda _: None,
    ) -> Profile:
        """Measure an endpoint as it is routed now, or a version behind an endpoint of its own; keep it as evidence.

        What is asked is what was asked before: rows of the log, else held-out rows, else the example. It is logged into
        a folder that is removed again, and clients' limits do not count.

        Args:
            subject: an endpoint of mlwright.toml, or ``name/3``, ``name@alias`` or ``name``.
            rows: batch sizes.
            seconds: for all of it, about.
            say: is told of each step.

        Raises:
            NotFound: there is neither such an endpoint nor such a version, or nothing is behind the endpoint.
            ModelError: it does not load, or does not answer.
            UsageError: the sizes do not ascend from 1 row or more, or there is no time.
        """
        sizes = tuple(rows)
        if not sizes or sizes[0] < 1 or list(sizes) != sorted(set(sizes)) or seconds <= 0:
            raise UsageError(
                "batch sizes ascend from 1 row or more, and the time is above 0", why=f"got {sizes}"
            )
        endpoint, route = self._behind(subject)
        champion = self._releases.version(_ref(route.variants[0]))
        say(f"loading {champion.ref}")
        started = perf_counter()
        model = self._releases.load(champion)
        load_s = perf_counter() - started
        champion = self._releases.version(champion.ref)
        digest, _ = champion.stored()
        asked = real_rows(
            self._parts, champion, model.signature, self._parts.shelf.fetch(digest), _ASKED, draw=False
        )
        try:
            profile = self._measured(subject, endpoint, route, model, asked, sizes, seconds, say)
        finally:
            model.close()
        profile = replace(profile, load_s=load_s)
        self._keep(champion, profile)
        return profile

    def latest(self, ref: str) -> Profile | None:
        """The newest profile of a version; None where there is none.

        Raises:
            NotFound: there is no such version.
        """
        version = self._releases.version(ref)
        with self._parts.read() as tx:
            found = proofs.list_evidence(tx, version.model, version.version, kind=EvidenceKind.PROFILE)
        return read_profile(found[0]) if found else None

    def _behind(self, subject: str) -> tuple[EndpointSettings, Route]:
        """What is measured: an endpoint with its route, or one made up for a version."""
        found = self._parts.settings.endpoint(subject)
        if found is not None:
            open_ = replace(found, serving=replace(found.serving, limits=_NO_LIMITS))
            route = self._releases.status(subject).route
            if route is None or not route.variants:
                raise NotFound(
                    f"nothing is behind endpoint {subject!r}", next_command=f"mlwright deploy {subject}"
                )
            return open_, route
        version = named_version(self._parts, self._releases, subject)
        endpoint = EndpointSettings(
            name=str(version.model),
            model=version.ref,
            keyed=False,
            serving=ServingSettings(limits=_NO_LIMITS),
        )
        only = Variant(name=CHAMPION, model=version.model, version=version.version, share=1.0)
        return endpoint, Route(
            endpoint=EndpointName(endpoint.name), generation=1, salt="profile", variants=(only,)
        )

    def _measured(
        self,
        subject: str,
        endpoint: EndpointSettings,
        route: Route,
        model: LoadedModel,
        asked: RealRows,
        sizes: Sequence[int],
        seconds: float,
        say: Callable[[str], None],
    ) -> Profile:
        here = seconds * (_IN_PROCESS if self._parts.measuring is not None else 1.0)
        with TemporaryDirectory(prefix="mlwright-profile-") as log:
            journal = RingJournal(Path(log), self._parts.clock)
            core = self._core(endpoint, journal)
            try:
                core.apply(route)
                asks, origins, first = _asks(core, asked)
                say(f"measuring batches of {sizes[0]} … {sizes[-1]} rows")
                through = core_samples(core, asks, sizes, seconds=here * (1 - _BARE))
                bare = bare_samples(model, asked.batch(), sizes, seconds=here * _BARE)
                form, auto = core.form, Batcher(core, mode="auto").mode
            finally:
                core.apply(replace(route, generation=route.generation + 1, variants=()))
                journal.close()
        line = fit_line(sizes, [each.quantile(0.5) for each in through])
        served = None
        if self._parts.measuring is not None:
            counts = _connections()
            load = _load(asks, form.inputs, endpoint, first, counts, (seconds - here) / len(counts))
            served = self._parts.measuring.serve(self._parts.settings, endpoint, route, load, say)
        return Profile(
            subject=subject,
            versions=tuple(map(_ref, route.variants)),
            origins=origins,
            core=through,
            bare=bare,
            line=line,
            load_s=0.0,
            advice=advise(through, line, latency_s=endpoint.slo.latency_p99.total_seconds(), auto=auto),
            served=served,
            scalability=fit_scalability(served.points) if served else None,
            growth=growth(served.points) if served else None,
            assumptions=ASSUMPTIONS,
        )

    def _core(self, endpoint: EndpointSettings, journal: RingJournal) -> EndpointCore:
        parts, edge = self._parts, endpoint.serving.edge
        rules = value_rules(parts.read_contract(edge.contract)) if edge.contract else ()
        views: list[FeatureView] = [
            each for each in parts.settings.feature_views if each.name in endpoint.features
        ]
        return EndpointCore(
            endpoint,
            views,
            parts.online,
            self._releases.load_variant,
            journal,
            parts.clock,
            checks=ValueChecks(rules, edge),
        )

    def _keep(self, version: ModelVersion, profile: Profile) -> None:
        parts = self._parts
        with parts.write() as tx:
            proofs.add_evidence(
                tx,
                version.model,
                version.version,
                kind=EvidenceKind.PROFILE,
                outcome=Outcome.PASSED,
                summary=summary_of(profile),
                at=parts.clock.now(),
                actor=parts.actor,
                details={"digest": version.digest, "profile": plain(profile)},
            )


def read_profile(evidence: Evidence) -> Profile | None:
    """The profile that a piece of evidence keeps; None where it keeps none that this version of mlwright reads."""
    try:
        return msgspec.convert(evidence.details.get("profile"), Profile, strict=False)
    except msgspec.ValidationError:
        return None


def summary_of(profile: Profile) -> str:
    """One sentence: how long for how many rows, how many rows a second, how much memory."""
    first, advice, served = profile.core[0], profile.advice, profile.served
    said = [
        (
            f"{first.rows} row{'s' * (first.rows != 1)} in {first.quantile(0.5) * 1e3:.3g} ms "
            f"(99th percentile {first.quantile(0.99) * 1e3:.3g} ms)"
        ),
        f"{advice.rows_s:,.0f} rows/s in batches of {advice.max_rows} within {advice.latency_s * 1e3:.4g} ms"
        if advice.meets
        else f"the promised {advice.latency_s * 1e3:.4g} ms are not kept",
    ]
    if served is not None:
        memory = f", {served.idle / 2**20:.0f} MiB" if served.idle else ""
        said.append(f"up after {served.cold_start_s:.2f} s{memory}")
    return "; ".join(said)


def _asks(core: EndpointCore, rows: RealRows) -> tuple[list[Ask], dict[str, int], float | None]:
    """Requests of one row each that the endpoint answers; where they came from; the first number that the first gets.

    Raises:
        ModelError: it answers none of them.
    """
    names = [name for name in core.form.names if name in rows.columns]
    missing = [each for each in core.form.inputs if each.required and each.name not in rows.columns]
    asks: list[Ask] = []
    origins: list[str] = []
    refused, first = None, None
    for at in range(len(rows)):
        ask = Ask(
            id=f"profile-{at}",
            rows=1,
            columns={name: [rows.columns[name][at]] for name in names}
            | {each.name: [""] for each in missing},
            keys=[rows.keys[at]],
            times=[rows.times[at]],
        )
        [outcome] = core.answer([ask])
        if isinstance(outcome, Answer):
            first = _number(outcome.outputs) if not asks else first
            asks.append(ask)
            origins.append(rows.origins[at])
        else:
            refused = outcome
    if not asks:
        raise ModelError(
            "the endpoint answers none of the rows that there are to ask it",
            why=refused.what if refused else "there are none",
            faults=refused.faults if refused else (),
        )
    return asks, {each: origins.count(each) for each in dict.fromkeys(origins)}, first


def _number(outputs: Mapping[str, np.ndarray]) -> float | None:
    first = next(iter(outputs.values()))
    return float(first.ravel()[0]) if first.dtype.kind in "fiu" and first.size else None


def _load(
    asks: Sequence[Ask],
    inputs: Sequence[Field],
    endpoint: EndpointSettings,
    answer: float | None,
    connections: Sequence[int],
    seconds: float,
) -> Load:
    types = {each.name: each.type for each in inputs}
    requests = []
    for ask in asks[:64]:
        sent: dict[str, list[object]] = {name: list(column) for name, column in ask.columns.items()}
        if endpoint.keyed:
            sent[endpoint.entity] = list(ask.keys or ())
            sent[endpoint.timestamp] = list(ask.times or ())
        requests.append(sent)
    return Load(
        requests=requests,
        types={**types, endpoint.entity: "string", endpoint.timestamp: "long"},
        shapes={each.name: each.shape for each in inputs if each.shape},
        answer=answer,
        connections=connections,
        seconds=seconds,
    )


def _connections() -> tuple[int, ...]:
    """1, 2, 4 … up to eight times the cores: batching makes a process better with more than it has cores."""
    most = max(16, 8 * (cpu_count() or 1))
    counts = [1]
    while counts[-1] * 2 <= min(64, most):
        counts.append(counts[-1] * 2)
    return tuple(counts)


def _ref(variant: Variant) -> str:
    return f"{variant.model}/{variant.version}"
