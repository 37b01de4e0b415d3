"""What the gates of a promotion policy said, kept with the version, and asked for by doors that run no gates.

The door of the MLflow protocol moves aliases too. It holds no data frames and loads no model, so it trusts the
judgement that was kept: of the same files, by the same policy, against the same champion.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from mlwright.errors import GateFailed, NotFound
from mlwright.model.evidence import Evidence, EvidenceKind, Outcome
from mlwright.model.ids import ModelName
from mlwright.model.plain import plain
from mlwright.model.promotion import Judgement, PromotionPolicy, policy_for
from mlwright.model.registry import ModelVersion
from mlwright.stages.registry import evidence as proofs
from mlwright.stages.registry import store as registry

POLICY: Final = "policy"
"""The gate that stands for all gates of a policy together."""


def keep_judgement(
    tx: Connection, judgement: Judgement, version: ModelVersion, *, at: datetime, actor: str
) -> None:
    """Keep each gate's outcome as evidence, and last what all come to; what was found already is not kept twice."""
    if judgement.policy is None:
        return
    context = {
        "alias": judgement.alias,
        "policy": judgement.policy.fingerprint,
        "champion": judgement.champion,
        "digest": version.digest,
    }
    found = proofs.list_evidence(tx, version.model, version.version, kind=EvidenceKind.GATE)
    passed = sum(each.outcome is Outcome.PASSED for each in judgement.results)
    rows = [
        (each.gate, each.outcome, f"{each.gate}: {each.summary}", dict(each.details))
        for each in judgement.results
    ]
    outcomes: dict[str, object] = {each.gate: str(each.outcome) for each in judgement.results}
    said = f"{passed} of {len(judgement.results)} gates passed for {judgement.alias}"
    rows.append((POLICY, judgement.outcome, said, {"gates": outcomes}))
    for gate, outcome, summary, details in rows:
        details = details | context | {"gate": gate}
        known = _newest(found, gate, judgement.alias)
        if (
            known is not None
            and (known.outcome, known.summary) == (outcome, summary)
            and known.details == plain(details)
        ):
            continue
        proofs.add_evidence(
            tx,
            version.model,
            version.version,
            kind=EvidenceKind.GATE,
            outcome=outcome,
            summary=summary,
            at=at,
            actor=actor,
            details=details,
        )


def require_judged(
    tx: Connection, policies: Sequence[PromotionPolicy], model: ModelName, alias: str, version: int
) -> None:
    """Refuse to move a guarded alias to a version that its policy has not let through.

    Raises:
        GateFailed: no judgement of these files, by this policy, against this champion passed.
        NotFound: there is no such model or version.
    """
    policy = policy_for(policies, model, alias)
    if policy is None:
        return
    wanted = registry.get_version(tx, model, version)
    champion = _at(tx, model, alias)
    if champion == wanted.ref:
        return
    found = proofs.list_evidence(tx, model, version)
    newest = _newest(found, POLICY, alias)
    why = _why_not(newest, policy, champion, wanted) or _failed_since(found, newest)
    if why:
        raise GateFailed(
            f"{model}@{alias} has a promotion policy, and {wanted.ref} has not passed it",
            where="mlwright.toml [[promotion]]",
            why=why,
            next_command=f"mlwright models promote {wanted.ref} --alias {alias}",
        )


def _why_not(
    newest: Evidence | None, policy: PromotionPolicy, champion: str | None, version: ModelVersion
) -> str:
    if newest is None:
        return "nobody has asked its gates yet"
    said = newest.details
    if newest.outcome is not Outcome.PASSED:
        gates = said.get("gates")
        named = (
            [gate for gate, outcome in gates.items() if outcome != Outcome.PASSED]
            if isinstance(gates, dict)
            else []
        )
        return f"these gates did not pass: {', '.join(named)}"
    if said.get("policy") != policy.fingerprint:
        return "the policy was changed since its gates were asked"
    if said.get("digest") != version.digest:
        return "its files were changed since its gates were asked"
    if said.get("champion") != champion:
        compared = said.get("champion") or "nothing"
        return f"its gates compared it with {compared}, and the alias points at {champion or 'nothing'}"
    return ""


def _failed_since(found: Sequence[Evidence], judged: Evidence | None) -> str:
    """What was found out after the gates were asked: a damaged file, an approval that was withdrawn."""
    since = (judged.number if judged else None) or 0
    for each in found:
        if each.outcome is Outcome.FAILED and each.kind != EvidenceKind.GATE and (each.number or 0) > since:
            return f"since its gates were asked: {each.summary}"
    return ""


def _newest(found: Sequence[Evidence], gate: str, alias: str) -> Evidence | None:
    wanted = (gate, alias)
    return next(
        (each for each in found if (each.details.get("gate"), each.details.get("alias")) == wanted), None
    )


def _at(tx: Connection, model: ModelName, alias: str) -> str | None:
    try:
        return registry.resolve(tx, f"{model}@{alias}").ref
    except NotFound:
        return None
