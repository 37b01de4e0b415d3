"""The gates of a promotion policy, one function each, and what they say of a version."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from mlwright.errors import MlwrightError, NotFound
from mlwright.model.evidence import Evidence, EvidenceKind, Outcome
from mlwright.model.ids import RunId
from mlwright.model.promotion import Approval, Gate, GateResult, PromotionPolicy
from mlwright.model.registry import ModelVersion
from mlwright.model.rollouts import Rollout, RolloutState
from mlwright.platform.parts import Parts
from mlwright.platform.proving import check_signed
from mlwright.platform.same_rows import SameRows, same_rows, slices_of
from mlwright.platform.signatures import newest_signature
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.monitoring.no_worse import (
    SliceFinding,
    calibration_difference,
    metric_difference,
    no_worse,
    slice_findings,
)
from mlwright.stages.registry import evidence as proofs
from mlwright.stages.rollouts import store as rollouts
from mlwright.stages.tracking import store as tracking

_SHOWN: Final = 3
_METRIC: Final = {"auc": "AUC", "brier": "Brier score"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the gates of one judgement share. ``champion`` is None where the alias points nowhere yet."""

    parts: Parts
    load: Callable[[ModelVersion], LoadedModel]
    policy: PromotionPolicy
    version: ModelVersion
    champion: ModelVersion | None
    rollout: Rollout | None = None
    """The rollout whose verdict is to promote, where that is what asks."""


def run_gates(asked: Asked) -> tuple[GateResult, ...]:
    """Ask every gate of the policy, then for its approvals. A gate that cannot be carried out is unknown."""
    rows: SameRows | MlwrightError | None = None
    results: list[GateResult] = []
    with asked.parts.read() as tx:
        found = proofs.list_evidence(tx, asked.version.model, asked.version.version)
        for gate in asked.policy.gates:
            if gate in _ON_EVIDENCE:
                results.append(_ON_EVIDENCE[gate](asked, tx, found))
                continue
            if rows is None:
                rows = _rows(asked)
            results.append(_on_rows(gate, asked, rows))
        results += [_approved(asked, tx, each, found) for each in asked.policy.approvals]
    return tuple(results)


def approvers_of(version: ModelVersion, role: str, found: Sequence[Evidence]) -> tuple[str, ...]:
    """Who approves these files of the version in a role now: the newest word of each person counts."""
    newest: dict[str, Evidence] = {}
    for each in found:
        if each.kind == EvidenceKind.APPROVAL and each.details.get("role") == role:
            newest.setdefault(each.actor, each)
    return tuple(
        sorted(
            actor
            for actor, each in newest.items()
            if each.outcome is Outcome.PASSED
            and version.digest is not None
            and each.details.get("digest") == version.digest
        )
    )


def _proved(asked: Asked, tx: Connection, found: Sequence[Evidence]) -> GateResult:
    ref, prove = asked.version.ref, f"mlwright models prove {asked.version.ref}"
    try:
        state = proofs.proof_state(tx, asked.version.model, asked.version.version)
    except NotFound:
        return _result(Gate.PROOF, Outcome.UNKNOWN, f"nobody has proved {ref} yet", prove)
    digested = _newest(found, EvidenceKind.DIGEST)
    if digested is not None and digested.outcome is Outcome.FAILED:
        return _result(Gate.PROOF, Outcome.FAILED, digested.summary, f"mlwright models verify {ref}")
    if state.ended is None:
        return _result(Gate.PROOF, Outcome.UNKNOWN, f"its proof is {state.state}", prove)
    outcome = Outcome(state.state)
    said = f"its proof of {state.ended:%Y-%m-%d %H:%M} {_WORDS[outcome]}"
    bad = next(
        (each for each in found if each.kind in _PROOF_KINDS and each.outcome is not Outcome.PASSED), None
    )
    if outcome is not Outcome.PASSED and bad is not None:
        said += f": {bad.summary}"
    return _result(Gate.PROOF, outcome, said, prove)


