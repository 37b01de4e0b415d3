"""The runtime for XGBoost: the flavor ``xgboost`` of MLflow, a booster in its own format."""

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from mlwright.adapters.runtimes.folder import lacking, read_package
from mlwright.errors import MissingExtra
from mlwright.model.registry import Signature
from mlwright.ports.runtimes import LoadedModel


class XgboostRuntime:
    """Saves and loads boosters, and the boosters inside XGBoost's estimators; never with pickle.

    The methods import xgboost when they are called: it takes 0.4 s.
    """

    @property
    def flavor(self) -> str:
        """``xgboost``."""
        return "xgboost"

    def accepts(self, model: object) -> bool:
        """Whether this is a booster, or one of XGBoost's estimators, fitted."""
        if "xgboost" not in sys.modules or isinstance(model, type):
            return False  # then nothing can be a booster
        from mlwright.adapters.runtimes import xgboost_boosters  # xgboost is there already

        return xgboost_boosters.booster_of(model) is not None

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

        Stored is the booster, so that what it gives is a probability or a value, never a label; after early stopping
        with the rounds up to the best one. MLflow predicts from the folder too, unless there are text inputs, whose
        categories it does not know.

        Raises:
            UsageError: the model is not one that :meth:`accepts`, a text input has no categories, or the model gives
                several numbers a row where the signature names one.
            SignatureMismatch: the example does not fit the signature, or the booster does not.
        """
        from mlwright.adapters.runtimes import xgboost_boosters  # costs 0.4 s

        xgboost_boosters.save(model, folder, signature=signature, example=example, categories=categories)

    def lacks(self, folder: Path) -> tuple[str, ...]:
        """XGBoost, where it is not installed: any version reads the format of an older one."""
        package = read_package(folder)
        package.flavor(self.flavor)
        listed = [each for each in package.requirements if each.startswith("xgboost")]
        return lacking(listed or ["xgboost"])

    def load(self, folder: Path) -> LoadedModel:
        """Load a folder; see ``ModelRuntime.load``.

        Raises:
            MissingExtra: xgboost is not installed.
        """
        package = read_package(folder)
        package.flavor(self.flavor)
        if find_spec("xgboost") is None:
            raise MissingExtra.needed("a model of XGBoost", "xgboost")
        from mlwright.adapters.runtimes import xgboost_boosters  # costs 0.4 s

        return xgboost_boosters.load(package)
