"""Scratch folders live as long as their process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CHILD = """
from orchestration.scratch import scratch_folder
folder = scratch_folder()
(folder / "file").write_text("x")
assert folder != scratch_folder()
print(folder)
"""


def test_scratch_folder_is_gone_when_the_process_has_ended() -> None:
    child = subprocess.run([sys.executable, "-c", CHILD], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    folder = Path(child.stdout.strip())
    assert folder.is_absolute()
    assert not folder.exists()
