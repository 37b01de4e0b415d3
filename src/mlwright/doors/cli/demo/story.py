"""How the demo tells what it does: on a terminal with bars and tables, in a log as plain lines."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from mlwright.doors.cli.demo.results import MANAGED, Year
from mlwright.doors.cli.demo.strategies import ALL, LAST, NEVER
from mlwright.model.contracts import ContractReport
from mlwright.model.tracking import Run

_SHORT = {NEVER: "never", LAST: "last 3 months", ALL: "all history", MANAGED: "managed"}


class Story:
    """Prints the chapters of the demo to one console."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._chapter = 0

    def chapter(self, title: str) -> None:
        """Begin the next numbered part."""
        self._chapter += 1
        self.console.print(f"\n[bold]{self._chapter}. {title}[/bold]")

    def say(self, text: str) -> None:
        """One line of the story."""
        self.console.print(f"   {text}", highlight=False)

    def contracts(self, reports: tuple[ContractReport, ...]) -> None:
        """What the contracts found, and what was done about it."""
        table = Table("data set", "rule", "rows", "done about it", box=None, pad_edge=False, padding=(0, 2))
        for report in reports:
            mark = "[green]kept[/green]" if report.passed else "[red]broken[/red]"
            table.add_row(
                f"[bold]{report.dataset}[/bold]", f"{report.contract} {mark}", f"{report.rows:,}", ""
            )
            for result in report.broken:
                done = result.rule.remedy or str(result.rule.action)
                table.add_row("", f"[yellow]{result.rule.id}[/yellow]", f"{result.failing_rows:,}", done)
        self.console.print(table)

    def run(self, run: Run) -> None:
        """What a pipeline run recorded."""
        metrics = ", ".join(f"{key} {value:.4g}" for key, value in sorted(run.metrics.items()))
        self.say(f"run [cyan]{run.id}[/cyan]: {metrics}")
        for key, value in sorted(run.tags.items()):
            if key.startswith("gate."):
                self.say(f"gate {value}")
        for each in run.datasets:
            self.say(f"data {each.name} {each.digest[:19]}… ({each.rows:,} rows, contract {each.contract})")
        environment = run.environment
        if environment:
            commit = (environment.git_commit or "no git")[:10] + (" (dirty)" if environment.git_dirty else "")
            self.say(
                f"environment python {environment.python}, {len(environment.packages)} packages, code "
                f"{environment.code_digest[:19]}…, git {commit}, seed {environment.seed}"
            )

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator["Bar"]:
        """A bar for long work; lines may be said while it runs."""
        columns = (
            TextColumn("   {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            yield Bar(progress, progress.add_task(what, total=total, note=""))

    def year(self, year: Year) -> None:
        """The table of all strategies."""
        for title, metric in (
            ("AUC by month (higher is better)", "auc"),
            ("Brier score by month (lower is better)", "brier"),
        ):
            table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2))
            table.add_column("month")
            for name in (NEVER, LAST, ALL, MANAGED):
                table.add_column(_SHORT[name], justify="right", style="bold" if name == MANAGED else "")
            if metric == "auc":
                table.add_column("estimated before labels", justify="right", style="dim")
            for month in year.months:
                values = getattr(month, metric)
                guess = f"{month.expected_auc:.3f}" if month.expected_auc is not None else "–"
                scores = [f"{values[name]:.3f}" for name in (NEVER, LAST, ALL, MANAGED)]
                table.add_row(month.month, *scores, *([guess] if metric == "auc" else []))
            means = year.mean_auc if metric == "auc" else year.mean_brier
            table.add_row(
                "mean", *(f"{means[name]:.4f}" for name in (NEVER, LAST, ALL, MANAGED)), style="bold"
            )
            if metric == "auc":
                table.add_row(
                    "changes", *(str(year.model_changes[name]) for name in (NEVER, LAST, ALL, MANAGED))
                )
            self.console.print(table)
            self.console.print()

    def promises(self, year: Year) -> None:
        """What was promised, and what came of it."""
        for promise in year.promises:
            mark = "[green]kept  [/green]" if promise.kept else "[red]broken[/red]"
            self.say(f"{mark} {promise.text}: {promise.measured}")


class Bar:
    """A running progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def step(self, note: str) -> None:
        """One unit done."""
        self._progress.update(self._task, advance=1, note=note)

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._progress.console.print(f"   {text}", highlight=False)
