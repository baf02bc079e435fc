from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edge_runtime.core.release import MODEL_FILE, Release
from edge_runtime.device.home import Home
from edge_runtime.device.installing import has_file, take_installed
from edge_runtime.device.updates import pull
from edge_runtime.errors import UpdateError
from tests.edge_runtime.homes import assert_untouched
from tests.edge_runtime.toy_release import flip
from tests.edge_runtime.toy_repository import ToyRepository

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")


@pytest.fixture
def small_disk(home: Path, tmp_path: Path) -> Iterator[Path]:
    """The home on a disk of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,nr_inodes=200", "tmpfs", disk], check=True)
    try:
        shutil.copytree(home, disk / "home", symlinks=True)
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(folder: Path, spare: int) -> None:
    """Take every inode of the disk but `spare`."""
    folder.mkdir()
    with suppress(OSError):
        for number in range(1000):
            (folder / str(number)).touch()
    for taken in range(spare):
        (folder / str(taken)).unlink()


@as_root
@pytest.mark.parametrize("spare", [0, 1, 5, 9])
def test_a_full_disk_stops_the_pull_and_nothing_else(
    repository: ToyRepository, small_disk: Path, toy_release: Release, newer_release: Release, spare: int
) -> None:
    repository.publish(newer_release, "production")
    home = small_disk / "home"
    fill(small_disk / "fill", spare)
    with pytest.raises(UpdateError, match=r"the disk of .* is full: free some space"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)
    assert not Home(home).incoming.exists() or not list(Home(home).incoming.iterdir())
    shutil.rmtree(small_disk / "fill")
    assert pull(repository.url, home).release == newer_release.id


@as_root
def test_a_download_that_cannot_fit_is_not_begun(
    repository: ToyRepository, small_disk: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "production")
    (small_disk / "large").write_bytes(bytes(2_500_000))
    with pytest.raises(UpdateError, match="is full"):
        pull(repository.url, small_disk / "home")
    assert_untouched(small_disk / "home", toy_release)


def test_a_file_counts_as_here_only_if_every_byte_is_the_stated_one(release: Release, tmp_path: Path) -> None:
    path, entry = release.folder / MODEL_FILE, release.manifest.files[MODEL_FILE]
    assert has_file(path, entry)
    flip(path)
    assert not has_file(path, entry)
    path.write_bytes(path.read_bytes()[:-1])
    assert not has_file(path, entry)
    assert not has_file(tmp_path / "nothing", entry)


def test_an_installed_file_is_taken_by_a_link_and_stays_where_it_was(home: Path, toy_release: Release) -> None:
    device = Home(home)
    device.incoming.mkdir(exist_ok=True)
    entry = toy_release.manifest.files[MODEL_FILE]
    assert take_installed(device, device.incoming / MODEL_FILE, entry)
    installed = device.folder(toy_release.id) / MODEL_FILE
    assert (device.incoming / MODEL_FILE).samefile(installed)
    assert not take_installed(device, device.incoming / "other.onnx", entry)
