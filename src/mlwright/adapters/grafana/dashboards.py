"""Plots as Grafana's dashboards, built with its Foundation SDK."""

import json
from typing import TYPE_CHECKING, Any, Final

from mlwright.adapters.grafana.plots import BOARDS, Board, Plot
from mlwright.errors import MissingExtra

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard

_HEIGHT: Final = 8
_SOURCE: Final = "${source}"


def dashboards() -> dict[str, str]:
    """The dashboards as JSON, by the name of their file.

    Raises:
        MissingExtra: the SDK is not installed.
    """
    try:
        # 0.3 s, and an extra that only this command needs
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
    except ImportError as error:
        raise MissingExtra.needed("dashboards for Grafana", "grafana") from error
    encode = JSONEncoder().encode
    return {f"{board.uid}.json": _written(encode(_dashboard(board).build())) for board in BOARDS}


def _written(text: str) -> str:
    """JSON for people to look at, without the empty options that the SDK writes and cannot read."""
    return json.dumps(_pruned(json.loads(text)), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _pruned(value: object) -> object:
    if isinstance(value, dict):  # the value of the lowest threshold is null: minus infinity
        return {key: _pruned(each) for key, each in value.items() if each is not None or key == "value"}
    return [_pruned(each) for each in value] if isinstance(value, list) else value


def _dashboard(board: Board) -> "Dashboard":
    from grafana_foundation_sdk.builders import dashboard as grafana
    from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

    source = DataSourceRef(type_val="prometheus", uid=_SOURCE)
    made = (
        grafana.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(["mlwright"])
        .readonly()
        .refresh("1m")
        .time("now-24h" if board.uid.endswith("engineering") else "now-30d", "now")
        .with_variable(grafana.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .with_variable(
            grafana.QueryVariable("endpoint")
            .label("Endpoint")
            .datasource(source)
            .query("label_values(mlwright_requests_total, endpoint)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .include_all(True)
            .multi(True)
        )
    )
    for title, plots in board.rows.items():
        made = made.with_row(grafana.Row(title))
        for plot in plots:
            made = made.with_panel(_panel(plot, source))
    return made


def _panel(plot: Plot, source: Any) -> Any:
    """One panel. The SDK's builders of panels share their methods, and no type."""
    from grafana_foundation_sdk.builders import bargauge, prometheus, stat, statushistory, text, timeseries
    from grafana_foundation_sdk.models.text import TextMode

    if plot.form == "text":
        return (
            text.Panel()
            .title(plot.title)
            .mode(TextMode.MARKDOWN)
            .content(plot.about)
            .span(plot.width)
            .height(4)
        )
    kinds: dict[str, Any] = {
        "lines": timeseries.Panel,
        "number": stat.Panel,
        "bars": bargauge.Panel,
        "grid": statushistory.Panel,
    }
    panel = kinds[plot.form]().title(plot.title).description(plot.about).datasource(source).unit(plot.unit)
    panel = panel.span(plot.width).height(_HEIGHT)
    if plot.least is not None:
        panel = panel.min(plot.least)
    if plot.limits is not None:
        panel = panel.thresholds(_thresholds(*plot.limits))
    for number, query in enumerate(plot.queries):
        target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend)
        target = target.ref_id(chr(ord("A") + number))
        panel = panel.with_target(target.instant() if plot.form in ("number", "bars") else target.range())
    return panel


def _thresholds(first: float, second: float) -> Any:
    """Green, orange from the first and red from the second limit; the other way round where they fall."""
    from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
    from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode

    if second < first:
        colours = [(None, "red"), (second, "orange"), (first, "green")]
    else:
        colours = [(None, "green"), (first, "orange"), (second, "red")]
    steps = [Threshold(value=value, color=colour) for value, colour in colours]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
