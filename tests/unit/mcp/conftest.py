"""A small repository, a project that has run, and servers to talk to, all through the official client."""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from click.testing import CliRunner
from mcp import Client, StdioServerParameters
from threadpoolctl import threadpool_limits

from mlwright.doors.cli.main import cli
from mlwright.doors.mcp.server import http_app, listen, make_server
from mlwright.doors.mcp.workplace import Workplace

SOURCE = Path(__file__).parents[3] / "src"

FILES = {
    "train.py": "import pickle\n"
    "import pandas as pd\n"
    "from sklearn.ensemble import RandomForestClassifier\n"
    'data = pd.read_csv("data.csv")\n'
    'model = RandomForestClassifier().fit(data.drop(columns="y"), data["y"])\n'
    'pickle.dump(model, open("model.pkl", "wb"))\n',
    "requirements.txt": "pandas\nscikit-learn\n",
    "deploy/Dockerfile": "FROM python:latest\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python serve.py\n",
}

Talk = Callable[[Client], Awaitable[object]]


def talk(server: object, say: Talk, **options: object):
    """One session with a server, from connecting to the end."""

    async def session() -> object:
        async with Client(server, **options) as client:
            return await say(client)

    return asyncio.run(session())


def stdio(root: Path, *options: str) -> StdioServerParameters:
    paths = [str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "mlwright", "mcp", "--root", str(root), *options],
        env={"PYTHONPATH": os.pathsep.join(paths)},
    )


@contextmanager
def over_http(place: Workplace) -> Iterator[str]:
    """The address of a server that runs meanwhile."""
    with listen("127.0.0.1", 0) as listening:
        app = http_app(make_server(place))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def error_of(result) -> dict[str, object]:
    """The error that a tool answered with."""
    assert result.is_error, result.content[0].text
    return json.loads(result.content[0].text)["error"]


@pytest.fixture
def repository_folder(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    for path, text in FILES.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tabular example after two runs, with one version behind its endpoint."""
    folder = tmp_path_factory.mktemp("project") / "churn"
    assert CliRunner().invoke(cli, ["init", str(folder)]).exit_code == 0
    with threadpool_limits(limits=1, user_api="openmp"):  # two threads spin for a core that a neighbour holds
        for line in ("run train_churn", "run train_churn -p holdout=30d", "deploy churn churn/1"):
            done = CliRunner().invoke(cli, ["--project", str(folder), *line.split()])
            assert done.exit_code == 0, f"{line}: {done.output}"
    return folder
