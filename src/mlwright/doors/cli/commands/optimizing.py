"""``models optimize`` and ``profile``: making a model faster, with proof, and measuring what is served."""

import sys
from collections.abc import Callable

import click
from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import pairs, stderr, table
from mlwright.errors import UsageError
from mlwright.model.conversions import Conversion, Footprint, Parity
from mlwright.model.profiles import Profile, Samples, Served

_MIB = 2**20


@command(
    "optimize",
    example="mlwright models optimize churn@champion\n"
    "mlwright models optimize churn/3 --tolerance 1e-4 --sample 5000 --json",
)
@click.argument("ref")
@click.option("--to", default="onnx", show_default=True, help="The format.")
@click.option(
    "--quantize",
    type=click.Choice(["none", "dynamic"]),
    default="none",
    show_default=True,
    help="dynamic: weights as 8-bit whole numbers (networks; say a wider --tolerance).",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=1e-5,
    show_default=True,
    help="A number may differ by this, times its size where that is above 1.",
)
@click.option(
    "--rank",
    type=click.FloatRange(0, 1),
    default=0.999,
    show_default=True,
    help="What the rank correlation of the answers has to reach.",
)
@click.option(
    "--sample", type=click.IntRange(min=1), default=1000, show_default=True, help="Rows to compare."
)
@click.option(
    "--keep", is_flag=True, help="Register it although it is not faster; never if it answers otherwise."
)
def optimize(
    door: Door,
    ref: str,
    to: str,
    quantize: str,
    tolerance: float,
    rank: float,
    sample: int,
    *,
    keep: bool,
) -> None:
    """Convert a version to ONNX, and register that as the next version if it answers the same and faster.

    The answers are compared on rows that endpoints were asked, then held-out rows, the example, and rows drawn around
    those. Aliases do not move. Exit code 1 where nothing was registered; the answer says why.
    """
    done = door.any_platform.optimizing.optimize(
        ref,
        to=to,
        quantize=quantize,
        tolerance=tolerance,
        rank=rank,
        sample=sample,
        keep=keep,
        say=_steps(door),
    )
    door.show(done, _conversion)
    door.finish(well=done.kept)


@command(
    "profile", example="mlwright profile churn\nmlwright profile churn/4 --rows 1,8,64 --seconds 5 --json"
)
@click.argument("subject", metavar="ENDPOINT|REF")
@click.option("--rows", default="1,2,4,8,16,32,64,128,256", show_default=True, help="Batch sizes, ascending.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1, max=3600),
    default=10.0,
    show_default=True,
    help="How long to measure, about.",
)
def profile(door: Door, subject: str, rows: str, seconds: float) -> None:
    """Measure an endpoint as it is routed now, or a version by itself, and keep it with the version as evidence.

    Service times by batch size, here and in a serving process under load; memory, cold start, and what follows for
    the endpoint's batching. Requests are those of the log, else held-out rows, else the example.
    """
    found = door.any_platform.profiling.profile(subject, rows=_sizes(rows), seconds=seconds, say=_steps(door))
    door.show(found, _profile)


COMMANDS = (optimize,)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise UsageError(
            "batch sizes are whole numbers with commas between",
            where="--rows",
            why=f"{text!r} is something else",
            next_command="mlwright profile --help",
        ) from None


def _steps(door: Door) -> Callable[[str], None]:
    """Progress, where somebody watches a terminal."""
    if door.as_json or not sys.stderr.isatty():
        return lambda _: None
    return lambda step: stderr().print(f"{step} …")


def _conversion(done: Conversion) -> RenderableType:
    about = pairs(
        {
            "version": done.ref or "none registered",
            "converted from": done.source,
            "to": done.target + (f", quantised ({done.quantize})" if done.quantize != "none" else ""),
            **_parity(done.parity),
        }
    )
    rows: list[tuple[object, ...]] = [
        (
            f"{each.rows} row{'s' * (each.rows != 1)}",
            _time(each.before_s),
            _time(each.after_s),
            f"{each.ratio:.3g} ×",
        )
        for each in done.paces
    ]
    if done.before and done.after:
        rows += [
            ("memory", _memory(done.before), _memory(done.after), None),
            ("load", _time(done.before.load_s), _time(done.after.load_s), None),
        ]
    parts: list[RenderableType] = [
        about,
        Text(""),
        table(["", f"{done.source}#", f"{done.target}#", "faster#"], rows),
    ]
    parts += [Text(f"note: {each}", style="dim") for each in done.notes]
    parts += [Text(f"not registered: {each}", style="red") for each in done.reasons]
    if done.next_command:
        parts.append(Text(f"next: {done.next_command}"))
    return Group(*parts)


