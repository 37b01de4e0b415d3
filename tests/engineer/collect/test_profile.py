"""What a repository is for: miniature applications, libraries and others, each with the reason that must be given."""

from collections.abc import Callable, Mapping

import pytest

from mlwright.engineer.facts.repository import Repository

Facts = Callable[..., Repository]

TRAIN = """
import joblib
import pandas as pd
from sklearn.linear_model import LogisticRegression


def main():
    frame = pd.read_csv("data/churn.csv")
    model = LogisticRegression()
    model.fit(frame[["age"]], frame["left"])
    joblib.dump(model, "model.joblib")


if __name__ == "__main__":
    main()
"""
SERVE = """
import joblib
from fastapi import FastAPI

app = FastAPI()
model = joblib.load("model.joblib")


@app.post("/predict")
def predict(age: int):
    return {"left": int(model.predict([[age]])[0])}
"""
ESTIMATOR = """
import numpy as np
from sklearn.linear_model import Ridge


class Calibrated:
    def fit(self, X, y):
        self.inner = Ridge()
        self.inner.fit(X, y)
        return self

    def predict(self, X):
        return self.inner.predict(X)
"""
PUBLISHED = """
[build-system]
requires = ["hatchling"]

[project]
name = "calibrated"
version = "1.0"
classifiers = ["Programming Language :: Python :: 3"]
"""
PRIVATE = '[build-system]\nrequires = ["hatchling"]\n\n[project]\nname = "churn"\nversion = "0.1"\n'
CLASSES = {f"calibrated/model_{number}.py": ESTIMATOR for number in range(3)}
LIGHTNING = """
import lightning as L
from net import Net, loaders

trainer = L.Trainer(max_epochs=3)
trainer.fit(Net(), loaders())
"""
LOOP = """
import torch
from torch import nn

def run(loader):
    net = nn.Linear(3, 1)
    optimizer = torch.optim.Adam(net.parameters())
    for x, y in loader:
        loss = ((net(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
CHAT = """
from fastapi import FastAPI
from openai import OpenAI
from langchain.chains import LLMChain

app = FastAPI()
chain = LLMChain()

@app.post("/chat")
def chat(text: str):
    return chain.predict(text=text)
