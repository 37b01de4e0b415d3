"""What answers were worth over time, in money: by day, by month, together, and by outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite

from mlwright.doors.web.charts import COLOURS, Event
from mlwright.doors.web.plain_words import OUTCOMES
from mlwright.doors.web.timeline import Hint, Line, LinePanel, timeline
from mlwright.doors.web.views import Axis
from mlwright.doors.web.words import day
from mlwright.model.monitoring import Estimate, Performance

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSum:
    """How often one outcome occurred in some days, and what it came to."""

    name: str
    count: float
    money: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """The worth of some days. ``total`` takes the days as independent of each other."""

    currency: str
    days: tuple[Performance, ...]
    total: Estimate
    running: tuple[Estimate, ...]
    """The sum up to and with each day."""
    outcomes: tuple[OutcomeSum, ...]

    @property
    def axis(self) -> Axis:
        """From the first of the days to the last."""
        return Axis.over(self.days)

    @property
    def a_day(self) -> Estimate:
        """The mean of a day."""
        days, total = len(self.days), self.total
        return Estimate(
            value=total.value / days, lower=total.lower / days, upper=total.upper / days, level=total.level
        )

    @property
    def labelled(self) -> int:
        """Answers that were counted."""
        return sum(each.labelled for each in self.days)


def money_of(days: Sequence[Performance]) -> Money | None:
    """Add up the worth of some days of one endpoint; None where nothing has a worth.

    Of days in several currencies those in the latest one are added: there is no exchange rate here.
    """
    priced = [each for each in days if each.worth is not None]
    if not priced or priced[-1].worth is None:
        return None
    currency = priced[-1].worth.currency
    kept = tuple(each for each in priced if each.worth is not None and each.worth.currency == currency)
    running: list[Estimate] = []
    value = below = above = 0.0
    outcomes: dict[str, list[float]] = {}
    for each in kept:
        assert each.worth is not None
        total = each.worth.total
        value += total.value
        # Variances of independent days add up, and so do the squares of half-widths. A day whose interval is not
        # known, because it has too few labels, adds its value only.
        if isfinite(total.lower) and isfinite(total.upper):
            below += (total.value - total.lower) ** 2
            above += (total.upper - total.value) ** 2
        running.append(
            Estimate(value=value, lower=value - below**0.5, upper=value + above**0.5, level=total.level)
        )
        for outcome in each.worth.outcomes:
            found = outcomes.setdefault(outcome.name, [0.0, 0.0])
            found[0] += outcome.count
            found[1] += outcome.money
    return Money(
        currency=currency,
        days=kept,
        total=running[-1],
        running=tuple(running),
        outcomes=tuple(
            OutcomeSum(name=OUTCOMES.get(name, name.replace("_", " ")), count=count, money=money)
            for name, (count, money) in outcomes.items()
        ),
    )


def money_chart(money: Money, events: Sequence[Event], name: str) -> str | None:
    """Money by day and together over one axis, with events; None of fewer than two days."""
    if len(money.days) < 2:
        return None
    axis = money.axis
    at = [(axis.at(e.window.start) + axis.at(e.window.end)) / 2 for e in money.days]
    totals = [each.worth.total for each in money.days if each.worth is not None]
    largest = max(abs(each.value) for each in money.running)
    digits = 0 if largest >= 100 else 2

    def hint(each: Performance, total: Estimate, together: Estimate) -> Hint:
        text = (
            f"{day(each.window.start)}: {total.value:+,.{digits}f} {money.currency} [{total.lower:+,.{digits}f}, "
            f"{total.upper:+,.{digits}f}] of {each.labelled:,} answers; together {together.value:+,.{digits}f}"
        )
        return Hint(start=axis.at(each.window.start), end=axis.at(each.window.end), text=text)

    hints = [hint(*each) for each in zip(money.days, totals, money.running, strict=True)]
    return timeline(
        [
            LinePanel(
                title=f"{money.currency} by day (shade: {totals[-1].level:.0%} interval)",
                lines=[
                    Line(
                        name="by day",
                        at=at,
                        values=[each.value for each in totals],
                        colour=COLOURS[3],
                        bands=[(each.lower, each.upper) for each in totals],
                    )
                ],
                height=150,
                digits=digits,
                hints=hints,
            ),
            LinePanel(
                title=f"{money.currency} together",
                lines=[
                    Line(
                        name="together",
                        at=at,
                        values=[each.value for each in money.running],
                        colour=COLOURS[2],
                        style="bold",
                        bands=[(each.lower, each.upper) for each in money.running],
                        gap=float("inf"),
                    )
                ],
                height=170,
                digits=digits,
                hints=hints,
            ),
        ],
        name=name,
        label=f"Money by day and together, in {money.currency}",
        days=axis.days,
        ticks=axis.ticks,
        events=[each for each in events if -1 <= each.at <= axis.days + 2],
    )
