"""Every error that mlwright raises on purpose.

::

    MlwrightError
    ├── UsageError                 2   what was asked for cannot be right
    │   ├── SettingsError              mlwright.toml has faults (all of them are listed)
    │   ├── ContractInvalid            a contract file is not valid ODCS v3.1
    │   ├── PipelineInvalid            a project's pipeline file cannot be used
    │   ├── Unsupported                what was asked for is not offered here
    │   └── BadRequest                 a request over the wire cannot be served as it is
    ├── CheckFailed                1   everything worked, and the answer is no
    │   ├── ContractBroken             data does not keep its contract
    │   ├── NotAvailableAtPrediction   a feature would come from the future
    │   ├── GateFailed                 a gate of a pipeline or of a promotion policy did not pass
    │   └── NotComparable              two models cannot be compared on the same rows
    ├── NotFound (LookupError)     3   nothing has that name
    ├── Conflict                   4   something else is in the way
    │   ├── PortInUse
    │   ├── AlreadyRunning
    │   └── AlreadyExists              the name is taken
    ├── StorageError               5   the stored state cannot be used
    │   ├── DatabaseNewer
    │   ├── DatabaseUnavailable
    │   ├── ArtifactMissing
    │   └── ArtifactCorrupt
    ├── ModelError                 6   a model cannot be used
    │   ├── ModelLoadFailed
    │   ├── ModelUntrusted
    │   ├── SignatureMismatch
    │   ├── ModelDown                  its process has ended, and is started again
    │   ├── EnvironmentFailed          the packages that a model needs cannot be installed together
    │   │   └── EnvironmentUndecided   it could not be found out whether they can
    │   └── AdvisorFailed              the language model does not answer, or not in its protocol
    ├── DataError                  7   a data source cannot be read
    │   ├── ServerUnavailable          a tracking server of others cannot be read
    │   └── StepFailed                 a step of a pipeline raised
    ├── MissingExtra (ImportError) 8   an optional package is not installed
    └── Overloaded                 9   more is asked for than can be answered now
        ├── TooManyRequests            by this client
        └── DeadlinePassed             the answer would come too late

The number is the exit code of the command line. Each error says what is wrong, where, why,
and ends with the next command to type.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any, ClassVar, Final

_MOST_WORDS: Final = 500
_LONGEST_WORD: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong, and the place where it is."""

    where: str
    what: str
    near: str | None = None

    def __str__(self) -> str:
        hint = f" (did you mean {self.near!r}?)" if self.near else ""
        return f"{self.where}: {self.what}{hint}"


