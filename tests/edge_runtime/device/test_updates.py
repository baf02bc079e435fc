from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from discern.publication.keys import make_keys
from discern.publication.metadata import Expiries, make_root, make_timestamp
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import FILES, GOLDEN_VECTORS_FILE, MANIFEST_FILE, MODEL_FILE, Release, open_release
from edge_runtime.device.home import Current, Home
from edge_runtime.device.updates import PullResult, channel_path, parse_pointer, pull
from edge_runtime.errors import EdgeError, ReleaseError, UpdateError
from tests.edge_runtime.toy_release import flip, repin


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_untouched(home: Path, release: Release) -> None:
    """The device answers as before, and nothing half-written lies where it looks."""
    place = Home(home)
    current = place.read_current()
    assert current is not None
    assert current.release == release.id
    assert place.open_current().id == release.id
    assert [folder.name for folder in place.releases.iterdir()] == [release.id]


def test_the_first_pull_installs(repository: ReleaseRepository, tmp_path: Path, toy_release: Release) -> None:
    home, seen = tmp_path / "home", list[tuple[int, int]]()
    result = pull(
        repository.url, home, trusted_root=repository.root, progress=lambda done, total: seen.append((done, total))
    )
    size = sum(entry.bytes for entry in toy_release.manifest.files.values())
    assert result == PullResult(toy_release.id, None, changed=True, downloaded=size)
    assert_untouched(home, toy_release)
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert tree(Home(home).folder(toy_release.id)) == tree(toy_release.folder)


def test_nothing_new_changes_nothing(repository: ReleaseRepository, home: Path, toy_release: Release) -> None:
    before = tree(home / "releases")
    assert pull(repository.url, home) == PullResult(toy_release.id, None, changed=False)
    assert tree(home / "releases") == before


def test_an_index_only_release_fetches_only_what_changed(
    repository: ReleaseRepository, home: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "production")
    result = pull(repository.url, home)
    same = {
        name
        for name, entry in newer_release.manifest.files.items()
        if entry.sha256 == toy_release.manifest.files[name].sha256
    }
    assert MODEL_FILE in same
    sizes = {name: entry.bytes for name, entry in newer_release.manifest.files.items()}
    assert result.reused == sum(sizes[name] for name in same)
    assert result.downloaded == sum(sizes.values()) - result.reused
    assert Home(home).read_current() == Current(newer_release.id, toy_release.id)
    assert "orange" in Home(home).open_current().labels


def test_an_altered_installed_file_is_not_reused(
    repository: ReleaseRepository, home: Path, toy_release: Release, newer_release: Release
) -> None:
    flip(Home(home).folder(toy_release.id) / MODEL_FILE)
    repository.publish(newer_release, "production")
    pull(repository.url, home)
    assert Home(home).open_current().id == newer_release.id


def test_current_and_previous_are_kept_and_older_ones_go(
    repository: ReleaseRepository, home: Path, release: Release, newer_release: Release
) -> None:
    manifest = release.folder / MANIFEST_FILE
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    third = open_release(release.folder)
    for following in (newer_release, third):
        repository.publish(following, "production")
        pull(repository.url, home)
    assert {folder.name for folder in (home / "releases").iterdir()} == {third.id, newer_release.id}


def test_a_rollback_needs_no_download(
    repository: ReleaseRepository, home: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "production")
    pull(repository.url, home)
    repository.rollback("production", toy_release.id)
    assert pull(repository.url, home) == PullResult(toy_release.id, newer_release.id, changed=True)
    assert Home(home).open_current().id == toy_release.id


def test_channels_are_apart(
    repository: ReleaseRepository, home: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "staging")
    assert pull(repository.url, home).release == toy_release.id
    assert pull(repository.url, home, channel="staging").release == newer_release.id
    with pytest.raises(UpdateError, match="has no channel 'nightly'"):
        pull(repository.url, home, channel="nightly")
    with pytest.raises(UpdateError, match=r"channel '\.\./x' is not a name"):
        pull(repository.url, home, channel="../x")


@pytest.mark.parametrize("name", [MANIFEST_FILE, *FILES])
def test_pull_repairs_an_altered_installation(
    repository: ReleaseRepository, home: Path, toy_release: Release, name: str
) -> None:
    flip(Home(home).folder(toy_release.id) / name)
    with pytest.raises(ReleaseError, match=rf"{name}.*pull the release again"):
        Home(home).open_current()
    assert pull(repository.url, home).changed
    assert_untouched(home, toy_release)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"release": "../../etc", "previous": null}', b"[1]"])