"""

CASES: Mapping[str, tuple[Mapping[str, str], str, bool, bool, str]] = {
    "a training script": (
        {"train.py": TRAIN},
        "application",
        True,
        False,
        "train.py:10 fits sklearn.linear_model",
    ),
    "a package that is no library": (
        {
            "pyproject.toml": PRIVATE,
            "src/churn/__init__.py": "",
            "src/churn/train.py": TRAIN,
            "src/churn/api.py": SERVE,
        },
        *("application", True, True, "serves: src/churn/api.py:9 answers requests"),
    ),
    "a published library": ({"pyproject.toml": PUBLISHED, **CLASSES}, "library", False, False, "classifiers"),
    "a library that trains in its examples": (
        {"pyproject.toml": PUBLISHED, **CLASSES, "examples/train.py": TRAIN, "docs/conf.py": ""},
        *("library", False, False, "docs/conf.py"),
    ),
    "a trainer of any library": (
        {
            "train_tts.py": "from trainer import Trainer, TrainerArgs\n\n"
            "trainer = Trainer(TrainerArgs(), config, model=model)\ntrainer.fit()\n"
        },
        *("application", True, False, "train_tts.py:4 trains with trainer.Trainer"),
    ),
    "pictures are scaled and headings grouped": (
        {
            "pages.py": "from PIL import ImageOps\nfrom sklearn.cluster import KMeans\nimport torch\n\n\n"
            "def levels(heights, image):\n    groups = KMeans(n_clusters=4).fit(heights)\n"
            "    return groups.labels_, ImageOps.fit(image, (3, 4), method=3)\n"
        },
        *("other", False, False, "nothing here fits a model"),
    ),
    "a scaler learns no model": (
        {
            "stream.py": "from river import preprocessing\n\nscaler = preprocessing.StandardScaler()\n"
            "for row in ROWS:\n    scaler.learn_one(row)\n"
        },
        *("other", False, False, "nothing here fits a model"),
    ),
    "an algorithm that asks its base class": (
        {
            "algorithm.py": "from surprise import AlgoBase\n\n\nclass Mean(AlgoBase):\n"
            "    def fit(self, rows):\n        AlgoBase.fit(self, rows)\n        return self\n"
        },
        *("other", False, False, "nothing here fits a model"),
    ),
    "a library with a server in it": (
        {"pyproject.toml": PUBLISHED, **CLASSES, "calibrated/__init__.py": "", "calibrated/serve.py": SERVE},
        *("library", False, False, "for whoever installs it"),
    ),
    "an application with classifiers that somebody copied": (
        {
            "pyproject.toml": PUBLISHED,
            "train.py": TRAIN,
            "api.py": SERVE,
            "Dockerfile": "FROM python:3.12\nCOPY . .\nCMD python api.py\n",
        },
        *("application", True, True, "no library although"),
    ),
    "a private package": (
        {
            "pyproject.toml": PUBLISHED.replace("Programming Language :: Python :: 3", "Private :: No"),
            "train.py": TRAIN,
        },
        *("application", True, False, "trains"),
    ),
    "an old plugin": (
        {
            "setup.py": "from setuptools import setup\nsetup(name='x', entry_points={'mlflow.deployments': 'x=x'})\n"
        },
        *("library", False, False, "entry points"),
    ),
    "an unpacked source distribution": (
        {"PKG-INFO": "Metadata-Version: 2.1\n", "boost/core.py": ESTIMATOR},
        *("library", False, False, "PKG-INFO"),
    ),
    "lightning": ({"fit.py": LIGHTNING}, "application", True, False, "fits lightning.Trainer"),
    "a loop of its own": ({"loop.py": LOOP}, "application", True, False, "loop.py:11 steps an optimizer"),
    "only defines a network": (
        {
            "net.py": "from torch import nn\n\nclass Net(nn.Module):\n    def forward(self, x):\n        return x\n"
        },
        *("other", False, False, "nothing here fits"),
    ),
    "only scales columns": (
        {"prepare.py": "from sklearn.impute import SimpleImputer\nfill = SimpleImputer()\nfill.fit(X, y)\n"},
        *("other", False, False, "nothing"),
    ),
    "asks a language model of others": (
        {"app.py": CHAT},
        "other",
        False,
        False,
        "a language model of others",
    ),
    "a web service without a model": (
        {
            "app.py": "from flask import Flask\napp = Flask(__name__)\n\n@app.get('/')\ndef home():\n    return 'hi'\n"
        },
        *("other", False, False, "nothing"),
    ),
    "a service whose model is loaded elsewhere in the package": (
        {
            "app/main.py": SERVE.replace("import joblib\n", "from app.model import ask\n")
            .replace('model = joblib.load("model.joblib")', "")
            .replace("int(model.predict([[age]])[0])", "ask(age)"),
            "app/model.py": "import joblib\n\ndef ask(age):\n    return joblib.load('m').predict([[age]])\n",
        },
        *("application", False, True, "app/model.py:4 calls joblib.load"),
    ),
    "a manifest of KServe": (
        {
            "deploy/iris.yaml": "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\n"
            "metadata: {name: iris}\nspec: {predictor: {model: {storageUri: s3://m}}}\n"
        },
        *("application", False, True, "InferenceService iris"),
    ),
    "a container that runs mlflow": (
        {"Dockerfile": 'FROM python:3.12\nCMD ["mlflow", "models", "serve", "-m", "models:/churn/1"]\n'},
        *("application", False, True, "Dockerfile:2"),
    ),
    "BentoML": (
        {
            "service.py": "import bentoml\n\n@bentoml.service(resources={'cpu': '1'})\nclass Churn:\n    pass\n"
        },
        *("application", False, True, "service.py:3 calls bentoml.service"),
    ),
    "tests only train": ({"tests/test_fit.py": TRAIN, "lib.py": "x = 1\n"}, "other", False, False, "nothing"),
    "a class of its own that is driven": (
        {"model.py": ESTIMATOR, "run.py": "from model import Calibrated\nc = Calibrated()\nc.fit(X, y)\n"},
        *("application", True, False, "run.py:3 fits model.Calibrated"),
    ),
    "boosted": (
        {"t.py": "import lightgbm as lgb\nbooster = lgb.train({}, lgb.Dataset(X, y))\n"},
        *("application", True, False, "t.py:2 calls lightgbm.train"),
    ),
    "a trainer of transformers": (
        {
            "t.py": "from transformers import Trainer\ntrainer = Trainer(model=m, train_dataset=d)\ntrainer.train()\n"
        },
        *("application", True, False, "trains with transformers.Trainer"),
    ),
    "nothing": ({"README.md": "# hello\n"}, "other", False, False, "nothing"),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_what_a_repository_is_for(name: str, facts_of: Facts) -> None:
    files, kind, trains, serves, reason = CASES[name]
    profile = facts_of(files).profile
    assert (profile.kind, profile.trains, profile.serves) == (kind, trains, serves), profile.reasons
    assert any(reason in each for each in profile.reasons), profile.reasons


def test_a_notebook_that_trains_is_an_application(facts_of: Facts) -> None:
    source = '"from sklearn.svm import SVC\\n", "SVC().fit(X, y)"'
    cell = f'{{"cell_type": "code", "source": [{source}], "outputs": [], "execution_count": 1}}'
    profile = facts_of({"look.ipynb": f'{{"cells": [{cell}], "metadata": {{}}}}'}).profile
    assert (profile.kind, profile.trains) == ("application", True)
    assert profile.reasons == ("trains: look.ipynb:cell 1:2 fits sklearn.svm.SVC",)


def test_a_profile_names_what_the_repository_is_built_with(facts_of: Facts) -> None:
    profile = facts_of(
        {"train.py": "import mlflow\nimport torch\n" + TRAIN, "Dockerfile": "FROM python:3.12\n"}
    ).profile
    assert profile.frameworks == ("PyTorch", "scikit-learn")
    assert profile.tools == ("Docker", "MLflow", "pandas")