def _signature(asked: Asked, tx: Connection, found: Sequence[Evidence]) -> GateResult:
    return _of_evidence(Gate.SIGNATURE, EvidenceKind.SIGNATURE, asked, found)


def _no_pickle(asked: Asked, tx: Connection, found: Sequence[Evidence]) -> GateResult:
    scanned = _newest(found, EvidenceKind.SCAN)
    unsafe = scanned.details.get("unsafe") if scanned else None
    if scanned is None or not unsafe:
        return _of_evidence(Gate.NO_PICKLE, EvidenceKind.SCAN, asked, found)
    named = (
        ", ".join(str(each.get("path")) for each in unsafe if isinstance(each, dict))
        if isinstance(unsafe, list)
        else ""
    )
    remedy = "save the model as skops, ONNX, safetensors or in its booster's own format, and register that"
    said = f"loading it runs code: {named}"
    return _result(Gate.NO_PICKLE, Outcome.FAILED, said, remedy)


def _signed(asked: Asked, tx: Connection, found: Sequence[Evidence]) -> GateResult:
    engines, version = asked.parts.proofs, asked.version
    sign = f"mlwright models sign {version.ref} --key file:PATH"
    bundle = newest_signature(tx, version)
    if bundle is None or version.digest is None:
        return _result(Gate.SIGNED, Outcome.FAILED, "nobody signed its files", sign)
    if engines is None or engines.verify_key is None:
        said = "it is signed, but the project does not say with whose key that is verified"
        return _result(Gate.SIGNED, Outcome.UNKNOWN, said, "set [registry] verify_key in mlwright.toml")
    check = check_signed(asked.parts.shelf.fetch(version.digest), bundle, engines)
    if check is None:
        return _result(Gate.SIGNED, Outcome.UNKNOWN, "its signature was not verified", sign)
    return _result(Gate.SIGNED, check.outcome, check.summary, sign)


def _rolled_out(asked: Asked, tx: Connection, found: Sequence[Evidence]) -> GateResult:
    version = asked.version
    if asked.rollout is not None:
        return _result(Gate.ROLLOUT, Outcome.PASSED, f"rollout {asked.rollout.id} says promote")
    of_it = [
        each
        for each in rollouts.list_rollouts(tx, limit=1000)
        if (each.model, each.challenger) == (version.model, version.version)
    ]
    start = f"mlwright rollout start ENDPOINT {version.ref}"
    if not of_it:
        return _result(Gate.ROLLOUT, Outcome.UNKNOWN, "it was never rolled out beside the champion", start)
    last = of_it[0]
    if last.state is RolloutState.PROMOTED:
        return _result(Gate.ROLLOUT, Outcome.PASSED, f"rollout {last.id} ended with its promotion")
    outcome = Outcome.FAILED if last.state.ended else Outcome.UNKNOWN
    return _result(Gate.ROLLOUT, outcome, f"rollout {last.id}: {last.state}", start)


_Look = Callable[[Asked, Connection, Sequence[Evidence]], GateResult]
_ON_EVIDENCE: Final[Mapping[Gate, _Look]] = {
    Gate.PROOF: _proved,
    Gate.SIGNATURE: _signature,
    Gate.NO_PICKLE: _no_pickle,
    Gate.SIGNED: _signed,
    Gate.ROLLOUT: _rolled_out,
}
_PROOF_KINDS: Final = tuple(
    EvidenceKind(each)
    for each in ("package", "digest", "scan", "signature", "environment", "load", "score", "signing")
)
_WORDS: Final = {
    Outcome.PASSED: "passed",
    Outcome.FAILED: "failed",
    Outcome.UNKNOWN: "left something open",
}


def _rows(asked: Asked) -> SameRows | MlwrightError | None:
    if asked.champion is None:
        return None
    try:
        return same_rows(
            asked.parts, asked.load, asked.version, asked.champion, min_rows=asked.policy.min_rows
        )
    except MlwrightError as error:
        return error


