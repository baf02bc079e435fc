"""Trust: what a network, a bucket or a thief of one key may try."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from tuf.api.metadata import Metadata, Root

from edge_runtime.core.release import FILES, MANIFEST_FILE, Release
from edge_runtime.device import repository_client
from edge_runtime.device.home import Home
from edge_runtime.device.repository_paths import channel_path, manifest_path
from edge_runtime.device.updates import pull
from edge_runtime.errors import EdgeError, UpdateError
from tests.edge_runtime.homes import assert_untouched
from tests.edge_runtime.toy_release import flip
from tests.edge_runtime.toy_repository import ToyRepository, make_root, make_signers, signed


def repository_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_altered_byte_in_any_file_of_the_repository_is_refused_by_name(
    repository: ToyRepository, tmp_path: Path, toy_release: Release
) -> None:
    base = Path(repository.url)
    # The first root and superseded metadata are never fetched: devices bring the root, the timestamp names the rest.
    fetched = [name for name in repository_files(base) if not name.startswith("metadata/1.")]
    assert len(fetched) == 3 + 1 + 1 + len(FILES)
    for number, name in enumerate(fetched):
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
def test_a_missing_file_of_the_repository_is_named(repository: ToyRepository, tmp_path: Path, name: str) -> None:
    (Path(repository.url) / "metadata" / name).unlink()
    with pytest.raises(UpdateError, match=rf"{name} does not exist"):
        pull(repository.url, tmp_path / "home", trusted_root=repository.root)


def test_an_expired_timestamp_stops_updates_and_not_identification(
    repository: ToyRepository, home: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "production")
    repository.commit(expires_in=timedelta(seconds=-1))
    with pytest.raises(UpdateError, match=r"has expired \(timestamp.json is expired\).*goes on answering"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)
    repository.commit()
    assert pull(repository.url, home).release == newer_release.id


def test_an_older_state_played_again_is_refused(
    repository: ToyRepository, home: Path, newer_release: Release, tmp_path: Path
) -> None:
    shutil.copytree(repository.url, tmp_path / "old")
    repository.publish(newer_release, "production")
    pull(repository.url, home)
    with pytest.raises(
        UpdateError, match=r"timestamp\.json is not to be trusted .*: it is older than what this"
    ) as caught:
        pull(str(tmp_path / "old"), home)
    assert "pull again later; the installed release goes on answering." in str(caught.value)
    assert "publish" not in str(caught.value)
    current = Home(home).read_current()
    assert current is not None
    assert current.release == newer_release.id


def test_a_copy_that_is_behind_is_asked_once_more(
    repository: ToyRepository, home: Path, newer_release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(repository.url, tmp_path / "copy")
    repository.publish(newer_release, "production")
    repository.commit()
    pull(repository.url, home)

    def catch_up(_seconds: float) -> None:
        shutil.copytree(repository.url, tmp_path / "copy", dirs_exist_ok=True)

    monkeypatch.setattr(repository_client, "time", SimpleNamespace(sleep=catch_up))
    assert pull(str(tmp_path / "copy"), home).release == newer_release.id


def test_a_channel_that_is_not_there_names_those_that_are(
    repository: ToyRepository, home: Path, newer_release: Release
) -> None:
    repository.publish(newer_release, "staging")
    repository.commit()
    with pytest.raises(UpdateError, match="has no channel 'prod', but production, staging: name one of them with"):
        pull(repository.url, home, "prod")


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_parts_of_two_states_do_not_mix(
    repository: ToyRepository, home: Path, toy_release: Release, newer_release: Release, role: str
) -> None:
    repository.publish(newer_release, "production")
    metadata = Path(repository.url) / "metadata"
    shutil.copyfile(metadata / f"2.{role}.json", metadata / f"3.{role}.json")
    with pytest.raises(UpdateError, match=rf"3\.{role}\.json is not to be trusted"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)


def test_another_publishers_signature_is_refused(repository: ToyRepository, home: Path, toy_release: Release) -> None:
    repository.forge_timestamp(make_signers())
    with pytest.raises(UpdateError, match=r"timestamp\.json is not to be trusted \(timestamp was signed by 0/1 keys\)"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)


def test_endless_data_is_cut_off(repository: ToyRepository, home: Path, toy_release: Release) -> None:
    with (Path(repository.url) / "metadata/timestamp.json").open("ab") as file:
        file.truncate(10_000_000)
    with pytest.raises(UpdateError, match=r"timestamp\.json.* longer than 16384 bytes"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)


def test_a_device_without_a_root_trusts_nobody(repository: ToyRepository, tmp_path: Path) -> None:
    with pytest.raises(UpdateError, match=r"trusts no repository yet: give its root once with --root root\.json"):
        pull(repository.url, tmp_path / "home")


def test_another_root_is_refused(repository: ToyRepository, home: Path, tmp_path: Path, toy_release: Release) -> None:
    (tmp_path / "other.json").write_bytes(make_root(make_signers()))
    with pytest.raises(UpdateError, match=r"other\.json is not the root that"):
        pull(repository.url, home, trusted_root=tmp_path / "other.json")
    # A later root counts only where the one that is trusted leads to it.
    others = make_signers()
    later = Metadata[Root].from_bytes(make_root(others)).signed
    later.version = 2
    (tmp_path / "later.json").write_bytes(signed(others, later))
    with pytest.raises(UpdateError, match=r"later\.json is not the root that"):
        pull(repository.url, home, trusted_root=tmp_path / "later.json")
    assert_untouched(home, toy_release)
    # On a device that trusts nobody yet the wrong root is refused too, and not kept.
    fresh = tmp_path / "fresh"
    with pytest.raises(UpdateError, match="not to be trusted"):
        pull(repository.url, fresh, trusted_root=tmp_path / "other.json")
    assert pull(repository.url, fresh, trusted_root=repository.root).release == toy_release.id


@pytest.mark.parametrize("content", [None, b"", b"{}", b"x" * 600_000])
def test_a_root_that_is_none_is_named(repository: ToyRepository, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "root.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UpdateError):
        pull(repository.url, tmp_path / "home", trusted_root=path)


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


def test_a_manifest_of_another_release_is_refused(
    repository: ToyRepository, home: Path, toy_release: Release, newer_release: Release
) -> None:
    """Signed by a publisher who mixed two releases up."""
    repository.add(manifest_path(newer_release.id), (toy_release.folder / MANIFEST_FILE).read_bytes())
    repository.rollback("production", newer_release.id)
    with pytest.raises(UpdateError, match=rf"release\.json is not the manifest of release {newer_release.id}"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)


def test_a_pointer_of_endless_length_is_not_fetched(
    repository: ToyRepository, home: Path, toy_release: Release
) -> None:
    repository.add(channel_path("production"), b" " * 5_000)
    repository.commit()
    with pytest.raises(UpdateError, match=r"channels/production\.json in .* is larger than 4,096 bytes"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)


def test_a_release_whose_manifest_was_not_published_is_named(
    repository: ToyRepository, home: Path, toy_release: Release, newer_release: Release
) -> None:
    repository.rollback("production", newer_release.id)
    with pytest.raises(UpdateError, match=rf"releases/{newer_release.id}/release\.json is not in .*: publish the"):
        pull(repository.url, home)
    assert_untouched(home, toy_release)
