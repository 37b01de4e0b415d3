"""The pages below docs/reference say what the code says, and the check would notice if they did not."""

import subprocess
import sys


def generate(repository, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "docs/generate.py", *arguments],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=50,
    )


def test_pages_are_not_stale(repository) -> None:
    done = generate(repository, "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_page_is_noticed_and_mended(repository, tmp_path) -> None:
    assert generate(repository, "--only", "errors", "--to", str(tmp_path)).returncode == 0
    page = tmp_path / "errors.md"
    written = page.read_text(encoding="utf-8")
    assert "`SettingsError` | 2 |" in written
    page.write_text(written.replace("| 2 |", "| 3 |"), encoding="utf-8")
    checked = generate(repository, "--only", "errors", "--check", "--to", str(tmp_path))
    assert checked.returncode == 1
    assert "errors.md" in checked.stdout
    assert "./dev docs" in checked.stdout
    assert generate(repository, "--only", "errors", "--to", str(tmp_path)).returncode == 0
    assert page.read_text(encoding="utf-8") == written
