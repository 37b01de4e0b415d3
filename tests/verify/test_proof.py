"""Models that the real MLflow logged, proved in environments that the real uv makes."""

import shutil
import sys
import textwrap
from pathlib import Path

import pytest

from mlwright.model.evidence import Outcome
from mlwright.model.ids import ModelName
from mlwright.platform.tracking.facade import TrackingPlatform
from mlwright.platform.tracking.proofs import Proved
from mlwright.stages.registry.versions import NewVersion, add_version
from mlwright.wiring.tracking import open_tracking

pytestmark = pytest.mark.verify

SAVE = """
    import sys, mlflow
    from mlflow.models import infer_signature
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    import lightgbm
    X, y = load_iris(return_X_y=True, as_frame=True)
    def save(flavor, model, name):
        made = infer_signature(X, model.predict(X))
        flavor.save_model(model, f"{sys.argv[1]}/{name}", signature=made, input_example=X.head(3))
    save(mlflow.sklearn, LogisticRegression(max_iter=500).fit(X, y), "sklearn")
    save(mlflow.lightgbm, lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(X, y), "lightgbm")
"""


@pytest.fixture(scope="module")
def saved(environment, ask, tmp_path_factory) -> Path:
    python = environment("mlflow-proof", "mlflow==3.17.2", "scikit-learn", "lightgbm", "skops")
    folder = tmp_path_factory.mktemp("saved")
    script = folder / "save.py"
    script.write_text(textwrap.dedent(SAVE), encoding="utf-8")
    ask(python, script, folder)
    return folder


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    state = tmp_path_factory.mktemp("state") / ".mlwright"
    opened = open_tracking(
        database=f"sqlite:///{state}/mlwright.db",
        artifacts=str(state / "artifacts"),
        state=state,
        proves=True,
    )
    yield opened
    opened.close()


def prove(tracking: TrackingPlatform, folder: Path, name: str) -> Proved:
    """Upload a folder as a client does, register it and prove it."""
    path = f"0/{name}/artifacts/model"
    for file in folder.rglob("*"):
        if file.is_file():
            tracking.artifacts.put_bytes(f"{path}/{file.relative_to(folder).as_posix()}", file.read_bytes())
    tracking.models.create(name)
    with tracking.book.write() as tx:
        new = NewVersion(model=ModelName(name), source=f"mlflow-artifacts:/{path}")
        add_version(tx, new, tracking.book.clock.now())
    return tracking.proofs.run(f"{name}/1")


def said(proved: Proved) -> str:
    return "\n".join(f"{each.kind} {each.outcome}: {each.summary}" for each in proved.evidence)


def copy(saved: Path, name: str, tmp_path: Path, *, without: str = "", added: str = "") -> Path:
    folder = Path(shutil.copytree(saved / name, tmp_path / name))
    lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not without or not line.startswith(without)]
    (folder / "requirements.txt").write_text("\n".join([*kept, added]), encoding="utf-8")
    return folder


def test_a_good_model_is_proved_and_the_second_proof_is_compared_with_the_first(tracking, saved):
    first = prove(tracking, saved / "sklearn", "good")
    assert first.outcome == Outcome.PASSED, said(first)
    assert "scikit-learn" in first.evidence[4].details["packages"]
    again = tracking.proofs.run("good/1")
    assert again.outcome == Outcome.PASSED, said(again)
    assert again.evidence[4].details["cached"] is True
    assert "the proof of" in again.evidence[-1].details["reference"]


def test_a_package_that_is_missing_is_named(tracking, saved, tmp_path):
    proved = prove(tracking, copy(saved, "lightgbm", tmp_path, without="lightgbm"), "missing")
    assert proved.outcome == Outcome.FAILED
    assert proved.evidence[-1].details["missing_package"] == "lightgbm", said(proved)


def test_versions_that_clash_are_named(tracking, saved, tmp_path):
    folder = copy(saved, "sklearn", tmp_path, without="scipy", added="scipy==0.19")
    proved = prove(tracking, folder, "clash")
    assert proved.outcome == Outcome.FAILED, said(proved)
    assert "scipy==0.19" in proved.evidence[-1].summary


def test_a_package_that_no_index_has_is_named(tracking, saved, tmp_path):
    folder = copy(saved, "sklearn", tmp_path, added="no-such-package-of-anybody==1")
    proved = prove(tracking, folder, "unknown")
    assert "no-such-package-of-anybody" in proved.evidence[-1].summary, said(proved)
    assert proved.outcome == Outcome.FAILED


def test_a_python_that_is_not_here_shows_less(tracking, saved, tmp_path):
    folder = copy(saved, "sklearn", tmp_path)
    environment = folder / "python_env.yaml"
    text = environment.read_text(encoding="utf-8")
    running = ".".join(map(str, sys.version_info[:3]))
    environment.write_text(text.replace(running, "3.99.1"), encoding="utf-8")
    proved = prove(tracking, folder, "python")
    assert proved.outcome == Outcome.UNKNOWN, said(proved)
