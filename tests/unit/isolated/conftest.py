"""A model that does what it is told, in a process of the running Python."""

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlwright.adapters.isolated import supervising
from mlwright.adapters.isolated.engine import IsolatedEngine
from mlwright.adapters.isolated.planning import Described
from mlwright.adapters.isolated.process import Limits
from mlwright.adapters.isolated.supervising import IsolatedModel
from mlwright.model.ids import Digest
from mlwright.model.registry import Signature
from mlwright.stages.registry import loading
from mlwright.testing.fakes.environments import RunningEnvironments

MODEL = """
    import os, pathlib, signal, time

    class Predictor:
        def __init__(self, folder, conf):
            folder = pathlib.Path(folder)
            if (folder / "broken").exists():
                print("last words")
                if (folder / "broken").read_text() == "dead":
                    os._exit(3)
                raise RuntimeError("it does not want to")
            self.folder = folder

        def predict(self, given):
            given = dict(given)
            do = given.pop("do", ["echo"])[0]
            if do == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            elif do == "exit":
                os._exit(3)
            elif do == "sleep":
                time.sleep(60)
            elif do == "raise":
                raise RuntimeError("ouch")
            elif do == "refuse":
                raise ValueError("not these")
            elif do == "short":
                return {name: each[:-1] for name, each in given.items()}
            elif do == "chatter":
                print("x" * 1_000_000)
            elif do == "environment":
                return {"output": [repr(dict(os.environ))]}
            elif do == "home":
                pathlib.Path("left").write_text("x")
                return {"output": [os.getcwd()]}
            elif do == "large":
                import numpy
                return {"output": numpy.arange(3_000_000.0)[None, :]}
            return given
"""

Load = Callable[..., IsolatedModel]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    code = tmp_path / "model" / "code"
    code.mkdir(parents=True)
    (code / "mlwright_function.py").write_text(textwrap.dedent(MODEL), encoding="utf-8")
    return code.parent


@pytest.fixture
def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    monkeypatch.setattr(supervising, "FIRST_WAIT_S", 0.02)
    loaded = []

    def make(**limits: float) -> IsolatedModel:
        described = Described(
            flavors={"mlwright_function": {"code": "code"}}, signature=Signature(inputs=(), outputs=())
        )
        engine = IsolatedEngine(
            RunningEnvironments(),
            lambda _: described,
            Path(loading.__file__),
            limits=Limits(**limits),  # type: ignore[arg-type]
        )
        model = engine.load(folder, digest=Digest("blake3:1"), flavors=("mlwright_function",))
        assert isinstance(model, IsolatedModel)
        loaded.append(model)
        return model

    yield make
    for model in loaded:
        model.close()
