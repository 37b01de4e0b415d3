"""Models as folders in the artifact store: saved, and loaded again by whoever can."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mlwright.errors import MissingExtra, ModelError
from mlwright.model.batches import Columns
from mlwright.model.fitted import Fitted
from mlwright.model.ids import Digest
from mlwright.ports.artifacts import ArtifactStore
from mlwright.ports.runtimes import Isolation, LoadedModel, ModelRuntime
from mlwright.stages.pipelines.choosing import choose, not_loadable

if TYPE_CHECKING:  # a process that only serves does without data frames
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShelf:
    """Saves fitted models as folders in the artifact store, and loads them again."""

    artifacts: ArtifactStore
    runtimes: tuple[ModelRuntime, ...]
    """In the order in which they are asked whether they load a folder."""
    cache: Path
    isolated: Isolation | None = None
    """What loads a model that needs other packages than this process has; None: nothing does."""

    examples: Callable[[Path], Columns | None] | None = None
    """Reads the rows that a folder gives as an example, by column; None: nothing does."""

    def put(self, fitted: Fitted, example: "pl.DataFrame") -> tuple[Digest, str]:
        """Save a model; returns the digest of its folder and its flavor.

        Args:
            fitted: the model.
            example: a few rows with its inputs.

        Raises:
            ModelError: no runtime takes this kind of model.
        """
        runtime = next((each for each in self.runtimes if each.accepts(fitted.model)), None)
        if runtime is None:
            raise ModelError(
                f"no runtime can save a {type(fitted.model).__module__}.{type(fitted.model).__qualname__}",
                why=f"installed runtimes: {', '.join(each.flavor for each in self.runtimes)}",
                next_command="mlwright doctor",
            )
        rows = example.select(fitted.signature.input_names).head(5)
        with TemporaryDirectory(prefix="mlwright-model-") as folder:
            runtime.save(
                fitted.model,
                Path(folder),
                signature=fitted.signature,
                example=rows.to_dict(as_series=False),
                categories=fitted.categories,
            )
            return self.artifacts.put_folder(Path(folder)), runtime.flavor

    def load(self, digest: Digest, flavor: str) -> LoadedModel:
        """Load a saved model, its bytes verified, whoever saved it.

        Args:
            digest: its folder in the artifact store.
            flavor: the engine that saved it; where its runtime lacks something, another may load the folder.

        Raises:
            ModelLoadFailed: nothing here loads the folder, or it does not load; ``faults`` says what is lacking.
            ArtifactCorrupt: the stored bytes are not those that were saved.
        """
        folder = self.fetch(digest)
        choice = choose(self.runtimes, folder, flavor)
        if choice.runtime is not None:
            return choice.runtime.load(folder)
        if self.isolated is None:
            raise not_loadable(choice, self.runtimes)
        try:
            return self.isolated.load(folder, digest=digest, flavors=choice.flavors)
        except MissingExtra as error:
            raise not_loadable(choice, self.runtimes, alone=error) from error

    def example(self, digest: Digest) -> Columns | None:
        """The rows that a model was saved with, by column; None where there are none, or none that can be read."""
        if self.examples is None:
            return None
        folder = self._place(digest)
        with suppress(ModelError):
            return self.examples(folder if folder.is_dir() else self.fetch(digest))
        return None

    def fetch(self, digest: Digest) -> Path:
        """The folder of a saved model, its bytes verified.

        Raises:
            ArtifactMissing: it is not in the store.
            ArtifactCorrupt: the stored bytes are not those that were saved.
        """
        return self.artifacts.get_folder(digest, self._place(digest))

    def _place(self, digest: Digest) -> Path:
        return self.cache / digest.replace(":", "-")
