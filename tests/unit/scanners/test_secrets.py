import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlwright.adapters.scanners.detect_secrets import DetectSecretsScanner
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

# Random, of nobody, and cut in two so that no scanner finds a token here.
HEX40 = "9f1c7be02d84a6653e" + "f0c2d917b8a45e6d30c1f2"
MIXED = "q7Zt4WkPx2Lm9RvB5nHc" + "8JdF3sYg6TaE1uKo"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
KEY = "-----BEGIN " + "RSA PRIVATE KEY-----"


def found(tmp_path: Path, path: str, text: str) -> list[tuple[str, str, int | None]]:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    scan = DetectSecretsScanner().scan(tmp_path, [path])
    assert not scan.missing
    return [(hit.severity.value, hit.rule, hit.location.line) for hit in scan.hits]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f'GITHUB = "ghp_{MIXED}"', "GitHub Token"),
        (f'key = "AKIA{MIXED[:0]}' + 'Q3EGV7ZKXR2JTWML"', "AWS Access Key"),
        (f'aws_secret_access_key = "{MIXED}Zx9+"', "AWS Access Key"),
        (f"{KEY}\n{BODY}\n{BODY}\n-----END RSA PRIVATE KEY-----", "Private Key"),
        (f'"private_key": "{KEY}\\n{BODY}\\n"', "Private Key"),
        (f'hub.login(token="hf_{MIXED}")', "Hugging Face Token"),
        (f'wandb.login(key="{HEX40}")', "Weights & Biases Key"),
        (f"WANDB_API_KEY={HEX40}", "Weights & Biases Key"),
        (f'dbx = "dapi{HEX40[:32]}"', "Databricks Token"),
        ('engine = create_engine("postgresql://scorer:vK8mQ2xw@db.corp.net/x")', "Basic Auth Credentials"),
        (f'API_KEY = "{MIXED}"', "Secret Keyword"),
        (f'client_secret = "{HEX40}"', "Secret Keyword"),
        ("SLACK = 'xoxb-" + "2340982340-4923849238-Xk29dkWm20slQp3k'", "Slack Token"),
        (f'openai.api_key = "sk-{MIXED[:20]}' + f'T3BlbkFJ{MIXED[:20]}"', "OpenAI Token"),
    ],
)
def test_what_anybody_would_call_a_secret(tmp_path: Path, text: str, rule: str) -> None:
    assert ("error", rule, 2) in found(tmp_path, "src/a.py", f"import os\n{text}\n")


@pytest.mark.parametrize(
    "text",
    [
        'key = "AKIAIOSFODNN7EXAMPLE"',
        'aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"',
        f'if "{KEY}" in text: raise ValueError',
        f'"{KEY}<your key here>-----END RSA PRIVATE KEY-----"\nx = "{BODY}"',
        'password = os.environ["DB_PASSWORD"]',
        'password = "hunter2"',
        f'sha256 = "{HEX40}{HEX40[:24]}"',
        f'api_key_hash = "{HEX40}"',
        f'secret_id = "{HEX40}"',
        f'password = "{MIXED}"  # pragma: allowlist secret',
        f"image = 'iVBORw0KGgoAAAANSUhEUgAAghp_{MIXED}AAAA'",
        'url = "postgresql://user:password@db.example.com/x"',
        'url = "postgresql://{user}:{password}@db.corp.net/x"',
        'url = f"https://{name}:{token}@git.corp.net/x"',
        'url = "https://$USER:$TOKEN@git.corp.net/x"',
        f'revision = "{HEX40}"  # of wandb',
        f"wandb @ git+https://git.corp.net/wandb@{HEX40}",
        'token = "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"',
        "def hf_model_for_sequence_classification_with_heads(): ...",
        'secret_name = "prod/model/QuoteServiceTokenV2A1"',
        'API_KEY = "your-api-key-here-1234567890AB"',
        'key = "550e8400-e29b-41d4-a716-446655440000"',
        'secret = "projects/1234/secrets/Abc123Def456/versions/7"',
        "GRPC_TOKEN_HEADER = 'Authorization-Bearer-Token-X1'",
    ],
)
def test_what_nobody_would(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, "src/a.py", f"import os\n{text}\n") == []


def test_a_password_for_this_machine_is_a_warning(tmp_path: Path) -> None:
    text = "a: postgresql://scorer:vK8mQ2xw@localhost/x\nb: redis://scorer:vK8mQ2xw@cache:6379\n"
    assert found(tmp_path, "c.yaml", text) == [
        ("warning", "Basic Auth Credentials", 1),
        ("warning", "Basic Auth Credentials", 2),
    ]


