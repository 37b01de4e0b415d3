"""All probes that there are: our own files, and what other installed packages offer."""

import pkgutil
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from mlwright.engineer import probes
from mlwright.engineer.probe import Probe
from mlwright.errors import UsageError

GROUP: Final = "mlwright.probes"


def own_probes() -> tuple[Probe, ...]:
    """The probes that mlwright ships, by id."""
    found = [
        module.PROBE
        for each in pkgutil.walk_packages(probes.__path__, f"{probes.__name__}.")
        if hasattr(module := import_module(each.name), "PROBE")
    ]
    return tuple(sorted(found, key=lambda probe: probe.id))


def all_probes(offered: Sequence[EntryPoint] | None = None) -> tuple[Probe, ...]:
    """Our probes and those of other packages, by id.

    Args:
        offered: entry points to use in place of those that are installed.

    Raises:
        UsageError: an entry point gives no probe, or one whose id is taken.
    """
    known = {probe.id: probe for probe in own_probes()}
    for point in entry_points(group=GROUP) if offered is None else offered:
        for probe in _load(point):
            if probe.id in known:
                raise UsageError(
                    f"two probes are called {probe.id!r}",
                    where=f"entry point {point.name} = {point.value}",
                    next_command="rename one, or uninstall the package that brings it",
                )
            known[probe.id] = probe
    return tuple(known[id] for id in sorted(known))


def _load(point: EntryPoint) -> Iterator[Probe]:
    try:
        found = point.load()
    except Exception as error:
        raise UsageError(
            "a probe of another package cannot be loaded",
            where=f"entry point {point.name} = {point.value}",
            why=f"{type(error).__name__}: {error}",
            next_command="repair or uninstall that package",
        ) from error
    for probe in found if isinstance(found, list | tuple) else (found,):
        if not isinstance(probe, Probe):
            raise UsageError(
                f"an entry point of group {GROUP} must be a Probe or a list of them, not {type(probe).__name__}",
                where=f"entry point {point.name} = {point.value}",
                next_command="repair or uninstall that package",
            )
        yield probe
