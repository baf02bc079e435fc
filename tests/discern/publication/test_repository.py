from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import pytest
from tuf.api.metadata import Metadata, Root, Targets, Timestamp

from discern.errors import PublicationError
from discern.publication.metadata import Expiries
from discern.publication.repository import STALE, ReleaseRepository
from edge_runtime.core.release import FILES, MODEL_FILE, Release, open_release
from edge_runtime.device.repository_paths import make_pointer
from edge_runtime.device.updates import pull
from tests.edge_runtime.toy_release import flip
from tests.edge_runtime.toy_repository import ToyRepository


def files(repository: ReleaseRepository) -> dict[str, bytes]:
    base = Path(repository.url)
    return {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}


def test_initialising_again_changes_nothing(repository: ReleaseRepository) -> None:
    before = files(repository)
    assert set(before) == {f"metadata/{name}" for name in ("1.root.json", "1.targets.json", "1.snapshot.json")} | {
        "metadata/timestamp.json"
    }
    repository.initialise()
    assert files(repository) == before


@pytest.mark.parametrize("lost", ["metadata/timestamp.json", "metadata/1.root.json"])
def test_an_interrupted_initialisation_goes_on(repository: ReleaseRepository, lost: str) -> None:
    for name in files(repository):
        if name == lost or lost.endswith("root.json"):
            (Path(repository.url) / name).unlink()
    if "timestamp" in lost:  # metadata that never went live, from a while ago
        for name in files(repository):
            os.utime(Path(repository.url) / name, (time.time() - 2 * STALE,) * 2)
    repository.initialise()
    assert repository.releases() == []


def test_roots_have_four_keys_and_end_sensibly(repository: ReleaseRepository) -> None:
    root = Metadata[Root].from_file(str(repository.root)).signed
    assert root.consistent_snapshot
    assert len({root.roles[role].keyids[0] for role in ("root", "targets", "snapshot", "timestamp")}) == 4
    timestamp = Metadata[Timestamp].from_bytes(files(repository)["metadata/timestamp.json"]).signed
    left = timestamp.expires - datetime.now(timezone.utc)
    assert timedelta(days=29) < left <= timedelta(days=30)


def test_publish_list_and_current(repository: ReleaseRepository, toy_release: Release, newer_release: Release) -> None:
    assert repository.current("production") is None
    repository.publish(toy_release, "production")
    repository.publish(newer_release, "staging")
    assert repository.current("production") == toy_release.id
    assert repository.current("staging") == newer_release.id
    assert {release.id: release.channels for release in repository.releases()} == {
        toy_release.id: ("production",),
        newer_release.id: ("staging",),
    }
    assert {release.name for release in repository.releases()} == {"squares", "squares and orange"}


def test_publishing_the_same_again_changes_nothing(repository: ReleaseRepository, toy_release: Release) -> None:
    repository.publish(toy_release, "production")
    before = files(repository)
    repository.publish(toy_release, "production")
    assert files(repository) == before


