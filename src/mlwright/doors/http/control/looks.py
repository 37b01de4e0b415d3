"""What costs too much for every page is looked at from time to time and remembered."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from mlwright.doors.http.control.status import Looked
from mlwright.errors import MlwrightError
from mlwright.model.contracts import ContractReport
from mlwright.model.monitoring import Performance
from mlwright.model.windows import Window
from mlwright.platform.facade import Platform

_CONTRACTS_EVERY: Final = timedelta(days=1)
_YOUNG_EVERY: Final = timedelta(minutes=5)


class Looks:
    """Remembers the latest look. One thread looks, any number read :attr:`seen`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._seen = Looked()
        self._lock = Lock()

    @property
    def seen(self) -> Looked:
        """What the latest look found."""
        with self._lock:
            return self._seen

    def look(self) -> None:
        """Look at the audit chain and at each endpoint's latest quality, and once a day at the contracts."""
        self._remember(audit_broken=self._platform.records.broken_audit_row(), lately=self._lately())
        young_at = self.seen.young_at
        if young_at is None or self._now() - young_at >= _YOUNG_EVERY:
            with suppress(Exception):  # it is for the pages only, and no turn fails for it
                self._look_at_young()
        at = self.seen.contracts_at
        if at is None or self._now() - at >= _CONTRACTS_EVERY:
            with suppress(Exception):  # what it said is remembered, and is no fault of the turn
                self.check_contracts()

    def check_contracts(self) -> tuple[ContractReport, ...]:
        """Read every data set again and check its contract.

        Raises:
            MlwrightError: a source cannot be read, or a contract is not valid.
        """
        self._platform.data.forget()
        try:
            reports = self._platform.data.check()
        except Exception as error:
            said = str(error) if isinstance(error, MlwrightError) else f"{type(error).__name__}: {error}"
            self._remember(contracts=(), contracts_at=self._now(), contracts_error=said)
            raise
        self._remember(contracts=reports, contracts_at=self._now(), contracts_error=None)
        return reports

    def _look_at_young(self) -> None:
        """What is so far known of days whose labels still arrive, and what the rule about decay says of the others."""
        watch = self._platform.watch
        named = [each.name for each in self._platform.parts.settings.endpoints if each.label is not None]
        said = {name: watch.verdict(name) for name in named}
        self._remember(
            young={name: watch.young(name) for name in named},
            curves={name: watch.maturity(name) for name in named},
            verdicts={name: verdict for name, verdict in said.items() if verdict is not None},
            young_at=self._now(),
        )

    def _lately(self) -> dict[str, Performance]:
        known = self.seen.lately
        found: dict[str, Performance] = {}
        for endpoint in self._platform.parts.settings.endpoints:
            if endpoint.label is None:
                continue
            days = self._platform.watch.performance(endpoint.name, "day")
            if not days:
                continue
            end = days[-1].window.end
            window = Window(start=max(end - endpoint.monitor.window, days[0].window.start), end=end)
            kept = known.get(endpoint.name)
            fresh = kept is not None and kept.window == window
            found[endpoint.name] = (
                kept if fresh and kept else self._platform.watch.window(endpoint.name, window)
            )
        return found

    def _remember(self, **news: object) -> None:
        with self._lock:
            self._seen = replace(self._seen, **news)  # type: ignore[arg-type]  # the fields' names are checked there

    def _now(self) -> datetime:
        return self._platform.parts.clock.now()
