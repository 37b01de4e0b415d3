"""The whole chain on generated rows: the same digest for any order, repairs before the world, nothing on nothing."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl

from mlwright.adapters.learners.boosted import BoostedLearner
from mlwright.model.diagnosis import Cause, Happening, Outcome, Sureness
from mlwright.stages.monitoring.diagnosis.case import Case, Sample, Task
from mlwright.stages.monitoring.diagnosis.chain import diagnose
from mlwright.stages.monitoring.diagnosis.rows import canonical, current_rows, taken

_DAY = 86_400_000_000
_START = 19_000 * _DAY
_ROWS = 1200


def _score(features: pl.DataFrame) -> np.ndarray:
    """The model: what the reference's labels follow."""
    level = (
        features["kind"].replace_strict({"a": -1.0, "b": 0.0, "c": 1.0}, return_dtype=pl.Float64).to_numpy()
    )
    amount, other = features["amount"].to_numpy(), features["other"].to_numpy()
    return 1 / (1 + np.exp(-(1.5 * (np.log(np.maximum(amount, 1e-9)) - 3) + other + level)))


def _world(n: int, seed: int, turned: float = 1.0) -> tuple[pl.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    features = pl.DataFrame(
        {
            "amount": np.exp(3 + random.standard_normal(n)),
            "other": random.standard_normal(n),
            "kind": random.choice(["a", "b", "c"], n),
        }
    )
    truth = features.with_columns(amount=np.exp(3) * (pl.col("amount") / np.exp(3)) ** turned)
    return features, (random.random(n) < _score(truth)).astype(float)


def _case(*, served=lambda frame: frame, turned=1.0, answered=None, **more) -> Case:
    past, truth = _world(_ROWS, 1)
    now, label = _world(_ROWS, 2, turned)
    random = np.random.default_rng(3)
    given = served(now)
    score = _score(given) if answered is None else answered(_score(given))
    return Case(
        task=Task.BINARY,
        reference=Sample(
            features=past,
            label=truth,
            score=_score(past),
            at=_START + np.sort(random.integers(0, 20 * _DAY, _ROWS)),
        ),
        current=Sample(
            features=given,
            label=label,
            score=score,
            at=_START + 20 * _DAY + np.sort(random.integers(0, 20 * _DAY, _ROWS)),
        ),
        recomputed=now if more.pop("copy", False) else None,
        **more,
    )


def _shuffled(case: Case, seed: int) -> Case:
    random = np.random.default_rng(seed)
    case = replace(case, reference=taken(case.reference, random.permutation(len(case.reference))))
    return current_rows(case, random.permutation(len(case.current)))


def test_a_unit_is_repaired_and_any_order_of_rows_has_the_same_digest() -> None:
    deploy = Happening(
        at=datetime.fromtimestamp((_START + 20 * _DAY) / 1e6, UTC),
        kind="deploy",
        what="churn/7",
        source="audit:214",
    )
    case = _case(served=lambda frame: frame.with_columns(pl.col("amount") * 100), happenings=(deploy,))
    seen: list[tuple[str, int, int]] = []
    found = diagnose(case, BoostedLearner(), progress=lambda *told: seen.append(told))
    again = diagnose(_shuffled(case, 5), BoostedLearner())
    assert found.digest == again.digest
    assert found == again
    assert found.verdict is Cause.QUALITY
    assert found.sureness is Sureness.SURE
    assert found.suspects[0].column == "amount"
    assert found.suspects[0].mechanism == "unit"
    assert found.shares[0].share.value > 0.9
    assert found.onset is not None
    assert found.onset.shape == "abrupt"
    assert found.happenings == (deploy,)
    assert "churn/7" in found.summary
    assert [each.id for each in found.tests] == [
        "S0",
        "S0",
        "S1",
        "S2",
        "S3",
        "S4",
        "S5",
        "S6",
        "S7",
        "S8",
        "S9",
    ]
    assert "not asked" in found.tests[-1].text
    assert seen[0] == ("S0", 1, 10)
    assert replace(found, digest="") != found


def test_a_changed_world_is_not_taken_for_a_defect() -> None:
    found = diagnose(_case(turned=-1.0, copy=True, model=_score), BoostedLearner())
    assert found.verdict is Cause.CONCEPT
    assert found.retrain_gain is not None
    assert found.retrain_gain.value > 0.5
    outcomes = {each.id: each.outcome for each in found.tests[2:]}
    assert outcomes["S2"] is Outcome.CLEAR
    assert outcomes["S3"] is Outcome.CLEAR
    assert not any(share.cause in (Cause.SKEW, Cause.QUALITY, Cause.SERVING) for share in found.shares)


def test_a_model_that_answers_otherwise_is_a_serving_defect_and_the_wrong_model_proves_nothing() -> None:
    found = diagnose(_case(answered=lambda score: score**4, model=_score), BoostedLearner())
    assert found.verdict is Cause.SERVING
    assert found.sureness is Sureness.SURE
    wrong = diagnose(_case(model=lambda frame: 0.5 * _score(frame)), BoostedLearner())
    assert wrong.verdict is Cause.NO_EVIDENCE
    assert next(each for each in wrong.tests if each.id == "S2").outcome is Outcome.UNKNOWN


def test_nothing_is_found_where_nothing_is_and_too_little_stays_open() -> None:
    found = diagnose(_case(), BoostedLearner())
    assert found.verdict is Cause.NO_EVIDENCE
    assert found.suspects == ()
    case = _case()
    few = replace(
        case, current=replace(case.current, label=np.where(np.arange(_ROWS) < 5, case.current.label, np.nan))
    )
    little = diagnose(few, BoostedLearner())
    assert little.verdict is Cause.OPEN
    assert little.would_change


def test_a_fault_that_has_not_hurt_yet_is_told() -> None:
    case = _case(served=lambda frame: frame.with_columns(idle=pl.Series([None] * _ROWS, dtype=pl.Float64)))
    reference = case.reference.features.with_columns(
        idle=pl.Series(np.random.default_rng(0).standard_normal(_ROWS))
    )
    found = diagnose(replace(case, reference=replace(case.reference, features=reference)), BoostedLearner())
    assert found.verdict is Cause.NO_EVIDENCE
    assert [each.column for each in found.suspects] == ["idle"]
    assert "Not hurting yet" in found.summary


def test_the_canonical_order_is_that_of_the_content() -> None:
    case = _case(copy=True)
    one, other = canonical(case), canonical(_shuffled(case, 9))
    assert one.current.features.equals(other.current.features)
    assert one.recomputed is not None
    assert other.recomputed is not None
    assert one.recomputed.equals(other.recomputed)
    assert np.array_equal(one.reference.score, other.reference.score)
