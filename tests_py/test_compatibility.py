"""docs/compatibility.md is what its generator writes today."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent / "docs" / "compatibility.py"


def test_the_page_is_up_to_date():
    done = subprocess.run(
        [sys.executable, PROGRAM, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
