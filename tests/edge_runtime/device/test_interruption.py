"""A pull is cut off by SIGKILL before any change that it makes to the home folder, in a real process."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.core.release import Release
from edge_runtime.device.home import Home
from edge_runtime.device.updates import pull
from tests.edge_runtime.toy_repository import ToyRepository

# Audit events come before the change itself, from the interpreter and not from our code.
CHILD = """
import os, signal, sys
home, repository, deadly = sys.argv[1], sys.argv[2], int(sys.argv[3])
seen = 0
def count(event, arguments):
    global seen
    if event == "open":
        path, _, flags = arguments
        changes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    else:
        path = arguments[0] if arguments else None
        changes = event in {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.symlink"}
    if changes and isinstance(path, (str, bytes)) and os.fsdecode(path).startswith(home):
        seen += 1
        if seen == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
from pathlib import Path
from edge_runtime.device.updates import pull
sys.addaudithook(count)
pull(repository, Path(home))
print(seen)
"""


def pull_in_child(home: Path, repository: str, deadly: int) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(home), repository, str(deadly)], capture_output=True, check=False
    )


def check(home: Path, repository: ToyRepository, old: Release, new: Release) -> None:
    """Whatever was cut off: `current` names a whole release, and the next pull goes on and clears up."""
    assert Home(home).open_current().id in {old.id, new.id}
    assert pull(repository.url, home).release == new.id
    assert Home(home).open_current().id == new.id
    assert {folder.name for folder in Home(home).releases.iterdir()} == {old.id, new.id}
    leftovers = [
        path.name for path in home.rglob("*") if path.name.startswith("tmp") or path.suffix in {".tmp", ".part"}
    ]
    assert not leftovers
    assert not [path for path in Home(home).incoming.iterdir() if path.is_dir()]


def changes_of_a_pull(home: Path, repository: ToyRepository, scratch: Path) -> int:
    shutil.copytree(home, scratch, symlinks=True)
    child = pull_in_child(scratch, repository.url, 0)
    assert child.returncode == 0, child.stderr
    return int(child.stdout)


def kill_before(
    deadly: int, home: Path, repository: ToyRepository, scratch: Path, releases: tuple[Release, Release]
) -> None:
    shutil.copytree(home, scratch, symlinks=True)
    child = pull_in_child(scratch, repository.url, deadly)
    assert child.returncode == -signal.SIGKILL, child.stderr
    check(scratch, repository, *releases)
    shutil.rmtree(scratch)


def test_killed_at_some_steps(
    home: Path, repository: ToyRepository, tmp_path: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "production")
    total = changes_of_a_pull(home, repository, tmp_path / "whole")
    assert total > 20
    # Spread over the pull, and all of its last steps: install, switch, prune.
    steps = sorted({1 + total * part // 3 for part in range(3)} | {total - 2, total})
    for deadly in steps:
        kill_before(deadly, home, repository, tmp_path / f"killed{deadly}", (toy_release, newer_release))


@pytest.mark.long
def test_killed_at_every_step(
    home: Path, repository: ToyRepository, tmp_path: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "production")
    for deadly in range(1, changes_of_a_pull(home, repository, tmp_path / "whole") + 1):
        kill_before(deadly, home, repository, tmp_path / f"killed{deadly}", (toy_release, newer_release))


def test_killed_at_a_first_pull(repository: ToyRepository, tmp_path: Path, toy_release: Release) -> None:
    """Before anything is installed there is no `current`, and the root must be given again or is kept."""
    child = CHILD.replace("Path(home))", f"Path(home), trusted_root=Path({str(repository.root)!r}))")
    for deadly in (2, 16):
        home = tmp_path / f"home{deadly}"
        command = [sys.executable, "-c", child, str(home), repository.url, str(deadly)]
        assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
        assert Home(home).read_current() is None
        assert pull(repository.url, home, trusted_root=repository.root).release == toy_release.id
        assert Home(home).open_current().id == toy_release.id
