"""Another tracking server, in memory."""

from collections.abc import Callable
from typing import BinaryIO

from mlwright.errors import ServerUnavailable
from mlwright.model.moving import (
    ForeignExperiment,
    ForeignLoggedModel,
    ForeignModel,
    ForeignRun,
    LeftOut,
)
from mlwright.model.tracking import History


class MemoryRunSink:
    """Keeps what it is given; refuses everything while ``broken`` is set."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.runs: dict[str, ForeignRun] = {}
        self.ended: dict[str, ForeignRun] = {}
        self.points: dict[tuple[str, str], dict[tuple[int, int, str], None]] = {}
        self.files: dict[tuple[str, str], bytes] = {}
        self.logged_models: dict[str, ForeignLoggedModel] = {}
        self.models: dict[str, ForeignModel] = {}
        self.kept_left_out: list[LeftOut] = []

    def begin(self, run: ForeignRun, experiment: ForeignExperiment) -> str:
        """See ``RunSink.begin``."""
        self._refuse_if_broken()
        self.runs[run.id] = run
        return f"there-{run.id}"

    def log(self, run: str, history: History) -> int:
        """See ``RunSink.log``."""
        self._refuse_if_broken()
        kept = self.points.setdefault((run, history.key), {})
        before = len(kept)
        columns = (history.steps.tolist(), history.at_ms.tolist(), map(str, history.values.tolist()))
        kept |= dict.fromkeys(zip(*columns, strict=True))
        return len(kept) - before

    def put_file(self, owner: str, path: str, size: int, opened: Callable[[], BinaryIO]) -> bool:
        """See ``RunSink.put_file``."""
        self._refuse_if_broken()
        if len(self.files.get((owner, path), b"-" * (size + 1))) == size:
            return False
        with opened() as file:
            self.files[owner, path] = file.read()
        return True

    def end(self, run: ForeignRun) -> None:
        """See ``RunSink.end``."""
        self._refuse_if_broken()
        self.ended[run.id] = run

    def put_logged_model(self, model: ForeignLoggedModel, experiment: ForeignExperiment) -> bool:
        """See ``RunSink.put_logged_model``."""
        self._refuse_if_broken()
        new = model.id not in self.logged_models
        self.logged_models[model.id] = model
        return new

    def put_model(self, model: ForeignModel) -> int:
        """See ``RunSink.put_model``."""
        self._refuse_if_broken()
        known = self.models.get(model.name)
        self.models[model.name] = model
        return len(model.versions) - (len(known.versions) if known else 0)

    def left_out(self) -> tuple[LeftOut, ...]:
        """See ``RunSink.left_out``."""
        return tuple(self.kept_left_out)

    def _refuse_if_broken(self) -> None:
        if self.broken:
            raise ServerUnavailable("nobody answers", where="memory", next_command="try again")