def test_configuration_needs_no_quotes(tmp_path: Path) -> None:
    assert found(tmp_path, "app.yaml", f"db:\n  password: {MIXED}\n") == [("error", "Secret Keyword", 2)]
    assert found(tmp_path, "a.py", f"password: {MIXED}\n") == []


def test_a_notebook_is_read_by_cell_and_without_its_outputs(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": "# hello"},
        {"cell_type": "code", "source": ["a = 1\n", f"t = 'ghp_{MIXED}'"], "outputs": []},
        {
            "cell_type": "code",
            "source": "show()",
            "outputs": [{"data": {"image/png": f"ghp_{MIXED} {KEY} {BODY}"}}],
        },
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    [hit] = DetectSecretsScanner().scan(tmp_path, ["a.ipynb"]).hits
    assert (hit.rule, hit.location) == ("GitHub Token", Location(path="a.ipynb", line=2, cell=2))


def test_a_broken_notebook_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text('{"cells": [', encoding="utf-8")
    [hit] = DetectSecretsScanner().scan(tmp_path, ["a.ipynb"]).hits
    assert (hit.rule, hit.severity) == ("not-looked-at", Severity.INFO)


@pytest.mark.parametrize(
    "path",
    [
        "poetry.lock",
        "web/package-lock.json",
        "node_modules/a/b.js",
        "third_party/x.py",
        "static/app.min.js",
        "data/train.csv",
        "model.pkl",
        ".secrets.baseline",
        ".git/config",
    ],
)
def test_what_people_did_not_write_is_not_wanted(path: str) -> None:
    assert not DetectSecretsScanner().wants(path, 100)


@pytest.mark.parametrize(
    "path", [".env", "Dockerfile", "a.py", "k8s/secret.yaml", "README.md", "id_rsa", "x.pem"]
)
def test_what_people_write_is_wanted(path: str) -> None:
    assert DetectSecretsScanner().wants(path, 100)
    assert not DetectSecretsScanner().wants(path, 1_000_001)


def test_twenty_megabytes_take_seconds(tmp_path: Path) -> None:
    """Ordinary code, of which every line meets some sign's beginning; measured 0.8 s on one slow core."""
    line = (
        b"    password_hash = compute(self.api_key, token='a', url='https://host/path')  # a secret thing\n"
    )
    block = (b"x = [value for value in range(100) if value % 3 == 0]  # plain words\n" * 20 + line) * 600
    for number in range(24):
        (tmp_path / f"{number}.py").write_bytes(block)
    paths = [f"{number}.py" for number in range(24)]
    scanner = DetectSecretsScanner()
    scanner.scan(tmp_path, [])
    started = time.process_time()
    scan = scanner.scan(tmp_path, paths)
    assert (scan.looked_at, scan.hits) == (24, ())
    assert len(block) * 24 > 20_000_000
    assert time.process_time() - started < 40  # a guard against growth without bound, not a measurement


@pytest.mark.parametrize(
    "bytes_",
    [
        b"ghp_" * 250_000,
        b"password = '" * 80_000,
        b"://a:b@" * 140_000,
        (b"://" + b"a:" * 300) * 1_600,
        b"secret" * 160_000,
        b"eyJ" * 300_000 + b".eyJ",
        b"-----BEGIN PRIVATE KEY-----" * 30_000,
        b"aws key '" * 100_000,
        b"password = a(" * 70_000,
        b"wandb key \n" * 80_000,
    ],
)
def test_no_text_makes_it_slow(tmp_path: Path, bytes_: bytes) -> None:
    (tmp_path / "a.py").write_bytes(bytes_[:1_000_000])
    started = time.process_time()
    DetectSecretsScanner().scan(tmp_path, ["a.py"])
    assert time.process_time() - started < 40  # a guard against growth without bound, not a measurement


def test_nothing_global_is_left_behind(tmp_path: Path) -> None:
    """detect-secrets' own settings stay as they were, and its network client is not called."""
    (tmp_path / "a.py").write_text(f"t = 'ghp_{MIXED}'", encoding="utf-8")
    code = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise SystemExit('asked the network')\n"
        "socket.socket.connect = refuse\n"
        "from pathlib import Path\n"
        "from mlwright.adapters.scanners.detect_secrets import DetectSecretsScanner\n"
        "assert 'detect_secrets' not in sys.modules and 'requests' not in sys.modules\n"
        "scan = DetectSecretsScanner().scan(Path(sys.argv[1]), ['a.py'])\n"
        "assert len(scan.hits) == 1, scan\n"
        "from detect_secrets.settings import get_settings\n"
        "assert get_settings().plugins == {}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
