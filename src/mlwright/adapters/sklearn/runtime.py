"""The runtime for scikit-learn estimators: the flavor ``sklearn`` of MLflow, stored with skops."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlwright.model.registry import Signature
from mlwright.ports.runtimes import LoadedModel


class SklearnRuntime:
    """Saves and loads fitted binary classifiers with ``predict_proba`` and regressors.

    The methods import scikit-learn and skops when they are called: together they take between half a second
    and two, and most commands of mlwright touch no model.
    """

    @property
    def flavor(self) -> str:
        """``sklearn``."""
        return "sklearn"

    def accepts(self, model: object) -> bool:
        """Whether this is a fitted estimator that gives one number a row: a probability or a value."""
        if "sklearn" not in sys.modules:
            return False  # then nothing can be an estimator
        from mlwright.adapters.sklearn import estimators  # costs 0.5 s, see above

        return estimators.accepts(model)

    def save(
        self,
        model: object,
        folder: Path,
        *,
        signature: Signature,
        example: Mapping[str, Sequence[object]],
        categories: Mapping[str, Sequence[str]],
    ) -> None:
        """Write the folder; see ``ModelRuntime.save``.

        Raises:
            UsageError: the model is not one that :meth:`accepts`, or a text input has no categories.
            SignatureMismatch: the example does not fit the signature, or the estimator does not.
            ModelUntrusted: the estimator holds types that could not be loaded again.
        """
        from mlwright.adapters.sklearn import estimators  # costs 0.5 s, see above

        estimators.save(
            model, folder, self.flavor, signature=signature, example=example, categories=categories
        )

    def load(self, folder: Path) -> LoadedModel:
        """Load a folder; see ``ModelRuntime.load``."""
        from mlwright.adapters.sklearn import estimators  # costs 0.5 s, see above

        return estimators.load(folder, self.flavor)
