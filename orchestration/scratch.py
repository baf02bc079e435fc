"""Folders for as long as the process lives: a release is a folder, and ZenML stores it after the step has returned."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path


def scratch_folder() -> Path:
    """Make an empty folder that is deleted when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="discern-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
