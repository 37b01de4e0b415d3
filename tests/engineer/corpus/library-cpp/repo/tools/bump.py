"""Set the version everywhere."""

import re
import subprocess
import sys
from pathlib import Path

version = sys.argv[1]
path = Path("pyproject.toml")
path.write_text(re.sub(r'version = ".*"', f'version = "{version}"', path.read_text(), count=1))
subprocess.run(["git", "commit", "-am", f"version {version}"], check=True)