def test_pull_repairs_a_damaged_pointer(
    repository: ReleaseRepository, home: Path, toy_release: Release, content: bytes
) -> None:
    (home / "current").write_bytes(content)
    with pytest.raises(ReleaseError, match="current is damaged: pull again"):
        Home(home).open_current()
    pull(repository.url, home)
    assert_untouched(home, toy_release)


# Trust: what a network, a bucket or a thief of one key may try.


def repository_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_altered_byte_in_any_file_of_the_repository_is_refused_by_name(
    repository: ReleaseRepository, tmp_path: Path, toy_release: Release
) -> None:
    base = Path(repository.url)
    # The first root and superseded metadata are never fetched: devices bring the root, the timestamp names the rest.
    asked = [name for name in repository_files(base) if not name.startswith("metadata/1.")]
    assert len(asked) == 3 + 1 + 1 + len(FILES)
    for number, name in enumerate(asked):
        good = (base / name).read_bytes()
        flip(base / name)
        home = tmp_path / f"home{number}"
        with pytest.raises(UpdateError) as caught:
            pull(repository.url, home, trusted_root=repository.root)
        assert Path(name).name in str(caught.value)
        assert Home(home).read_current() is None
        assert not list(Home(home).releases.iterdir())
        (base / name).write_bytes(good)
    assert pull(repository.url, tmp_path / "home", trusted_root=repository.root).release == toy_release.id


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "2.targets.json"])
def test_a_missing_file_of_the_repository_is_named(repository: ReleaseRepository, tmp_path: Path, name: str) -> None:
    (Path(repository.url) / "metadata" / name).unlink()
    with pytest.raises(UpdateError, match=rf"{name} does not exist"):
        pull(repository.url, tmp_path / "home", trusted_root=repository.root)


def test_an_expired_timestamp_stops_updates_and_not_identification(
    repository: ReleaseRepository, home: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "production")
    ReleaseRepository(repository.url, repository.keys, Expiries(timestamp=timedelta(seconds=-1))).refresh()
    with pytest.raises(UpdateError, match=r"has expired \(timestamp.json is expired\).*goes on answering"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)
    repository.refresh()
    assert pull(repository.url, home).release == newer_release.id


def test_an_older_state_played_again_is_refused(
    repository: ReleaseRepository, home: Path, newer_release: Release, tmp_path: Path
) -> None:
    shutil.copytree(repository.url, tmp_path / "old")
    repository.publish(newer_release, "production")
    pull(repository.url, home)
    with pytest.raises(UpdateError, match=r"timestamp\.json is not to be trusted"):
        pull(str(tmp_path / "old"), home)
    current = Home(home).read_current()
    assert current is not None
    assert current.release == newer_release.id


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_parts_of_two_states_do_not_mix(
    repository: ReleaseRepository, home: Path, toy_release: Release, newer_release: Release, role: str
) -> None:
    repository.publish(newer_release, "production")
    metadata = Path(repository.url) / "metadata"
    shutil.copyfile(metadata / f"2.{role}.json", metadata / f"3.{role}.json")
    with pytest.raises(UpdateError, match=rf"3\.{role}\.json is not to be trusted"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)


def test_another_publishers_signature_is_refused(
    repository: ReleaseRepository, home: Path, tmp_path: Path, toy_release: Release, newer_release: Release
) -> None:
    make_keys(tmp_path / "thief")
    (tmp_path / "thief/root.json").write_bytes(repository.root.read_bytes())
    state = repository._state()
    forged = make_timestamp(tmp_path / "thief", state.timestamp.version + 1, state.timestamp.snapshot_meta, Expiries())
    (Path(repository.url) / "metadata/timestamp.json").write_bytes(forged)
    with pytest.raises(UpdateError, match=r"timestamp\.json is not to be trusted \(timestamp was signed by 0/1 keys\)"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)


def test_endless_data_is_cut_off(repository: ReleaseRepository, home: Path, toy_release: Release) -> None:
    with (Path(repository.url) / "metadata/timestamp.json").open("ab") as file:
        file.truncate(10_000_000)
    with pytest.raises(UpdateError, match=r"timestamp\.json.* longer than 16384 bytes"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)


def test_a_device_without_a_root_trusts_nobody(repository: ReleaseRepository, tmp_path: Path) -> None:
    with pytest.raises(UpdateError, match=r"trusts no repository yet: give its root once with --root root\.json"):
        pull(repository.url, tmp_path / "home")


