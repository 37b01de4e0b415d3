"""``models prove``, ``models verify`` and ``models sign``: what is known of a version, and how it is found out."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import pairs, stderr, table
from mlwright.errors import UsageError
from mlwright.model.evidence import Outcome

if TYPE_CHECKING:
    from mlwright.platform.tracking.facade import TrackingPlatform
    from mlwright.platform.tracking.proofs import Proved


@command("prove", example="mlwright models prove churn@champion")
@click.argument("ref")
@click.option("--files-only", is_flag=True, help="Look at the files; run nothing of the model.")
@click.option("--stdin", "from_stdin", is_flag=True, hidden=True, help="Read where the store is from stdin.")
def prove(door: Door, ref: str, files_only: bool, from_stdin: bool) -> None:
    """Check a version's files, then load and score it in an environment made from its own requirements.

    Exit code 1 when something failed; what could not be found out is unknown, and no failure.
    """
    # What runs below must not outlive this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with opened(door, from_stdin=from_stdin) as tracking, door.working(f"proving {ref}"):
        steps = sys.stderr.isatty() and not door.as_json
        proved = tracking.proofs.run(
            ref,
            level="files" if files_only else None,
            say=lambda step: stderr().print(f"{step} …") if steps else None,
        )
    _finish(door, proved)


@command("verify", example="mlwright models verify churn/3")
@click.argument("ref")
def verify(door: Door, ref: str) -> None:
    """Read a version's bytes again: are they what was registered, and signed by the key that the project trusts?"""
    with opened(door) as tracking, door.working(f"reading {ref}"):
        proved = tracking.proofs.verify(ref)
    _finish(door, proved)


@command("sign", example="mlwright models sign churn/3 --key file:model.pem")
@click.argument("ref")
@click.option(
    "--key", metavar="file:PATH", help="Private key in PEM form. Default: the project's signing_key."
)
def sign(door: Door, ref: str, key: str | None) -> None:
    """Sign a version's files as the OpenSSF's model signing does, with an elliptic-curve key."""
    with opened(door) as tracking:
        proved = tracking.proofs.sign(ref, _key(key))
    _finish(door, proved)


@contextmanager
def opened(door: Door, *, from_stdin: bool = False) -> "Iterator[TrackingPlatform]":
    """The registry of the project, or of the folder where ``mlwright tracking`` keeps its state."""
    # The libraries behind the store are not needed for --help.
    from mlwright.wiring.tracking import find_storage, open_tracking

    if from_stdin:
        place = json.loads(sys.stdin.read())
        database, artifacts, state = place["database"], place["artifacts"], Path(place["state"])
    else:
        found = find_storage(Path.cwd(), project=door.start)
        database, artifacts, state = found.database, found.artifacts, found.state
    tracking = open_tracking(database=database, artifacts=artifacts, state=state, proves=True)
    try:
        yield tracking
    finally:
        tracking.close()


def _key(reference: str | None) -> Path | None:
    if reference is None:
        return None
    if not reference.startswith("file:") or len(reference) == len("file:"):
        # The text may be the key itself: it is not repeated.
        raise UsageError("the option must say in which file the key is: write file:PATH", where="--key")
    return Path(reference.removeprefix("file:"))


def _finish(door: Door, proved: "Proved") -> None:
    door.show(proved, _proved)
    door.finish(well=proved.outcome != Outcome.FAILED)


def _proved(one: "Proved") -> RenderableType:
    rows = [(str(each.kind), str(each.outcome), each.summary) for each in one.evidence]
    verdict = pairs({"version": one.version.ref, "outcome": str(one.outcome), "digest": one.version.digest})
    return Group(verdict, Text(""), table(["check", "outcome", "what was found"], rows))


COMMANDS = (prove, verify, sign)