def _parity(found: Parity) -> dict[str, object]:
    return {
        "rows": f"{found.rows:,}: " + ", ".join(f"{count:,} {name}" for name, count in found.origins.items()),
        "largest difference": f"{found.max_abs:.2g} absolute, {found.max_rel:.2g} relative "
        f"(tolerance {found.tolerance:g})",
        "outside tolerance": f"{found.beyond:,} rows",
        "rank correlation": None if found.spearman is None else f"{found.spearman:.6f}",
        "same decision at 0.5": None if found.same_decision is None else f"{found.same_decision:.4%}",
        "same labels": None if found.same_labels is None else f"{found.same_labels:.4%}",
    }


def _profile(found: Profile) -> RenderableType:
    advice, line, law = found.advice, found.line, found.scalability
    about = pairs(
        {
            "subject": found.subject,
            "versions": ", ".join(found.versions),
            "rows": ", ".join(f"{count:,} {name}" for name, count in found.origins.items()),
            "service time": f"{_time(line.alpha_s)} + {_time(line.beta_s)} a row; knee at {line.knee:.3g} rows",
            "model load": _time(found.load_s),
            **_served(found.served, found.growth),
        }
    )
    bare = {each.rows: each for each in found.bare}
    sizes = table(
        ["rows#", "median#", "90 %#", "99 %#", "CPU a row#", "rows/s#", "model alone#"],
        [_size(each, bare.get(each.rows)) for each in found.core],
        title="Through the endpoint",
    )
    parts: list[RenderableType] = [about, Text(""), sizes]
    if found.served:
        rows = [
            (
                each.connections,
                each.rate,
                _time(each.p50_s),
                _time(each.p99_s),
                None if each.cpu_s is None or not each.requests else _time(each.cpu_s / each.requests),
                law and law.rate(each.connections),
            )
            for each in found.served.points
        ]
        columns = ["connections#", "requests/s#", "median#", "99 %#", "CPU each#", "the law says#"]
        parts += [Text(""), table(columns, rows, title="One process over HTTP")]
    if law:
        peak = "none: it does not fall again" if law.peak is None else f"{law.peak:.3g} connections"
        fit = (
            f"γ {law.gamma:,.4g}/s, α {law.alpha:.3g}, β {law.beta:.2g} (error {law.error:.1%}); peak {peak}"
        )
        parts.append(Text(f"Universal Scalability Law: {fit}", style="dim"))
    advised = pairs(
        {
            "batching": f"{advice.mode}, max_rows = {advice.max_rows} (auto chooses {advice.auto})",
            "rows a second": f"{advice.rows_s:,.0f}" if advice.meets else "the promise is not kept",
            "because": advice.why,
        }
    )
    return Group(*parts, Text(""), advised)


def _served(found: Served | None, growth: float | None) -> dict[str, object]:
    if found is None:
        return {}
    grown = "" if growth is None else f", {growth / 1024:+,.0f} KiB a thousand requests"
    return {
        "cold start": _time(found.cold_start_s),
        "memory": f"{_bytes(found.idle)} idle, {_bytes(found.peak)} at most{grown}",
        "bodies": f"{found.request_bytes:,.0f} bytes asked, {found.answer_bytes:,.0f} answered",
    }


def _size(each: Samples, bare: Samples | None) -> tuple[object, ...]:
    median = each.quantile(0.5)
    return (
        each.rows,
        _time(median),
        _time(each.quantile(0.9)),
        _time(each.quantile(0.99)),
        _time(each.cpu_s / each.rows),
        each.rows / median,
        bare and _time(bare.quantile(0.5)),
    )


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _memory(found: Footprint) -> str:
    if found.loaded is None or found.base is None:
        return _bytes(found.loaded)
    return f"{_bytes(found.loaded)} ({_bytes(found.loaded - found.base)} of it the model)"


def _bytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / _MIB:,.0f} MiB"
