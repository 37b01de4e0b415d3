"""The runtime for scikit-learn estimators: the flavor ``sklearn`` of MLflow."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlwright.adapters.runtimes.folder import Package, lacking, read_package
from mlwright.model.registry import Signature
from mlwright.ports.runtimes import LoadedModel


class SklearnRuntime:
    """Saves fitted binary classifiers with ``predict_proba`` and regressors with skops; loads those, and whatever
    MLflow stored.

    The methods import scikit-learn and skops when they are called: together they take between half a second
    and two, and most commands of mlwright touch no model.
    """

    @property
    def flavor(self) -> str:
        """``sklearn``."""
        return "sklearn"

    def accepts(self, model: object) -> bool:
        """Whether this is a fitted estimator that gives one number a row: a probability or a value."""
        if "sklearn" not in sys.modules or isinstance(model, type):
            return False  # then nothing can be an estimator
        if type(model).__module__.split(".")[0] in ("xgboost", "lightgbm"):
            return False  # their own runtimes store them in a format that needs no trust
        from mlwright.adapters.runtimes import estimators  # costs 0.5 s, see above

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
        from mlwright.adapters.runtimes import estimators  # costs 0.5 s, see above

        estimators.save(model, folder, signature=signature, example=example, categories=categories)

    def lacks(self, folder: Path) -> tuple[str, ...]:
        """Nothing for a folder of ours: what skops wrote is read by the scikit-learn that mlwright brings.

        A folder of MLflow's wants the scikit-learn that wrote it, down to the minor number, and what else it requires:
        a pickle is read by the code that made it.
        """
        package = read_package(folder)
        if package.ours is not None:
            return ()
        return lacking(_needed(package), exact=("scikit-learn",))

    def load(self, folder: Path) -> LoadedModel:
        """Load a folder; see ``ModelRuntime.load``.

        A pickle runs code when it is read. It is read here for versions of the registry alone, whose bytes are those
        that somebody registered.
        """
        package = read_package(folder)
        package.flavor(self.flavor)
        if package.ours is not None:
            from mlwright.adapters.runtimes import estimators  # costs 0.5 s, see above

            return estimators.load(package, package.ours.signature)
        from mlwright.adapters.runtimes import pickled  # costs 0.5 s, see above

        return pickled.load(package)


def _needed(package: Package) -> list[str]:
    """What a folder of MLflow's requires, but MLflow itself, and pandas where no code of the model can ask for it."""
    flavor = package.flavor("sklearn")
    data = package.file(flavor.get("pickled_model"), "model.pkl").read_bytes()
    passed = ["mlflow"] if b"pandas" in data or b"cloudpickle" in data else ["mlflow", "pandas"]
    listed = [each for each in package.requirements if not each.startswith(tuple(passed))]
    if not any(each.startswith("scikit-learn") for each in listed) and flavor.get("sklearn_version"):
        listed.append(f"scikit-learn=={flavor['sklearn_version']}")
    return listed
