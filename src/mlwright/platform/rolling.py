"""The journey of a challenger: shadow, canary, and the verdict that lets it in or keeps it out."""

from contextlib import suppress
from datetime import datetime, timedelta

import polars as pl

from mlwright.errors import Conflict, NotFound, UsageError
from mlwright.model.endpoints import CHALLENGER, CHAMPION
from mlwright.model.ids import EndpointName, RolloutId
from mlwright.model.promotion import Judgement
from mlwright.model.registry import parse_model_ref
from mlwright.model.rollouts import Rollout, RolloutState, RolloutVerdict, Verdict
from mlwright.model.windows import Window
from mlwright.platform.following import note_champion
from mlwright.platform.parts import Parts
from mlwright.platform.releases import ReleaseJourney, require_served
from mlwright.stages.monitoring.labels import join_labels
from mlwright.stages.registry import store as registry
from mlwright.stages.rollouts import machine
from mlwright.stages.rollouts import store as rollouts
from mlwright.stages.rollouts.evidence import Evidence, from_frames
from mlwright.stages.rollouts.verdict import judge
from mlwright.stages.serving import store as serving


class RolloutJourney:
    """Starts, advances and ends rollouts."""

    def __init__(self, parts: Parts, releases: ReleaseJourney) -> None:
        self._parts = parts
        self._releases = releases

    def start(self, endpoint: str, challenger: str) -> Rollout:
        """Start to roll a challenger out behind an endpoint.

        Args:
            endpoint: the endpoint's name.
            challenger: the version, as ``name/3`` or ``name@challenger``.

        Raises:
            Conflict: another rollout is under way, or the challenger already serves everything.
            NotFound: the endpoint has no champion yet, or there is no such version of its model.
        """
        settings = self._parts.endpoint(endpoint)
        version = self._releases.version(challenger)
        require_served(settings, version)
        status = self._releases.status(endpoint)
        if status.champion is None or status.route is None or not status.route.variants:
            raise NotFound(
                f"endpoint {endpoint!r} has no champion to compare with",
                next_command=f"mlwright deploy {endpoint} {challenger}",
            )
        if status.champion.version == version.version:
            raise Conflict(f"{version.ref} already is the champion of {endpoint!r}")
        self._releases.load(version)
        now = self._parts.clock.now()
        if settings.rollout is None:
            raise UsageError(
                f"endpoint {endpoint!r} has no rollout steps",
                where="mlwright.toml",
                next_command=f"mlwright deploy {endpoint} {version.ref}",
            )
        plan = settings.rollout
        # Mostly nothing guards this alias; where a policy does, it counts here too.
        self._releases.gates.require(self._releases.gates.judge(version, CHALLENGER))
        with self._parts.write() as tx:
            rollout = machine.start(
                id=RolloutId(f"{endpoint}-{version.version}-{now:%Y%m%d%H%M%S%f}"),
                endpoint=EndpointName(endpoint),
                model=version.model,
                champion=status.champion.version,
                challenger=version.version,
                plan=plan,
                now=now,
            )
            rollouts.save(tx, rollout)
            registry.set_alias(tx, version.model, CHALLENGER, version.version, at=now)
            serving.set_route(tx, rollout.endpoint, machine.variants(rollout), at=now, salt=rollout.id)
            self._parts.audit(
                tx, "rollout start", f"endpoint:{endpoint}", rollout=rollout.id, version=version.ref
            )
        return rollout

    def advance(self, endpoint: str) -> Rollout | None:
        """Judge the running rollout on what is known now and act on the verdict. None where none is running."""
        now = self._parts.clock.now()
        with self._parts.read() as tx:
            rollout = rollouts.running(tx, EndpointName(endpoint))
        if rollout is None:
            return None
        if now <= (rollout.last.at if rollout.last else rollout.started):
            return rollout  # judged at this instant already: the same turn again, as after a crash
        evidence = self._evidence(rollout, now)
        verdict = judge(rollout, evidence, now, mature=True)
        after = machine.advance(rollout, verdict, now)
        judgement = None
        if after.state is RolloutState.PROMOTED:
            judgement = self._judged(rollout)
            if judgement.refused:
                verdict = _held(rollout, verdict, judgement, now)
                after = machine.advance(rollout, verdict, now)
        self._apply(rollout, after, verdict, now, judgement)
        return after

    def abort(self, endpoint: str, reason: str) -> Rollout:
        """End the running rollout; the champion answers everything.

        Raises:
            NotFound: no rollout is under way.
        """
        now = self._parts.clock.now()
        with self._parts.read() as tx:
            rollout = rollouts.running(tx, EndpointName(endpoint))
        if rollout is None:
            raise NotFound(
                f"no rollout is under way at endpoint {endpoint!r}", next_command="mlwright rollout list"
            )
        after = machine.abort(rollout, now, reason)
        verdict = after.last or RolloutVerdict(at=now, verdict=Verdict.ROLLBACK, reason=reason)
        self._apply(rollout, after, verdict, now)
        return after

    def list(self, endpoint: str | None = None, *, limit: int = 50) -> tuple[Rollout, ...]:
        """The latest rollouts first."""
        with self._parts.read() as tx:
            return tuple(
                rollouts.list_rollouts(tx, endpoint=EndpointName(endpoint) if endpoint else None, limit=limit)
            )

    def _judged(self, rollout: Rollout) -> Judgement:
        """What the policy of the endpoint's alias says of the challenger, the rollout's own verdict included."""
        _, _, alias = parse_model_ref(self._parts.endpoint(rollout.endpoint).model)
        version = self._releases.version(f"{rollout.model}/{rollout.challenger}")
        return self._releases.gates.judge(version, alias or CHAMPION, rollout=rollout)

    def _apply(
        self,
        before: Rollout,
        after: Rollout,
        verdict: RolloutVerdict,
        now: datetime,
        judgement: Judgement | None = None,
    ) -> None:
        subject = f"endpoint:{after.endpoint}"
        with self._parts.write() as tx:
            rollouts.save(tx, after)
            rollouts.add_verdict(tx, after.id, verdict)
            if judgement is not None:
                self._releases.gates.keep(
                    tx, judgement, registry.get_version(tx, judgement.model, judgement.version)
                )
            if judgement is not None and after.state is RolloutState.PROMOTED:
                self._releases.gates.point(tx, judgement, audited=True)
                note_champion(tx, after.endpoint, f"{after.model}/{after.challenger}", now)
            if after.state.ended:
                with suppress(NotFound):  # somebody may have moved or removed it by hand
                    registry.delete_alias(tx, after.model, CHALLENGER, at=now)
            if after.step != before.step or after.state.ended:
                salt = after.id if not after.state.ended else None
                route = serving.set_route(tx, after.endpoint, machine.variants(after), at=now, salt=salt)
                self._parts.audit(
                    tx,
                    "route",
                    subject,
                    rollout=after.id,
                    state=str(after.state),
                    generation=route.generation,
                )
            if after.state.ended:
                self._parts.decide(
                    tx,
                    "rollout",
                    str(after.endpoint),
                    f"{after.state}: {after.model}/{after.challenger} against {after.model}/{after.champion}",
                    (verdict.reason,),
                    {
                        "rollout": after.id,
                        "guardrails": [
                            {
                                "name": g.name,
                                "n": g.n,
                                "estimate": g.estimate,
                                "lower": g.lower,
                                "upper": g.upper,
                            }
                            for g in verdict.guardrails
                        ],
                    },
                )

    def _evidence(self, rollout: Rollout, now: datetime) -> Evidence:
        settings = self._parts.endpoint(rollout.endpoint)
        window = Window(start=rollout.started, end=max(now, rollout.started))
        scored = self._parts.log.predictions(window, served_only=False, endpoint=rollout.endpoint)
        with self._parts.read() as tx:
            route = serving.current_route(tx, rollout.endpoint)
        generation = route.generation if route else 0
        refs = {name: f"{rollout.model}/{number}" for name, number in _versions(rollout).items()}
        champion = scored.filter(pl.col("model_version") == refs["champion"])
        challenger = scored.filter(pl.col("model_version") == refs["challenger"])
        # Only rows whose label had time to arrive: early labels are those of short flights, not of typical ones.
        ripe = now - settings.truth.horizon
        since = Window(start=window.start, end=window.end + timedelta(days=1))
        labels = self._parts.log.labels(since, endpoint=rollout.endpoint)
        labelled = join_labels(champion.filter(pl.col("event_time") < ripe), labels).filter(
            pl.col("label").is_not_null()
        )
        limit: timedelta = settings.slo.latency_p99
        return from_frames(
            champion,
            challenger,
            labelled.select("prediction_id", "label"),
            share=rollout.plan.steps[rollout.step].share,
            slow_us=int(limit.total_seconds() * 1_000_000),
            in_step=pl.col("generation") >= generation,
        )


def _held(rollout: Rollout, verdict: RolloutVerdict, judgement: Judgement, now: datetime) -> RolloutVerdict:
    """The verdict where the rollout would promote and the policy does not let it: wait, until the deadline."""
    named = "; ".join(f"{each.gate}: {each.summary}" for each in judgement.refused)
    late = now - rollout.started >= rollout.plan.deadline
    return RolloutVerdict(
        at=now,
        verdict=Verdict.INCONCLUSIVE if late else Verdict.HOLD,
        reason=f"the rollout went well, but the promotion policy does not let it through: {named}",
        guardrails=verdict.guardrails,
    )


def _versions(rollout: Rollout) -> dict[str, int]:
    return {"champion": rollout.champion, "challenger": rollout.challenger}
