"""Promotion: judge a version by the policy of an alias, keep what was found, and move the alias only then."""

from collections.abc import Callable

from sqlalchemy import Connection

from mlwright.errors import Conflict, Fault, GateFailed, ModelLoadFailed, NotFound, UsageError
from mlwright.model.evidence import Evidence, EvidenceKind, Outcome
from mlwright.model.ids import ModelName
from mlwright.model.promotion import Judgement, policy_for
from mlwright.model.registry import ModelVersion
from mlwright.model.rollouts import Rollout
from mlwright.platform.gates import Asked, run_gates
from mlwright.platform.parts import Parts
from mlwright.platform.verdicts import keep_judgement
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.registry import evidence as proofs
from mlwright.stages.registry import store as registry


class PolicyGates:
    """The policies of ``mlwright.toml`` at work."""

    def __init__(self, parts: Parts, load: Callable[[ModelVersion], LoadedModel]) -> None:
        self._parts = parts
        self._load = load

    def judge(self, version: ModelVersion, alias: str, *, rollout: Rollout | None = None) -> Judgement:
        """Ask every gate of the policy that guards the alias. Nothing is kept yet.

        Args:
            version: what is to be promoted.
            alias: where.
            rollout: the rollout that wants to promote it, where one does.
        """
        policy = policy_for(self._parts.settings.promotions, version.model, alias)
        with self._parts.read() as tx:
            champion = self._at(tx, version.model, alias)
        asked = (
            None
            if policy is None
            else Asked(
                parts=self._parts,
                load=self._load,
                policy=policy,
                version=version,
                champion=None if champion is None or champion.version == version.version else champion,
                rollout=rollout,
            )
        )
        return Judgement(
            model=version.model,
            version=version.version,
            alias=alias,
            policy=policy,
            champion=champion.ref if champion else None,
            results=run_gates(asked) if asked else (),
        )

    def require(self, judgement: Judgement) -> None:
        """Keep what a judgement found, and refuse where a gate did not pass.

        Raises:
            GateFailed: a gate did not pass; ``faults`` names each, what it found and the next command.
        """
        if not judgement.refused:
            return
        with self._parts.write() as tx:
            version = registry.get_version(tx, judgement.model, judgement.version)
            self.keep(tx, judgement, version)
            self._parts.audit(
                tx,
                "promotion refused",
                f"model:{judgement.ref}",
                alias=judgement.alias,
                gates={each.gate: each.outcome for each in judgement.results},
            )
        raise refusal(judgement)

    def keep(self, tx: Connection, judgement: Judgement, version: ModelVersion) -> None:
        """Keep what a judgement found as evidence of the version; the same again is not kept twice."""
        keep_judgement(tx, judgement, version, at=self._parts.clock.now(), actor=self._parts.actor)

    def move(self, judgement: Judgement, override: str | None = None) -> ModelVersion:
        """Move the alias, with the evidence and an audit row in one transaction.

        Args:
            judgement: what the gates said.
            override: why it is to move although a gate did not pass.

        Raises:
            GateFailed: a gate did not pass, and nobody overrides it.
            UsageError: the policy does not let this actor override it.
            Conflict: the alias was moved meanwhile, so that the gates compared with another version.
        """
        overridden = bool(override) and bool(judgement.refused)
        if overridden:
            self._require_override(judgement)
        else:
            self.require(judgement)
        with self._parts.write() as tx:
            version = registry.get_version(tx, judgement.model, judgement.version)
            self.keep(tx, judgement, version)
            moved_from = self.point(tx, judgement)
            details: dict[str, object] = {"alias": judgement.alias, "previous": moved_from}
            details["version"] = version.version
            if overridden:
                gates = {each.gate: each.summary for each in judgement.refused}
                details |= {"override": override, "refused": gates}
                self._say_overridden(tx, judgement, version, str(override))
            action = "alias override" if overridden else "alias"
            self._parts.audit(tx, action, f"model:{version.ref}", **details)
            return registry.get_version(tx, version.model, version.version)

    def point(self, tx: Connection, judgement: Judgement, *, audited: bool = False) -> int | None:
        """Point the alias at the version, and return where it pointed; with an audit row where that is asked for.

        Raises:
            Conflict: it was moved since the gates compared, so that they said nothing about where it points now.
        """
        previous = registry.set_alias(
            tx, judgement.model, judgement.alias, judgement.version, at=self._parts.clock.now()
        )
        before = f"{judgement.model}/{previous}" if previous is not None else None
        if judgement.policy is not None and before != judgement.champion:
            raise Conflict(
                f"{judgement.model}@{judgement.alias} was moved to {before or 'nothing'} meanwhile",
                why=f"the gates compared with {judgement.champion or 'nothing'}",
                next_command=f"mlwright models promote {judgement.ref} --alias {judgement.alias}",
            )
        if audited:
            details = {"alias": judgement.alias, "previous": previous, "version": judgement.version}
            self._parts.audit(tx, "alias", f"model:{judgement.ref}", **details)
        return previous

    def approve(self, version: ModelVersion, role: str, reason: str, *, withdraw: bool) -> Evidence:
        """Keep that the actor approves these files of a version in a role, or no longer does.

        Raises:
            UsageError: no policy of the model asks for the role, or the actor may not speak in it.
            ModelLoadFailed: nothing of the version is stored that could be approved.
        """
        actor = self._parts.actor
        guarding = [each for each in self._parts.settings.promotions if each.model in (version.model, "*")]
        asked = [each for policy in guarding for each in policy.approvals if each.role == role]
        if not asked:
            known = sorted({each for policy in guarding for each in policy.roles})
            raise UsageError(
                f"no policy asks for an approval of {version.model} as {role!r}",
                where="mlwright.toml [[promotion]]",
                why=f"roles that are asked for: {', '.join(known) or 'none'}",
                next_command="mlwright models promote REF --dry-run",
            )
        may = sorted({name for each in asked for name in each.by})
        if actor not in may:
            raise UsageError(
                f"{actor} may not approve as {role}; {', '.join(may)} may",
                why="the actor is MLWRIGHT_ACTOR, or the account of the process",
                next_command=f"mlwright models approve {version.ref} --role {role}, as one of them",
            )
        if version.digest is None:
            raise ModelLoadFailed(
                f"no copy of {version.ref} is stored, so that nobody could say what was approved",
                next_command=f"mlwright models prove {version.ref}",
            )
        verb = "no longer approves" if withdraw else "approves"
        with self._parts.write() as tx:
            kept = proofs.add_evidence(
                tx,
                version.model,
                version.version,
                kind=EvidenceKind.APPROVAL,
                outcome=Outcome.FAILED if withdraw else Outcome.PASSED,
                summary=f"{actor} {verb} as {role}" + (f": {reason}" if reason else ""),
                at=self._parts.clock.now(),
                actor=actor,
                details={"role": role, "digest": version.digest, "reason": reason},
            )
            action = "approval withdrawn" if withdraw else "approve"
            self._parts.audit(
                tx, action, f"model:{version.ref}", role=role, digest=version.digest, reason=reason
            )
        return kept

    def _at(self, tx: Connection, model: ModelName, alias: str) -> ModelVersion | None:
        try:
            return registry.resolve(tx, f"{model}@{alias}")
        except NotFound:
            return None

    def _require_override(self, judgement: Judgement) -> None:
        may = judgement.policy.override if judgement.policy else ()
        if self._parts.actor not in may:
            who = f"; {', '.join(may)} may" if may else "; nobody may: the policy names nobody under override"
            raise UsageError(
                f"{self._parts.actor} may not override the policy of {judgement.model}@{judgement.alias}{who}",
                where="mlwright.toml [[promotion]]",
                next_command=f"mlwright models promote {judgement.ref} --alias {judgement.alias} --dry-run",
            )

    def _say_overridden(
        self, tx: Connection, judgement: Judgement, version: ModelVersion, reason: str
    ) -> None:
        gates = ", ".join(each.gate for each in judgement.refused)
        said = f"{self._parts.actor} moved {judgement.alias} although {gates} did not pass: {reason}"
        proofs.add_evidence(
            tx,
            version.model,
            version.version,
            kind=EvidenceKind.GATE,
            outcome=Outcome.FAILED,
            summary=said,
            at=self._parts.clock.now(),
            actor=self._parts.actor,
            details={
                "gate": "override",
                "alias": judgement.alias,
                "digest": version.digest,
                "reason": reason,
            },
        )
        self._parts.decide(
            tx,
            "override",
            str(version.model),
            f"{judgement.alias} moved to {version.ref} against the policy",
            (reason, *(f"{each.gate}: {each.summary}" for each in judgement.refused)),
            {
                "actor": self._parts.actor,
                "policy": judgement.policy.fingerprint if judgement.policy else None,
            },
        )


def refusal(judgement: Judgement) -> GateFailed:
    """The error that names each gate that did not pass, what it found and what to do."""
    refused = judgement.refused
    faults = []
    for each in refused:
        remedy = f"; next: {each.next_command}" if each.next_command else ""
        faults.append(Fault(where=f"{each.gate} {each.outcome}", what=f"{each.summary}{remedy}"))
    return GateFailed(
        f"{judgement.ref} is not promoted to {judgement.alias}: "
        f"{len(refused)} of {len(judgement.results)} gates did not pass",
        where=f"the policy of {judgement.policy.model if judgement.policy else judgement.model}",
        faults=faults,
        next_command=next((each.next_command for each in refused if each.next_command), None),
    )