def _on_rows(gate: Gate, asked: Asked, rows: SameRows | MlwrightError | None) -> GateResult:
    if rows is None:
        return _first(gate, asked)
    if isinstance(rows, MlwrightError):
        return _result(gate, Outcome.UNKNOWN, rows.what, rows.next_command)
    try:
        return _ON_ROWS[gate](asked, rows)
    except MlwrightError as error:
        return _result(gate, Outcome.UNKNOWN, error.what, error.next_command)


def _first(gate: Gate, asked: Asked) -> GateResult:
    """There is no champion to be worse than; its own held-out rows have to show that it was evaluated at all."""
    own = asked.version.evaluation
    if own is None or own.holdout is None or own.rows < asked.policy.min_rows:
        said = f"it was not evaluated on {asked.policy.min_rows:,} held-out rows"
        return _result(gate, Outcome.UNKNOWN, said, "mlwright run PIPELINE, which evaluates and registers")
    measured = ", ".join(f"{name} {value:.4f}" for name, value in own.metrics.items())
    said = f"there is no {asked.policy.alias} to be worse than; on its own {own.rows:,} held-out rows: {measured}"
    return _result(gate, Outcome.PASSED, said)


def _evaluated(asked: Asked, rows: SameRows) -> GateResult:
    policy = asked.policy
    found = metric_difference(rows.pair, policy.metric, policy.level)
    outcome = no_worse(found, policy.tolerance)
    said = (
        f"{_METRIC[policy.metric]} {found.value:+.4f} against {_ref(asked.champion)} on {found.rows:,} rows of "
        f"{found.days} days, {policy.level:.0%} sure of at least {found.lower:+.4f}; {-policy.tolerance:+g} is allowed"
    )
    return _compared(Gate.EVALUATION, outcome, said, asked, rows, found.as_evidence())


def _calibrated(asked: Asked, rows: SameRows) -> GateResult:
    policy = asked.policy
    found = calibration_difference(rows.pair, policy.level)
    outcome = no_worse(found, policy.calibration_tolerance)
    said = (
        f"calibration {found.value:+.5f} (reliability, in Brier units, more is better) against {_ref(asked.champion)}, "
        f"{policy.level:.0%} sure of at least {found.lower:+.5f}; {-policy.calibration_tolerance:+g} is allowed"
    )
    details = found.as_evidence() | {"method": "Murphy (1973) reliability; basic bootstrap over days"}
    return _compared(Gate.CALIBRATION, outcome, said, asked, rows, details)


def _sliced(asked: Asked, rows: SameRows) -> GateResult:
    policy = asked.policy
    slices, missing = slices_of(rows, policy.slices)
    if missing:
        said = f"the held-out rows have no column {', '.join(missing)}"
        return _result(Gate.SLICES, Outcome.UNKNOWN, said, "correct slices in mlwright.toml")
    found = slice_findings(
        rows.pair,
        slices,
        metric=policy.metric,
        tolerance=policy.slice_tolerance,
        level=policy.level,
        min_rows=policy.slice_min_rows,
    )
    judged = [each for each in found if each.difference is not None]
    worse = [each for each in judged if each.worse]
    details: dict[str, object] = {
        "method": "one-sided t tests clustered by day, adjusted after Holm (1979)",
        "slices": [_slice_details(each) for each in found],
    }
    if not judged:
        said = f"no slice has {policy.slice_min_rows:,} rows of enough days"
        outcome = Outcome.UNKNOWN
    elif worse:
        named = ", ".join(f"{each.name} ({_value(each):+.4f})" for each in worse[:_SHOWN])
        more = f" and {len(worse) - _SHOWN} more" if len(worse) > _SHOWN else ""
        said = f"worse by more than {policy.slice_tolerance:g} in {named}{more}"
        outcome = Outcome.FAILED
    else:
        least = min(judged, key=_value)
        said = (
            f"none of {len(judged)} slices is shown to be worse by more than {policy.slice_tolerance:g}; "
            f"the lowest is {least.name} ({_value(least):+.4f})"
        )
        outcome = Outcome.PASSED
    left = len(found) - len(judged)
    said += f"; {left} with too few rows were not judged" if left else ""
    return _compared(Gate.SLICES, outcome, said, asked, rows, details)


