import json
import pickle
import sys
import textwrap
from pathlib import Path

import joblib
import numpy as np
import pytest

from mlwright.adapters.scanners.checkov import CheckovScanner
from mlwright.adapters.scanners.detect_secrets import DetectSecretsScanner
from mlwright.adapters.scanners.hadolint import HadolintScanner
from mlwright.adapters.scanners.picklescan import PicklescanScanner
from mlwright.adapters.scanners.zizmor import ZizmorScanner
from mlwright.testing.conformance.scanner import Files, ScannerConformance
from mlwright.testing.fakes.scanner import WordScanner

# Put together here, so that scanners of this repository find no token in it.
TOKEN = "ghp_" + "q7Zt4WkPx2Lm9RvB5nHc8JdF3sYg6TaE1uKo"


class TestWordScanner(ScannerConformance):
    @pytest.fixture
    def scanner(self) -> WordScanner:
        return WordScanner("forbidden")

    @pytest.fixture
    def planted(self) -> Files:
        return {"a.txt": b"one\nforbidden thing\n", "b/c.txt": b"forbidden"}

    @pytest.fixture
    def harmless(self) -> Files:
        return {"d.txt": b"allowed"}

    @pytest.fixture
    def hidden(self) -> str:
        return "forbidden"


class TestDetectSecrets(ScannerConformance):
    @pytest.fixture
    def scanner(self) -> DetectSecretsScanner:
        return DetectSecretsScanner()

    @pytest.fixture
    def planted(self) -> Files:
        notebook = {"cells": [{"source": "x = 1"}, {"source": ["import os\n", f"token = '{TOKEN}'\n"]}]}
        return {
            "src/train.py": f"import os\ntoken = '{TOKEN}'\n".encode(),
            "nb.ipynb": json.dumps(notebook).encode(),
            ".env": f"GITHUB={TOKEN}\n".encode(),
        }

    @pytest.fixture
    def harmless(self) -> Files:
        output = {"cells": [{"source": "plot()", "outputs": [{"text": f"token = {TOKEN}"}]}]}
        return {"a.py": b"token = os.environ['TOKEN']\n", "b.ipynb": json.dumps(output).encode()}

    @pytest.fixture
    def hidden(self) -> str:
        return TOKEN


class _Runs:
    def __reduce__(self):
        return print, ("never unpickled",)


class _RunsSystem:
    def __reduce__(self):
        import os

        return os.system, ("exit 1",)


class TestPicklescan(ScannerConformance):
    @pytest.fixture
    def scanner(self) -> PicklescanScanner:
        return PicklescanScanner()

    @pytest.fixture
    def planted(self, tmp_path_factory: pytest.TempPathFactory) -> Files:
        late = tmp_path_factory.mktemp("late") / "late.joblib"
        joblib.dump([np.ones(100), _RunsSystem()], late)
        return {"models/a.pkl": pickle.dumps(_RunsSystem()), "late.joblib": late.read_bytes()}

    @pytest.fixture
    def harmless(self) -> Files:
        return {"ok.pkl": pickle.dumps({"mean": np.ones(3)}), "odd.pkl": pickle.dumps(_Runs())}

    @pytest.fixture
    def hidden(self) -> str:
        return "exit 1"


class TestHadolint(ScannerConformance):
    @pytest.fixture
    def scanner(self) -> HadolintScanner:
        return HadolintScanner(limit_s=20.0)

    @pytest.fixture
    def planted(self) -> Files:
        return {
            "Dockerfile": b"FROM python\nRUN cd /tmp\n",
            "docker/Dockerfile.gpu": b"FROM x:1\nUSER root\n",
        }

    @pytest.fixture
    def harmless(self) -> Files:
        return {"ok.dockerfile": b'FROM python:3.12-slim\nUSER 1000\nCMD ["python"]\n'}

    @pytest.fixture
    def hidden(self) -> str:
        return ""


class TestZizmor(ScannerConformance):
    @pytest.fixture
    def scanner(self) -> ZizmorScanner:
        return ZizmorScanner(limit_s=20.0)

    @pytest.fixture
    def planted(self) -> Files:
        workflow = """\
            name: greet
            on: issues
            permissions: {}
            jobs:
              greet:
                runs-on: ubuntu-latest
                steps:
                  - run: echo "${{ github.event.issue.title }}"
            """
        action = """\
            name: act
            description: acts
            runs:
              using: composite
              steps:
                - uses: somebody/thing@main
            """
        return {
            ".github/workflows/greet.yml": textwrap.dedent(workflow).encode(),
            "tool/action.yml": textwrap.dedent(action).encode(),
        }

    @pytest.fixture
    def harmless(self) -> Files:
        workflow = """\
            name: test
            on: push
            permissions: {}
            jobs:
              test:
                runs-on: ubuntu-latest
                steps:
                  - run: echo hello
            """
        return {".github/workflows/test.yaml": textwrap.dedent(workflow).encode()}

    @pytest.fixture
    def hidden(self) -> str:
        return ""


# Stands in for checkov, which is too large for our environment; ./dev verify asks the real one.
# It says in checkov's own form what the real one says of an open security group.
STANDS_IN = """\
#!{python}
import json, pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--directory") + 1])
checks = []
for file in sorted(folder.rglob("*.tf")):
    for number, line in enumerate(file.read_bytes().split(b"\\n"), start=1):
        if b"0.0.0.0/0" in line:
            checks.append({{
                "check_id": "CKV_AWS_24", "bc_check_id": None,
                "check_name": "Ensure no security groups allow ingress from 0.0.0.0:0 to port 22",
                "check_result": {{"result": "FAILED", "evaluated_keys": []}}, "code_block": None,
                "file_path": "/" + file.name, "file_abs_path": str(file), "file_line_range": [number, number + 1],
                "resource": "aws_security_group.g", "severity": None, "guideline": None,
            }})
if checks:
    print(json.dumps({{"check_type": "terraform", "results": {{"failed_checks": checks}},
                      "summary": {{"passed": 1, "failed": len(checks), "checkov_version": "3.3.30"}}}}))
else:
    print(json.dumps({{"passed": 0, "failed": 0, "skipped": 0, "parsing_errors": 0, "resource_count": 0,
                      "checkov_version": "3.3.30"}}))
"""


class TestCheckov(ScannerConformance):
    @pytest.fixture
    def scanner(self, tmp_path_factory: pytest.TempPathFactory) -> CheckovScanner:
        program = tmp_path_factory.mktemp("bin") / "checkov"
        program.write_text(STANDS_IN.format(python=sys.executable), encoding="utf-8")
        program.chmod(0o755)
        return CheckovScanner(program, limit_s=20.0)

    @pytest.fixture
    def planted(self) -> Files:
        return {
            "main.tf": b'resource "aws_security_group" "g" {\n  cidr_blocks = ["0.0.0.0/0"]\n}\n',
            "net/more.tf": b'cidr_blocks = ["0.0.0.0/0"]\n',
        }

    @pytest.fixture
    def harmless(self) -> Files:
        return {"k8s/pod.yaml": b"apiVersion: v1\nkind: Pod\n", "ok.tf": b"locals {}\n"}

    @pytest.fixture
    def hidden(self) -> str:
        return ""


def test_a_scanner_that_is_not_there_says_so(tmp_path: Path) -> None:
    scan = WordScanner("x", missing="it is not installed").scan(tmp_path, [])
    assert (scan.missing, scan.install) == ("it is not installed", "pip install words")
