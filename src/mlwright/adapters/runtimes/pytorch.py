"""The runtime for PyTorch: exported programs, TorchScript, and the pickled modules of MLflow's flavor ``pytorch``."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlwright.adapters.runtimes.folder import lacking, name_of, read_package
from mlwright.errors import MissingExtra
from mlwright.model.registry import Signature
from mlwright.ports.runtimes import LoadedModel


class PytorchRuntime:
    """Saves modules as exported programs, and loads whatever MLflow stored under its flavor ``pytorch``.

    The methods import torch when they are called: that takes between two seconds and six, and 200 MB.
    """

    @property
    def flavor(self) -> str:
        """``pytorch``."""
        return "pytorch"

    def accepts(self, model: object) -> bool:
        """Whether this is a module, a TorchScript module or an exported program."""
        if "torch" not in sys.modules:
            return False  # then nothing can be a module of it
        from mlwright.adapters.runtimes import torch_files  # torch is imported already

        return torch_files.accepts(model)

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

        A module is exported with a first axis of any length; one that cannot be exported is refused, for the
        alternative is a pickle. A TorchScript module is stored as it is.

        Raises:
            UsageError: the module cannot be exported, or an output has not the form that the signature says.
            SignatureMismatch: the example does not fit the signature.
        """
        from mlwright.adapters.runtimes import torch_files  # torch is imported already

        torch_files.save(model, folder, signature=signature, example=example, categories=categories)

    def lacks(self, folder: Path) -> tuple[str, ...]:
        """torch where it is not here; of a pickled module everything that it was stored with, torch in its version."""
        package = read_package(folder)
        data = package.flavor(self.flavor).get("model_data") or "data"
        pickled = (folder / str(data) / "model.pth").is_file()
        asked = package.requirements if pickled else _torch_of(package.requirements)
        return lacking(asked, exact=("torch",) if pickled else ())

    def load(self, folder: Path) -> LoadedModel:
        """Load a folder; see ``ModelRuntime.load``. A pickled module runs code of its own while it is loaded.

        Raises:
            MissingExtra: torch is not installed.
        """
        try:
            from mlwright.adapters.runtimes import torch_files  # costs 2 to 6 s, see above
        except ModuleNotFoundError as error:
            raise MissingExtra.needed("a PyTorch model", "torch") from error

        return torch_files.load(read_package(folder))


def _torch_of(requirements: Sequence[str]) -> tuple[str, ...]:
    named = tuple(each for each in requirements if name_of(each) == "torch")
    return named or ("torch",)
