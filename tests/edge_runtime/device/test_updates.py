from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.core.release import FILES, GOLDEN_VECTORS_FILE, MANIFEST_FILE, MODEL_FILE, Release, open_release
from edge_runtime.device.home import Current, Home
from edge_runtime.device.updates import PullResult, pull
from edge_runtime.errors import ReleaseError, UpdateError
from tests.edge_runtime.homes import assert_untouched
from tests.edge_runtime.toy_release import flip, repin
from tests.edge_runtime.toy_repository import ToyRepository


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_first_pull_installs(repository: ToyRepository, tmp_path: Path, toy_release: Release) -> None:
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


def test_nothing_new_changes_nothing(repository: ToyRepository, home: Path, toy_release: Release) -> None:
    before = tree(home / "releases")
    assert pull(repository.url, home) == PullResult(toy_release.id, None, changed=False)
    assert tree(home / "releases") == before


def test_an_index_only_release_fetches_only_what_changed(
    repository: ToyRepository, home: Path, toy_release: Release, newer_release: Release
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
    repository: ToyRepository, home: Path, toy_release: Release, newer_release: Release
) -> None:
    flip(Home(home).folder(toy_release.id) / MODEL_FILE)
    repository.publish(newer_release, "production")
    pull(repository.url, home)
    assert Home(home).open_current().id == newer_release.id


def test_current_and_previous_are_kept_and_older_ones_go(
    repository: ToyRepository, home: Path, release: Release, newer_release: Release
) -> None:
    manifest = release.folder / MANIFEST_FILE
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    third = open_release(release.folder)
    for following in (newer_release, third):
        repository.publish(following, "production")
        pull(repository.url, home)
    assert {folder.name for folder in (home / "releases").iterdir()} == {third.id, newer_release.id}


def test_repairing_the_current_release_keeps_the_one_before(
    repository: ToyRepository, home: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "production")
    pull(repository.url, home)
    flip(Home(home).folder(newer_release.id) / MODEL_FILE)
    assert pull(repository.url, home).previous == toy_release.id
    assert Home(home).read_current() == Current(newer_release.id, toy_release.id)
    assert {folder.name for folder in (home / "releases").iterdir()} == {toy_release.id, newer_release.id}


def test_a_rollback_needs_no_download(
    repository: ToyRepository, home: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "production")
    pull(repository.url, home)
    repository.rollback("production", toy_release.id)
    assert pull(repository.url, home) == PullResult(toy_release.id, newer_release.id, changed=True)
    assert Home(home).open_current().id == toy_release.id


def test_channels_are_apart(
    repository: ToyRepository, home: Path, toy_release: Release, newer_release: Release
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
    repository: ToyRepository, home: Path, toy_release: Release, name: str
) -> None:
    flip(Home(home).folder(toy_release.id) / name)
    with pytest.raises(ReleaseError, match=rf"{name}.*pull the release again"):
        Home(home).open_current()
    assert pull(repository.url, home).changed
    assert_untouched(home, toy_release)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"release": "../../etc", "previous": null}', b"[1]"])
def test_pull_repairs_a_damaged_pointer(
    repository: ToyRepository, home: Path, toy_release: Release, content: bytes
) -> None:
    (home / "current").write_bytes(content)
    with pytest.raises(ReleaseError, match="current is damaged: pull again"):
        Home(home).open_current()
    pull(repository.url, home)
    assert_untouched(home, toy_release)


def test_two_pulls_at_once_do_not_meet(repository: ToyRepository, home: Path) -> None:
    with Home(home).lock(), pytest.raises(UpdateError, match="another pull is running"):
        pull(repository.url, home)
    pull(repository.url, home)


# Releases that are signed and whole, and still wrong.


@pytest.fixture
def wrong(release: Release, repository: ToyRepository) -> Release:
    """A release whose golden embeddings are another model's, signed and published."""
    path = release.folder / GOLDEN_VECTORS_FILE
    np.save(path, -np.load(path))
    opened = open_release(release.folder, repin(release.folder))
    repository.publish(opened, "production")
    return opened


def test_a_release_with_wrong_answers_is_refused_and_remembered(
    repository: ToyRepository, home: Path, toy_release: Release, wrong: Release
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
    repository: ToyRepository, home: Path, wrong: Release, newer_release: Release
) -> None:
    with pytest.raises(ReleaseError):
        pull(repository.url, home)
    repository.publish(newer_release, "production")
    assert pull(repository.url, home).release == newer_release.id
