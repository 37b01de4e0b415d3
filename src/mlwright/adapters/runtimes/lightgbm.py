"""The runtime for LightGBM: the flavor ``lightgbm`` of MLflow, a booster in its own format."""

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from mlwright.adapters.runtimes.folder import lacking, read_package
from mlwright.errors import MissingExtra
from mlwright.model.registry import Signature
from mlwright.ports.runtimes import LoadedModel


class LightgbmRuntime:
    """Saves and loads boosters, and the boosters inside LightGBM's estimators; never with pickle.

    What MLflow stored with pickle or skops (LightGBM's estimators) is loaded too.

    The methods import lightgbm when they are called: it takes 0.5 s.
    """

    @property
    def flavor(self) -> str:
        """``lightgbm``."""
        return "lightgbm"

    def accepts(self, model: object) -> bool:
        """Whether this is a booster, or one of LightGBM's estimators, fitted."""
        if "lightgbm" not in sys.modules or isinstance(model, type):
            return False  # then nothing can be a booster
        from mlwright.adapters.runtimes import lightgbm_boosters  # lightgbm is there already

        return lightgbm_boosters.booster_of(model) is not None

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
        from mlwright.adapters.runtimes import lightgbm_boosters  # costs 0.5 s

        lightgbm_boosters.save(model, folder, signature=signature, example=example, categories=categories)

    def lacks(self, folder: Path) -> tuple[str, ...]:
        """LightGBM, where it is not installed: any version reads the text format of an older one.

        A pickled estimator wants the versions of LightGBM and scikit-learn that wrote it, down to the minor number.
        """
        package = read_package(folder)
        flavor = package.flavor(self.flavor)
        text = str(flavor.get("model_class", "")).endswith(".Booster") or package.ours is not None
        names = ("lightgbm",) if text else ("lightgbm", "scikit-learn")
        listed = [each for each in package.requirements if each.startswith(names)]
        return lacking(listed or names, exact=() if text else names)

    def load(self, folder: Path) -> LoadedModel:
        """Load a folder; see ``ModelRuntime.load``.

        Raises:
            MissingExtra: lightgbm is not installed.
        """
        package = read_package(folder)
        package.flavor(self.flavor)
        if find_spec("lightgbm") is None:
            raise MissingExtra.needed("a model of LightGBM", "lightgbm")
        from mlwright.adapters.runtimes import lightgbm_boosters  # costs 0.5 s

        return lightgbm_boosters.load(package)