def test_what_releases_share_is_stored_once(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(toy_release, "production")
    repository.publish(newer_release, "production")
    models = [name for name in files(repository) if name.endswith(MODEL_FILE)]
    assert len(models) == 1


def test_only_the_timestamp_is_ever_written_over(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(toy_release, "production")
    before = files(repository)
    repository.publish(newer_release, "production")
    repository.rollback("production", toy_release.id)
    repository.refresh()
    after = files(repository)
    assert {name for name, data in before.items() if after.get(name) != data} == {"metadata/timestamp.json"}


def test_a_release_goes_live_with_the_timestamp_alone(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, tmp_path: Path
) -> None:
    """A device that comes while the publisher has written all but the timestamp sees the state before, whole."""
    repository.publish(toy_release, "production")
    timestamp = Path(repository.url) / "metadata/timestamp.json"
    before = timestamp.read_bytes()
    repository.publish(newer_release, "production")
    after = timestamp.read_bytes()
    timestamp.write_bytes(before)
    assert pull(repository.url, tmp_path / "home", trusted_root=Path(repository.root)).release == toy_release.id
    timestamp.write_bytes(after)
    assert pull(repository.url, tmp_path / "home").release == newer_release.id


def test_a_rollback_is_a_newer_state(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(toy_release, "production")
    repository.publish(newer_release, "production")
    version = repository._state().timestamp.version
    repository.rollback("production", toy_release.id)
    assert repository.current("production") == toy_release.id
    assert repository._state().timestamp.version == version + 1
    with pytest.raises(PublicationError, match="0000000000000000 is not in"):
        repository.rollback("production", "0" * 16)


def test_refresh_signs_the_targets_again_before_they_run_out(
    repository: ReleaseRepository, toy_release: Release, tmp_path: Path
) -> None:
    repository.publish(toy_release, "production")
    repository.refresh()
    assert repository._state().targets.version == 2
    short = ReleaseRepository(repository.url, repository.keys, Expiries(targets=timedelta(days=5 * 365)))
    short.refresh()
    assert short._state().targets.version == 3
    assert pull(repository.url, tmp_path / "home", trusted_root=Path(repository.root)).release == toy_release.id


def test_fetch_brings_a_release_back(repository: ReleaseRepository, toy_release: Release, tmp_path: Path) -> None:
    repository.publish(toy_release, "production")
    fetched = repository.fetch(toy_release.id, tmp_path / "in" / "fetched")
    assert fetched.manifest == toy_release.manifest
    with pytest.raises(PublicationError, match="exists already"):
        repository.fetch(toy_release.id, tmp_path / "in" / "fetched")
    with pytest.raises(PublicationError, match=r"0000000000000000/release\.json is not in"):
        repository.fetch("0" * 16, tmp_path / "other")
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["fetched"]


def test_an_altered_file_is_found_when_fetched_and_mended_by_publishing(
    repository: ReleaseRepository, toy_release: Release, tmp_path: Path
) -> None:
    repository.publish(toy_release, "production")
    (model,) = Path(repository.url).rglob(f"*.{MODEL_FILE}")
    flip(model)
    with pytest.raises(PublicationError, match=r"model\.onnx was altered"):
        repository.fetch(toy_release.id, tmp_path / "fetched")
    model.unlink()
    with pytest.raises(PublicationError, match=r"model\.onnx is missing: publish the release again"):
        repository.fetch(toy_release.id, tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()
    repository.publish(toy_release, "production")
    assert repository.fetch(toy_release.id, tmp_path / "fetched").id == toy_release.id


@pytest.mark.parametrize("name", FILES)
def test_an_altered_release_is_not_published(
    repository: ReleaseRepository, toy_release: Release, tmp_path: Path, name: str
) -> None:
    shutil.copytree(toy_release.folder, tmp_path / "release")
    release = open_release(tmp_path / "release")
    flip(release.folder / name)
    before = files(repository)
    with pytest.raises(PublicationError, match=rf"{name} was altered"):
        repository.publish(release, "production")
    assert files(repository) == before


def test_an_altered_pointer_is_not_followed(repository: ReleaseRepository, toy_release: Release) -> None:
    """Promotion compares with the release that the channel names."""
    repository.publish(toy_release, "production")
    (pointer,) = Path(repository.url).rglob("*.production.json")
    pointer.write_bytes(make_pointer("0" * 16))
    with pytest.raises(PublicationError, match=r"production\.json was altered: publish the release again"):
        repository.current("production")
    with pytest.raises(PublicationError, match=r"production\.json was altered"):
        repository.releases()


def test_publishing_again_mends_a_file_that_was_altered_at_equal_length(
    repository: ReleaseRepository, toy_release: Release, tmp_path: Path
) -> None:
    repository.publish(toy_release, "production")
    before = files(repository)
    (model,) = Path(repository.url).rglob(f"*.{MODEL_FILE}")
    flip(model)
    repository.publish(toy_release, "production")
    assert files(repository) == before
    assert pull(repository.url, tmp_path / "home", trusted_root=Path(repository.root)).release == toy_release.id


def test_a_release_is_laid_out_as_the_devices_tests_have_it(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, tmp_path: Path
) -> None:
    """The device is tested by repositories of a writer of its own: both must stay the same."""
    toy = ToyRepository.create(tmp_path / "toy")
    for publisher in (repository, toy):
        publisher.publish(toy_release, "production")
        publisher.publish(newer_release, "production")
        publisher.rollback("production", toy_release.id)
    base = Path(toy.url)
    written = {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}
    published = files(repository)
    assert set(published) == set(written)
    for name, data in written.items():
        if name.startswith("targets/"):
            assert published[name] == data


# Several publishers, and those who should not be one.


def test_a_publisher_that_was_overtaken_writes_nothing_over(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its first look and its timestamp another one went live; it skips their files as left over."""
    slow = ReleaseRepository(repository.url, repository.keys)
    state = slow._state()
    repository.publish(newer_release, "production")
    live = files(repository)
    monkeypatch.setattr(slow, "_state", lambda: state)
    monkeypatch.setattr(slow._storage, "age", lambda _name: STALE + 1)
    with pytest.raises(PublicationError, match="another publisher is changing"):
        slow.publish(toy_release, "production")
    metadata = {name: data for name, data in files(repository).items() if name.startswith("metadata/")}
    assert metadata == {name: data for name, data in live.items() if name.startswith("metadata/")}
    assert repository.current("production") == newer_release.id


def test_of_publishers_at_once_the_losers_hear_it_and_nothing_is_lost(
    repository: ReleaseRepository, toy_release: Release, tmp_path: Path
) -> None:
    def publish(number: int) -> str:
        try:
            ReleaseRepository(repository.url, repository.keys).publish(toy_release, f"channel{number}")
        except PublicationError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(6) as pool:
        errors = list(pool.map(publish, range(6)))
    won = [not error for error in errors]
    assert any(won)
    assert all("another publisher is changing" in error for error in errors if error)
    named = [repository.current(f"channel{number}") for number in range(6)]
    assert [name is not None for name in named] == won
    for number in range(6):
        repository.publish(toy_release, f"channel{number}")
    assert {repository.current(f"channel{number}") for number in range(6)} == {toy_release.id}
    home = tmp_path / "home"
    assert pull(repository.url, home, "channel5", trusted_root=Path(repository.root)).release == toy_release.id


@pytest.mark.parametrize("role", ["targets", "snapshot"])
def test_a_publisher_that_died_blocks_the_next_one_for_a_while_only(
    repository: ReleaseRepository, toy_release: Release, tmp_path: Path, role: str
) -> None:
    orphan = Path(repository.url) / f"metadata/2.{role}.json"
    orphan.write_bytes(b"half a fi")
    with pytest.raises(PublicationError, match=r"another publisher .* in 10 minutes"):
        repository.publish(toy_release, "production")
    assert repository.current("production") is None
    os.utime(orphan, (time.time() - STALE - 60,) * 2)
    repository.publish(toy_release, "production")
    assert repository.current("production") == toy_release.id
    assert pull(repository.url, tmp_path / "home", trusted_root=Path(repository.root)).release == toy_release.id


def test_what_others_signed_is_not_built_on(
    repository: ReleaseRepository, toy_release: Release, tmp_path: Path
) -> None:
    thief = ReleaseRepository(str(tmp_path / "thief"), tmp_path / "thief-keys")
    thief.initialise()
    shutil.copytree(Path(thief.url) / "metadata", Path(repository.url) / "metadata", dirs_exist_ok=True)
    with pytest.raises(PublicationError, match="not what these keys signed"):
        repository.publish(toy_release, "production")
    with pytest.raises(PublicationError, match="was made with other keys"):
        repository.initialise()


@pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "1.targets.json"])
def test_altered_or_missing_metadata_stops_the_publisher(
    repository: ReleaseRepository, toy_release: Release, name: str
) -> None:
    path = Path(repository.url) / "metadata" / name
    flip(path)
    with pytest.raises(PublicationError, match="not what these keys signed"):
        repository.publish(toy_release, "production")
    path.unlink()
    with pytest.raises(PublicationError, match=r"missing: restore|not a repository yet"):
        repository.publish(toy_release, "production")


def test_without_keys_or_repository_it_says_what_to_run(tmp_path: Path, repository: ReleaseRepository) -> None:
    with pytest.raises(PublicationError, match=r"root\.json cannot be read .* run `discern release init`"):
        ReleaseRepository(repository.url, tmp_path / "nothing").current("production")
    with pytest.raises(PublicationError, match="is not a repository yet: run"):
        ReleaseRepository(str(tmp_path / "nothing"), repository.keys).current("production")
    Path(repository.root).unlink()
    with pytest.raises(PublicationError, match=r"root\.json is missing although"):
        repository.initialise()


def test_expiry_is_the_devices_matter(repository: ReleaseRepository, toy_release: Release) -> None:
    ReleaseRepository(repository.url, repository.keys, Expiries(timestamp=timedelta(seconds=-1))).refresh()
    repository.publish(toy_release, "production")
    assert repository.current("production") == toy_release.id


def test_targets_say_length_and_hash(repository: ReleaseRepository, toy_release: Release) -> None:
    repository.publish(toy_release, "production")
    targets = Metadata[Targets].from_bytes(files(repository)["metadata/2.targets.json"]).signed.targets
    assert len(targets) == len(FILES) + 2
    for name, entry in toy_release.manifest.files.items():
        target = targets[f"files/{entry.sha256}/{name}"]
        assert (target.length, target.hashes) == (entry.bytes, {"sha256": entry.sha256})


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/sys").exists(), reason="needs a read-only place")
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PublicationError, match="cannot be read or written") as caught:
        ReleaseRepository("/proc/sys/nothing", tmp_path / "keys").initialise()
    assert "\n" not in str(caught.value)


def test_publish_and_pull_through_a_bucket(
    s3_environment: str, tmp_path: Path, toy_release: Release, newer_release: Release
) -> None:
    boto3.session.Session().client("s3").create_bucket(Bucket="publication-tests")
    url = f"s3://publication-tests/{tmp_path.name}"
    repository = ReleaseRepository(url, tmp_path / "keys")
    repository.initialise()
    repository.initialise()
    repository.publish(toy_release, "production")
    home = tmp_path / "home"
    assert pull(url, home, trusted_root=Path(repository.root)).release == toy_release.id
    repository.publish(newer_release, "production")
    assert pull(url, home).release == newer_release.id
    repository.rollback("production", toy_release.id)
    assert pull(url, home).release == toy_release.id
    assert {release.id for release in repository.releases()} == {toy_release.id, newer_release.id}
    assert repository.fetch(newer_release.id, tmp_path / "fetched").id == newer_release.id


def test_an_address_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(PublicationError, match="nonsense://x cannot be opened"):
        ReleaseRepository("nonsense://x", tmp_path / "keys")


def test_a_publisher_needs_no_folder_of_its_own(s3_environment: str, toy_release: Release, tmp_path: Path) -> None:
    boto3.client("s3").create_bucket(Bucket="shop")
    repository = ReleaseRepository("s3://shop/releases", "s3://shop/keys")
    for _ in range(2):
        repository.initialise()
    assert repository.root == "s3://shop/keys/root.json"
    repository.publish(toy_release, "production")
    root = tmp_path / "root.json"
    boto3.client("s3").download_file("shop", "keys/root.json", str(root))
    assert pull(repository.url, tmp_path / "home", trusted_root=root).release == toy_release.id
    with pytest.raises(PublicationError, match=r"^s3://shop/other/root\.json cannot be read .*`discern rel"):
        ReleaseRepository("s3://shop/releases", "s3://shop/other").current("production")