def test_another_root_is_refused(
    repository: ReleaseRepository, home: Path, tmp_path: Path, toy_release: Release
) -> None:
    make_keys(tmp_path / "other")
    (tmp_path / "other.json").write_bytes(make_root(tmp_path / "other", Expiries()))
    with pytest.raises(UpdateError, match=r"other\.json is not the root that"):
        pull(repository.url, home, trusted_root=tmp_path / "other.json")
    assert_untouched(home, toy_release)
    # On a device that trusts nobody yet the wrong root is refused too, and not kept.
    fresh = tmp_path / "fresh"
    with pytest.raises(UpdateError, match="not to be trusted"):
        pull(repository.url, fresh, trusted_root=tmp_path / "other.json")
    assert pull(repository.url, fresh, trusted_root=repository.root).release == toy_release.id


@pytest.mark.parametrize("content", [None, b"", b"{}", b"x" * 600_000])
def test_a_root_that_is_none_is_named(repository: ReleaseRepository, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "root.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UpdateError):
        pull(repository.url, tmp_path / "home", trusted_root=path)


def test_pointers_are_checked() -> None:
    good = {"release": "0" * 16, "manifest": f"releases/{'0' * 16}/release.json"}
    assert parse_pointer(json.dumps(good).encode(), "here") == "0" * 16
    for bad in (b"", b"[]", b"{}", b'{"release": "../..", "manifest": "x"}', json.dumps({**good, "manifest": "y"})):
        with pytest.raises(UpdateError, match="here is not a channel's pointer"):
            parse_pointer(bad if isinstance(bad, bytes) else bad.encode(), "here")
    with pytest.raises(UpdateError, match="is not a name"):
        channel_path("a/b")


# Releases that are signed and whole, and still wrong.


@pytest.fixture
def wrong(release: Release, repository: ReleaseRepository) -> Release:
    """A release whose golden embeddings are another model's, signed and published."""
    path = release.folder / GOLDEN_VECTORS_FILE
    np.save(path, -np.load(path))
    opened = open_release(release.folder, repin(release.folder))
    repository.publish(opened, "production")
    return opened


def test_a_release_with_wrong_answers_is_refused_and_remembered(
    repository: ReleaseRepository, home: Path, toy_release: Release, wrong: Release
) -> None:
    with pytest.raises(ReleaseError, match="gives other answers than it was built with"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)
    assert list(Home(home).bad()) == [wrong.id]
    assert not list(Home(home).incoming.glob("*/*"))
    with pytest.raises(UpdateError, match=rf"{wrong.id} was refused on this device before .*--retry"):
        pull(repository.url, home)
    with pytest.raises(ReleaseError, match="gives other answers"):
        pull(repository.url, home, retry=True)
    assert list(Home(home).bad()) == [wrong.id]


def test_a_good_release_after_a_bad_one_is_installed(
    repository: ReleaseRepository, home: Path, wrong: Release, newer_release: Release
) -> None:
    with pytest.raises(ReleaseError):
        pull(repository.url, home)
    repository.publish(newer_release, "production")
    assert pull(repository.url, home).release == newer_release.id


# A machine that is not as it should be.


def test_two_pulls_at_once_do_not_meet(repository: ReleaseRepository, home: Path) -> None:
    with Home(home).lock(), pytest.raises(UpdateError, match="another pull is running"):
        pull(repository.url, home)
    pull(repository.url, home)


def test_an_unreachable_repository_is_an_error_of_one_sentence(
    home: Path, tmp_path: Path, toy_release: Release
) -> None:
    for repository in (str(tmp_path / "nothing"), "http://127.0.0.1:9/releases", "http://nowhere.invalid/"):
        with pytest.raises(UpdateError) as caught:
            pull(repository, home)
        assert "\n" not in str(caught.value)
        assert_untouched(home, toy_release)
    with pytest.raises(EdgeError, match="neither a folder nor a"):
        pull("ftp://example.invalid/releases", home)


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
    repository: ReleaseRepository, small_disk: Path, toy_release: Release, newer_release: Release, spare: int
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
    repository: ReleaseRepository, small_disk: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "production")
    (small_disk / "large").write_bytes(bytes(2_500_000))
    with pytest.raises(UpdateError, match="is full"):
        pull(repository.url, small_disk / "home")
    assert_untouched(small_disk / "home", toy_release)
