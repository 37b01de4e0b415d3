"""The table ``registry``: the same from the light reader and from the one that judges the whole file."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlwright.adapters.config import FILE_NAME, load_settings
from mlwright.adapters.config.light import find_registry, load_registry
from mlwright.errors import SettingsError
from mlwright.model.settings import RegistrySettings

PROJECT = '[project]\nname = "p"\n'


def write(folder: Path, table: str) -> Path:
    (folder / FILE_NAME).write_text(PROJECT + table, encoding="utf-8")
    return folder / FILE_NAME


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ("", {}),
        ('[registry]\nprove = "files"\n', {"prove": "files"}),
        (
            '[registry]\nprove = "off"\nverify_key = "file:keys/a.pub"\n',
            {"prove": "off", "verify": "keys/a.pub"},
        ),
        ('[registry]\nsigning_key = "file:/etc/a.pem"\n', {"signing": "/etc/a.pem"}),
    ],
)
def test_both_readers_agree(tmp_path, table, wanted) -> None:
    path = write(tmp_path, table)
    expected = RegistrySettings(
        prove=wanted.get("prove", "isolated"),
        signing_key=tmp_path / wanted["signing"] if "signing" in wanted else None,
        verify_key=tmp_path / wanted["verify"] if "verify" in wanted else None,
    )
    assert load_registry(path) == load_settings(path, {}).registry == expected


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('prove = "always"', "isolated"),
        ("prove = true", "isolated"),
        ('verify_key = "SECRETSECRET"', "file:PATH"),
        ('verify_key = "file:"', "file:PATH"),
        ('sign_key = "file:a"', "signing_key"),
    ],
)
def test_faults_are_worded_and_keys_never_repeated(tmp_path, line, word) -> None:
    path = write(tmp_path, f"[registry]\n{line}\n")
    with pytest.raises(SettingsError) as caught:
        load_registry(path)
    assert word in str(caught.value)
    assert "SECRETSECRET" not in str(caught.value)


def test_the_nearest_project_counts_and_none_is_the_default(tmp_path) -> None:
    write(tmp_path, '[registry]\nprove = "files"\n')
    state = tmp_path / ".mlwright"
    state.mkdir()
    assert find_registry(state).prove == "files"
    assert find_registry(Path("/"), state).prove == "files"
    assert find_registry(Path("/")) == RegistrySettings()


def test_the_light_reader_stays_light(tmp_path) -> None:
    path = write(tmp_path, '[registry]\nprove = "files"\n')
    code = (
        "import sys; from pathlib import Path\n"
        "from mlwright.adapters.config.light import load_registry\n"
        f"load_registry(Path({str(path)!r}))\n"
        "sys.exit('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=50).returncode == 0
