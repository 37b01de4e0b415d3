"""How long ``mlwright --help`` takes, beside what no Python program can undercut. Goal: under 150 ms."""

import statistics
import subprocess
import sys
import time

from report import Result, clean, write

ROUNDS = 21
HELP = "import sys; sys.argv = ['mlwright', '--help']; from mlwright.doors.cli.main import main; main()"
COMMANDS = {
    "python -c pass": "pass",
    "click only": "import click; click.Command('x', help='x').main(['--help'])",
    "import mlwright": "import mlwright",
    "mlwright --help": HELP,
}
GOAL_MS = 150


def wall_ms(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=clean())
    return (time.perf_counter() - started) * 1000


def main() -> None:
    for name, code in list(COMMANDS.items()):
        tried = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean())
        if tried.returncode:
            reason = (tried.stderr.strip().splitlines() or ["no message"])[-1]
            print(f"help_time: {name} does not run yet, left out ({reason})")
            del COMMANDS[name]
    # One round of each in turn: what the machine does meanwhile hits all of them alike.
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, code in COMMANDS.items():
            times[name].append(wall_ms(code))
    floor = statistics.median(times["python -c pass"])
    rows = []
    for name, taken in times.items():
        low, middle, high = statistics.quantiles(taken, n=4)
        rows.append(
            {
                "command": name,
                "median ms": round(middle, 1),
                "quartiles ms": f"{low:.1f} to {high:.1f}",
                "ratio to the floor": round(middle / floor, 2),
            }
        )
    note = f"{ROUNDS} interleaved rounds, all caches warm. Goal: `mlwright --help` below {GOAL_MS} ms."
    write(Result(name="help_time", title="Time to help", note=note, rows=rows))


if __name__ == "__main__":
    main()