_ON_ROWS: Final[Mapping[Gate, Callable[[Asked, SameRows], GateResult]]] = {
    Gate.EVALUATION: _evaluated,
    Gate.CALIBRATION: _calibrated,
    Gate.SLICES: _sliced,
}


def _approved(asked: Asked, tx: Connection, wanted: Approval, found: Sequence[Evidence]) -> GateResult:
    version, gate = asked.version, f"approval:{wanted.role}"
    agreed = [each for each in approvers_of(version, wanted.role, found) if each in wanted.by]
    details: dict[str, object] = {"approvers": agreed, "needed": wanted.count, "may": list(wanted.by)}
    approve = f"mlwright models approve {version.ref} --role {wanted.role}"
    named = " and ".join(agreed) or "nobody"
    if len(agreed) < wanted.count:
        said = f"{named} approved as {wanted.role}; {wanted.count} of {', '.join(wanted.by)} have to"
        return _result(gate, Outcome.UNKNOWN, said, approve, details)
    everybody = {
        each
        for approval in asked.policy.approvals
        for each in approvers_of(version, approval.role, found)
        if each in approval.by
    }
    author = _author(tx, version)
    # Where nobody knows who registered it, any one of them may have.
    others = everybody - {author} if author else (everybody if len(everybody) > 1 else set())
    if asked.policy.four_eyes and not others:
        who = f"{author} registered it and" if author else "nobody knows who registered it, and"
        said = f"{who} only {named} approved: somebody else has to"
        return _result(gate, Outcome.UNKNOWN, said, approve, details)
    return _result(gate, Outcome.PASSED, f"{named} approved as {wanted.role}", None, details)


def _author(tx: Connection, version: ModelVersion) -> str | None:
    if version.actor:
        return version.actor
    try:
        return tracking.get_run(tx, RunId(version.run)).actor or None if version.run else None
    except NotFound:
        return None


def _of_evidence(gate: Gate, kind: EvidenceKind, asked: Asked, found: Sequence[Evidence]) -> GateResult:
    newest = _newest(found, kind)
    look = f"mlwright models prove {asked.version.ref} --files-only"
    if newest is None:
        return _result(gate, Outcome.UNKNOWN, "nobody has looked at its files yet", look)
    return _result(gate, newest.outcome, newest.summary, look)


def _newest(found: Sequence[Evidence], kind: EvidenceKind) -> Evidence | None:
    return next((each for each in found if each.kind == kind), None)


def _result(
    gate: str,
    outcome: Outcome,
    said: str,
    remedy: str | None = None,
    details: dict[str, object] | None = None,
) -> GateResult:
    return GateResult(
        gate=str(gate),
        outcome=outcome,
        summary=said,
        next_command=None if outcome is Outcome.PASSED else remedy,
        details=details or {},
    )


def _compared(
    gate: Gate, outcome: Outcome, said: str, asked: Asked, rows: SameRows, details: Mapping[str, object]
) -> GateResult:
    if outcome is Outcome.UNKNOWN:
        said += ": too few rows to tell"
    context = {
        "champion": _ref(asked.champion),
        "held_out_by": rows.held_out_by,
        "assumption": rows.assumption,
        "level": asked.policy.level,
    }
    remedy = f"mlwright models compare {_ref(asked.champion)} {asked.version.ref}"
    return _result(gate, outcome, said, remedy, context | dict(details))


def _slice_details(found: SliceFinding) -> dict[str, object]:
    if found.difference is None:
        return {"slice": found.name, "not_judged": found.why}
    return {"slice": found.name, "p": found.p, "worse": found.worse} | found.difference.as_evidence()


def _value(found: SliceFinding) -> float:
    return found.difference.value if found.difference else 0.0


def _ref(version: ModelVersion | None) -> str:
    return version.ref if version else "–"
