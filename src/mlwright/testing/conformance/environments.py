"""The exam of :class:`mlwright.ports.environments.Environments`. It asks no index for anything.

::

    class TestMyEnvironments(EnvironmentsConformance):
        @pytest.fixture
        def environments(self) -> Environments: ...
"""

import sys
import textwrap
from pathlib import Path

import pytest

from mlwright.errors import EnvironmentUndecided
from mlwright.ports.environments import Environments, Ran
from mlwright.testing.conformance.gaps import Conformance

GIB = 1 << 30
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def run(environments: Environments, folder: Path, code: str, *arguments: str, **limits: float) -> Ran:
    """Run a few lines in an environment of no packages."""
    script, home = folder / "script.py", folder / "home"
    script.write_text(textwrap.dedent(code), encoding="utf-8")
    home.mkdir(exist_ok=True)
    built = environments.build((), PYTHON)
    return environments.run(
        built,
        script,
        arguments,
        folder=home,
        seconds=limits.get("seconds", 60),
        memory=int(limits.get("memory", GIB)),
    )


class EnvironmentsConformance(Conformance):
    """What every maker of environments promises. Subclasses supply ``environments``."""

    def test_an_environment_has_an_interpreter_of_the_wanted_version(
        self, environments: Environments
    ) -> None:
        """The version is the interpreter's own."""
        built = environments.build((), PYTHON)
        assert built.interpreter.is_file()
        assert built.python.split(".")[:2] == PYTHON.split(".")

    def test_the_second_time_it_is_there(self, environments: Environments) -> None:
        """The same requirements in another order are the same environment."""
        assert not environments.build((), PYTHON).cached
        assert environments.build((), PYTHON).cached

    def test_a_place_of_its_own_is_not_followed(self, environments: Environments) -> None:
        """A requirement may name an address; whoever registers a model must not choose what is fetched."""
        with pytest.raises(EnvironmentUndecided):
            environments.build(("x @ https://example.invalid/x.whl",), PYTHON)

    def test_a_script_runs_with_its_arguments(self, environments: Environments, tmp_path: Path) -> None:
        """What it writes and how it ends is told."""
        ran = run(environments, tmp_path, "import sys; print(sys.argv[1:]); sys.exit(3)", "a", "b c")
        assert (ran.code, ran.limit) == (3, "")
        assert "['a', 'b c']" in ran.said

    def test_a_script_sees_nothing_of_ours(
        self, environments: Environments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No variable with a secret, no path to our packages, a home of its own."""
        monkeypatch.setenv("SECRET_TOKEN", "hidden-in-the-environment")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        code = "import os, sys; print(dict(os.environ), sys.path, os.path.expanduser('~'))"
        ran = run(environments, tmp_path, code)
        assert ran.code == 0, ran.said
        assert "hidden-in-the-environment" not in ran.said
        assert str(tmp_path / "home") in ran.said
        assert f"'{tmp_path}'" not in ran.said

    def test_a_script_that_does_not_end_is_ended(self, environments: Environments, tmp_path: Path) -> None:
        """After the time that it was given."""
        ran = run(environments, tmp_path, "import time\nwhile True: time.sleep(1)", seconds=1)
        assert ran.limit == "time"
        assert ran.seconds < 20

    def test_a_script_that_takes_all_memory_is_ended(
        self, environments: Environments, tmp_path: Path
    ) -> None:
        """Before the machine has none left."""
        code = """
            import time
            held = []
            for _ in range(60):
                held.append(bytearray(16 << 20))
                for each in range(0, 16 << 20, 4096): held[-1][each] = 1
                time.sleep(0.02)
            time.sleep(10)
        """
        ran = run(environments, tmp_path, code, memory=GIB // 4)
        assert ran.limit == "memory"
        assert ran.code != 0

    def test_a_script_that_crashes_says_so(self, environments: Environments, tmp_path: Path) -> None:
        """A signal is a negative code."""
        ran = run(environments, tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        assert ran.code < 0
        assert ran.limit == ""
