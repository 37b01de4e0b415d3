"""The labelled rows of both sides of a case as arrays, few enough to fit models on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlwright.model.diagnosis import Outcome, Test
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.crossfit import ROWS, sampled
from mlwright.stages.monitoring.diagnosis.case import Case, Sample
from mlwright.stages.monitoring.encoding import Encoder, encoder

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Rows of one side with a label, a score and a finite loss.

    ``rows`` are their places in the sample, ``matrix`` has shape (n, k), the others (n,). Clusters of both sides share
    one numbering, and a row without one has its own.
    """

    rows: Integers
    matrix: Floats
    label: Floats
    score: Floats
    loss: Floats
    cluster: Integers

    def __len__(self) -> int:
        """How many rows."""
        return len(self.rows)

    def at(self, chosen: Integers | NDArray[np.bool_]) -> "Labelled":
        """Some of the rows."""
        return Labelled(
            rows=self.rows[chosen],
            matrix=self.matrix[chosen],
            label=self.label[chosen],
            score=self.score[chosen],
            loss=self.loss[chosen],
            cluster=self.cluster[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both sides, encoded alike."""

    before: Labelled
    now: Labelled
    encoder: Encoder

    @property
    def features(self) -> tuple[str, ...]:
        """The features in the matrix, each once, in order."""
        return tuple(dict.fromkeys(self.encoder.names))


def sides(case: Case, *, limit: int = ROWS) -> Sides:
    """Take at most ``limit`` labelled rows of each side, at random by the case's seed."""
    fixed = encoder(case.reference.features, case.keep_texts)
    return Sides(
        before=_labelled(case, case.reference, fixed, limit, case.seed, offset=0),
        now=_labelled(case, case.current, fixed, limit, case.seed + 1, offset=len(case.reference)),
        encoder=fixed,
    )


def _labelled(case: Case, sample: Sample, fixed: Encoder, limit: int, seed: int, *, offset: int) -> Labelled:
    loss = case.loss(sample.label, sample.score)
    rows = np.flatnonzero(np.isfinite(loss) & np.isfinite(sample.score))
    rows = rows[sampled(len(rows), limit, seed)]
    # rows without a cluster get negative numbers of their own, which no entity has
    cluster = -1 - offset - rows if sample.cluster is None else sample.cluster[rows]
    return Labelled(
        rows=rows,
        matrix=fixed.matrix(sample.features[rows]),
        label=sample.label[rows],
        score=sample.score[rows],
        loss=loss[rows],
        cluster=np.asarray(cluster, dtype=np.int64),
    )


def proven(drop: Estimate) -> bool:
    """Whether there is a drop to be explained: shares of a drop that may be 0 mean nothing."""
    return bool(drop.lower > 0)


def untested(id: str, title: str, text: str, *needs: str) -> Test:
    """A link of the chain that could not be tried, and what it would take."""
    return Test(id=id, title=title, outcome=Outcome.UNKNOWN, text=text, needs=needs)


NO_DROP = "A proven drop: shares of a drop that may be 0 mean nothing"
