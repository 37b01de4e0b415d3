"""One ``mlwright up`` a project, and nothing to tidy up by hand after a crash."""

import json
import os
import subprocess
import sys

import pytest

from mlwright.doors.up.lock import only_one
from mlwright.errors import AlreadyRunning

HOLD = """
import sys, time
from pathlib import Path
from mlwright.doors.up.lock import only_one
with only_one(Path(sys.argv[1]), "http://127.0.0.1:1"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_is_told_who_the_first_is(tmp_path) -> None:
    second = only_one(tmp_path, "http://127.0.0.1:9000")
    with only_one(tmp_path, "http://127.0.0.1:8500"), pytest.raises(AlreadyRunning) as refused, second:
        pytest.fail("two hold the project")
    assert str(os.getpid()) in refused.value.why
    assert "http://127.0.0.1:8500" in refused.value.why
    assert refused.value.next_command == f"kill {os.getpid()}"
    with only_one(tmp_path, "http://127.0.0.1:9000"):
        assert json.loads((tmp_path / "up.lock").read_text())["pages"] == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    "left", ["", "{", '{"pid": 1}', '{"pid": 999999, "pages": "http://127.0.0.1:8500"}', "[]"]
)
def test_a_file_that_was_left_behind_holds_nothing(tmp_path, left) -> None:
    (tmp_path / "up.lock").write_text(left)
    with only_one(tmp_path, "http://127.0.0.1:8500"):
        assert json.loads((tmp_path / "up.lock").read_text())["pid"] == os.getpid()


def test_kill_9_gives_the_project_back(tmp_path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(AlreadyRunning, match="serves this project already"), only_one(tmp_path, "http://x"):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with only_one(tmp_path, "http://127.0.0.1:8500"):
        pass
