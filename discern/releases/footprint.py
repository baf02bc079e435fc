"""The memory of a process that identifies, as a device would need it."""

from __future__ import annotations

import subprocess
import sys

from edge_runtime.core.release import Release
from edge_runtime.core.selftest import child_environment
from edge_runtime.errors import ReleaseError

TIMEOUT = 120  # seconds
ROUNDS = 20  # identifications, after which onnxruntime has taken what it takes
# Not getrusage's maximum: it holds that of the process which started this one.
PROGRAM = f"""
import sys
from pathlib import Path
from edge_runtime.core.identify import Identifier
from edge_runtime.core.release import open_release
identifier = Identifier(open_release(Path(sys.argv[1])))
photo = sys.stdin.buffer.read()
for _ in range({ROUNDS}):
    identifier.identify(photo)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


def peak_memory_mb(release: Release, photo: bytes) -> float:
    """Return the peak resident memory of a process that loads `release` and identifies `photo`, MB.

    Raises:
        ReleaseError: the process fails.
    """
    command, environment = [sys.executable, "-c", PROGRAM, str(release.folder)], child_environment()
    try:
        done = subprocess.run(command, input=photo, capture_output=True, timeout=TIMEOUT, check=True, env=environment)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"release {release.id} cannot identify in a process of its own ({error}).") from None
    return int(done.stdout) * 1024 / 1e6  # the kernel tells KiB