def near_match(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that the given one was probably meant to be, or None.

    It looks at the first 500 known words and at none of more than 100 letters: either may come from a client, and
    comparing takes the product of their lengths.
    """
    if len(word) > _LONGEST_WORD:
        return None
    words = [each for each in islice(known, _MOST_WORDS) if len(each) <= _LONGEST_WORD]
    found = get_close_matches(word, words, n=1, cutoff=0.6)
    return found[0] if found else None


class MlwrightError(Exception):
    """What is wrong, where, why, and the next command."""

    exit_code: ClassVar[int] = 70

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        why: str | None = None,
        next_command: str | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.next_command = next_command
        self.faults = tuple(faults)

    @property
    def code(self) -> str:
        """The stable name of this kind of error, for machines and for the error catalogue."""
        return type(self).__name__

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        lines += [f"  - {fault}" for fault in self.faults]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.next_command:
            lines.append(f"  next: {self.next_command}")
        return "\n".join(lines)


class UsageError(MlwrightError):
    """What was asked for cannot be right."""

    exit_code = 2


class SettingsError(UsageError):
    """mlwright.toml has faults; ``faults`` holds all of them."""


class ContractInvalid(UsageError):
    """A contract file is not a valid ODCS v3.1 contract."""


class PipelineInvalid(UsageError):
    """A project's pipeline file cannot be imported, or does not define what was asked for."""


class Unsupported(UsageError):
    """What was asked for exists elsewhere and is not offered here."""


class BadRequest(UsageError):
    """A request over the wire cannot be served as it is; ``faults`` names field and row."""


class CheckFailed(MlwrightError):
    """Everything worked, and the answer is no."""

    exit_code = 1


class ContractBroken(CheckFailed):
    """Data does not keep its contract; ``faults`` names the rules."""


class NotAvailableAtPrediction(CheckFailed):
    """A feature would be known only after the prediction has to be made."""


class GateFailed(CheckFailed):
    """A gate of a pipeline or of a promotion policy did not pass; ``faults`` names the gates of a policy."""


class NotComparable(CheckFailed):
    """There are no rows on which two models can be compared fairly."""


class NotFound(MlwrightError, LookupError):
    """Nothing has the name that was asked for."""

    exit_code = 3

    @classmethod
    def named(cls, kind: str, name: str, known: Iterable[str], next_command: str | None = None) -> "NotFound":
        """Build the error with the nearest known name as a suggestion."""
        near = near_match(name, known)
        hint = f"; did you mean {near!r}?" if near else ""
        return cls(f"no {kind} is named {name!r}{hint}", next_command=next_command)


class Conflict(MlwrightError):
    """Something else is in the way."""

    exit_code = 4


class PortInUse(Conflict):
    """Another program listens on the port."""


class AlreadyRunning(Conflict):
    """Another mlwright process holds this project."""


class AlreadyExists(Conflict):
    """Something has this name already."""


class StorageError(MlwrightError):
    """The stored state cannot be used."""

    exit_code = 5


class DatabaseNewer(StorageError):
    """The database was written by a newer mlwright."""


class DatabaseUnavailable(StorageError):
    """The database cannot be opened."""


class ArtifactMissing(StorageError):
    """No artifact has this digest."""


class ArtifactCorrupt(StorageError):
    """The stored bytes do not match their digest."""


class ModelError(MlwrightError):
    """A model cannot be used."""

    exit_code = 6


class ModelLoadFailed(ModelError):
    """The model folder cannot be loaded."""


class ModelUntrusted(ModelError):
    """The model file asks for types that are not on the list of trusted ones."""


class SignatureMismatch(ModelError):
    """The input does not match the model's signature."""


class ModelDown(ModelError):
    """The process that the model runs in has ended, and is started again; ``retry_after_s`` says when to come back."""

    def __init__(self, what: str, *, retry_after_s: float = 1.0, **more: Any) -> None:
        super().__init__(what, **more)
        self.retry_after_s = retry_after_s


class EnvironmentFailed(ModelError):
    """The packages that a model needs cannot be installed together; ``faults`` names the missing and clashing ones."""


class EnvironmentUndecided(EnvironmentFailed):
    """Whether the packages that a model needs can be installed could not be found out: no index answers, for one."""


class AdvisorFailed(ModelError):
    """The language model could not be reached, refused, took too long, or answered outside of its protocol."""


class DataError(MlwrightError):
    """A data source cannot be read."""

    exit_code = 7


class ServerUnavailable(DataError):
    """A tracking server, database or folder of others cannot be read: nobody answers, it refuses, or it is another."""


class StepFailed(DataError):
    """A step of a pipeline raised; the cause is chained."""


class MissingExtra(MlwrightError, ImportError):
    """An optional package is not installed."""

    exit_code = 8

    @classmethod
    def needed(cls, feature: str, extra: str) -> "MissingExtra":
        """Build the error with the command that installs the extra."""
        return cls(f"{feature} needs an optional package", next_command=f"pip install 'mlwright[{extra}]'")


class Overloaded(MlwrightError):
    """More is asked for than can be answered now; ``retry_after_s`` says when to come back."""

    exit_code = 9

    def __init__(self, what: str, *, retry_after_s: float = 1.0, **more: Any) -> None:
        super().__init__(what, **more)
        self.retry_after_s = retry_after_s


class TooManyRequests(Overloaded):
    """This client asks more often than it may."""


class DeadlinePassed(Overloaded):
    """The answer would come after its deadline, so nothing was computed."""
