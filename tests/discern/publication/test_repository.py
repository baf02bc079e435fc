from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import pytest
from s3fs import S3FileSystem
from tuf.api.metadata import Metadata, Root, Timestamp

from discern.errors import PublicationError
from discern.publication.catalogue import Catalogue, Change
from discern.publication.metadata import Expiries
from discern.publication.repair import repair
from discern.publication.repository import ReleaseRepository
from discern.publication.rotation import renew_root
from edge_runtime.core.release import ENROLMENT_FILE, FILES, MODEL_FILE, Release, open_release
from edge_runtime.device.repository_paths import make_pointer
from edge_runtime.device.updates import pull
from tests.discern.publication.conftest import Pull
from tests.edge_runtime.toy_release import file_entry, flip, read_manifest, write_manifest
from tests.edge_runtime.toy_repository import ToyRepository
from tests.proxies import Proxy


def files(repository: ReleaseRepository) -> dict[str, bytes]:
    base = Path(repository.url)
    return {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}


def kinds(repository: ReleaseRepository) -> list[str]:
    """The metadata files, without their versions."""
    return sorted(
        name.split("/")[1].lstrip("0123456789.") for name in files(repository) if name.startswith("metadata/")
    )


def test_initialising_again_changes_nothing(repository: ReleaseRepository) -> None:
    before = files(repository)
    assert kinds(repository) == ["lock", "root.json", "snapshot.json", "targets.json", "timestamp.json"]
    repository.initialise()
    assert files(repository) == before


@pytest.mark.parametrize("kept", [[], ["1.root.json"], ["1.root.json", "targets.json"]])
def test_an_interrupted_initialisation_goes_on(repository: ReleaseRepository, kept: list[str]) -> None:
    for name in files(repository):
        if not any(name.endswith(end) for end in kept):
            (Path(repository.url) / name).unlink()
    repository.initialise()
    assert repository.releases() == []


def test_initialising_keeps_copies_of_the_roots_beside_the_keys(repository: ReleaseRepository) -> None:
    copy = Path(repository.keys) / "1.root.json"  # repositories of before have none
    copy.unlink()
    repository.initialise()
    assert copy.read_bytes() == Path(repository.root).read_bytes()


def test_no_sentence_leads_to_an_empty_catalogue(repository: ReleaseRepository, toy_release: Release) -> None:
    """Without its timestamp a repository is not made anew: what every command says is to repair it."""
    repository.publish(toy_release, "production")
    (Path(repository.url) / "metadata/timestamp.json").unlink()
    before = files(repository)
    for command in (repository.initialise, repository.refresh, lambda: repository.publish(toy_release, "production")):
        with pytest.raises(PublicationError, match=r"timestamp\.json is missing: run `discern release repair`"):
            command()
    assert files(repository) == before


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
@pytest.mark.parametrize("fault", ["wrong", "missing", "damaged"])
def test_a_key_that_does_not_fit_changes_nothing(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, role: str, fault: str
) -> None:
    repository.publish(toy_release, "production")
    before = files(repository)
    key = Path(repository.keys) / f"{role}.pem"
    right = key.read_bytes()
    key.unlink()
    if fault == "wrong":
        key.write_bytes((Path(repository.keys) / "root.pem").read_bytes())
    elif fault == "damaged":
        key.write_bytes(right[:50])
    if key.exists():
        key.chmod(0o600)
    with pytest.raises(PublicationError, match=rf"{role}\.pem") as caught:
        repository.publish(newer_release, "production")
    assert "\n" not in str(caught.value)
    assert files(repository) == before
    key.write_bytes(right)
    key.chmod(0o600)
    repository.publish(newer_release, "production")
    assert repository.current("production") == newer_release.id


def test_all_keys_that_do_not_fit_are_told_at_once(repository: ReleaseRepository) -> None:
    for role in ("targets", "timestamp"):
        (Path(repository.keys) / f"{role}.pem").unlink()
    with pytest.raises(PublicationError, match=r"targets\.pem cannot.* .*timestamp\.pem cannot"):
        Change(Catalogue(repository.store, repository.store.state()))


def test_nothing_is_signed_under_an_expired_root(tmp_path: Path, toy_release: Release) -> None:
    expired = ReleaseRepository(str(tmp_path / "r"), tmp_path / "keys", Expiries(root=timedelta(seconds=-1)))
    with pytest.raises(PublicationError, match=r"root 1 expired on .*: run `discern release renew-root`"):
        expired.initialise()
    assert not (tmp_path / "r/metadata/timestamp.json").exists()
    renew_root(ReleaseRepository(expired.url, expired.keys).store)
    expired.initialise()
    expired.publish(toy_release, "production")
    assert pull(expired.url, tmp_path / "home", trusted_root=Path(expired.root)).release == toy_release.id


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
    assert {release.name for release in repository.releases()} == {"squares"}


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
    repository.rollback("production", toy_release.id, "Ada", "a test")
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
    version = repository.store.state().timestamp.version
    repository.rollback("production", toy_release.id, "Ada", "a test")
    assert repository.current("production") == toy_release.id
    assert repository.store.state().timestamp.version > version
    with pytest.raises(PublicationError, match="0000000000000000 is not in"):
        repository.rollback("production", "0" * 16, "Ada", "a test")


def test_refresh_signs_all_anew(repository: ReleaseRepository, toy_release: Release, tmp_path: Path) -> None:
    repository.publish(toy_release, "production")
    before = repository.store.state()
    repository.refresh()
    after = repository.store.state()
    assert after.targets.version > before.targets.version
    assert after.targets.targets == before.targets.targets
    assert pull(repository.url, tmp_path / "home", trusted_root=Path(repository.root)).release == toy_release.id


def test_a_schedule_refreshes_without_the_key_of_targets_for_half_of_its_time(
    repository: ReleaseRepository, toy_release: Release, tmp_path: Path
) -> None:
    repository.publish(toy_release, "production")
    (Path(repository.keys) / "targets.pem").unlink()
    before = repository.store.state().targets.version
    repository.refresh()
    assert repository.store.state().targets.version == before
    assert pull(repository.url, tmp_path / "home", trusted_root=Path(repository.root)).release == toy_release.id
    short = ReleaseRepository(repository.url, repository.keys, Expiries(targets=timedelta(days=5 * 365)))
    with pytest.raises(PublicationError, match=r"targets\.pem cannot be read"):
        short.refresh()


def test_a_repository_of_an_older_backup_is_believed_again_after_one_change(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, tmp_path: Path
) -> None:
    repository.publish(toy_release, "production")
    backup = files(repository)
    repository.publish(newer_release, "production")
    home = tmp_path / "home"
    assert pull(repository.url, home, trusted_root=Path(repository.root)).release == newer_release.id
    shutil.rmtree(repository.url)
    for name, data in backup.items():
        (Path(repository.url) / name).parent.mkdir(parents=True, exist_ok=True)
        (Path(repository.url) / name).write_bytes(data)
    repository.refresh()
    assert pull(repository.url, home).release == toy_release.id


def test_a_repository_of_counted_versions_goes_on(
    repository: ReleaseRepository, toy_release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(repository.url)
    with monkeypatch.context() as counted:
        counted.setattr("discern.publication.store.next_version", lambda previous: previous + 1)
        repository.initialise()
        repository.publish(toy_release, "staging")
    assert repository.store.state().version == 2
    home = tmp_path / "home"
    pull(repository.url, home, "staging", trusted_root=Path(repository.root))
    repository.publish(toy_release, "production")
    assert repository.store.state().version > 10**15
    assert pull(repository.url, home).release == toy_release.id


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
    repository.rollback("production", toy_release.id, "Ada", "a test")
    toy.rollback("production", toy_release.id)
    base = Path(toy.url)
    written = {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}
    published = {
        name: data
        for name, data in files(repository).items()
        if name.startswith("targets/") and not name.endswith("history.json")
    }
    assert published == {name: data for name, data in written.items() if name.startswith("targets/")}


# Several publishers, and those who should not be one.


def test_a_publisher_that_was_overtaken_changes_nothing(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its first look and its timestamp another one went live."""
    slow = ReleaseRepository(repository.url, repository.keys)
    state = slow.store.state()
    repository.publish(newer_release, "production")
    live = files(repository)
    monkeypatch.setattr(slow.store, "state", lambda: state)
    with pytest.raises(
        PublicationError, match=r"another publisher changed .* nothing of this change is visible: run it"
    ):
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
    assert all("another publisher changed" in error for error in errors if error)
    named = [repository.current(f"channel{number}") for number in range(6)]
    assert [name is not None for name in named] == won
    for number in range(6):
        repository.publish(toy_release, f"channel{number}")
    assert {repository.current(f"channel{number}") for number in range(6)} == {toy_release.id}
    home = tmp_path / "home"
    assert pull(repository.url, home, "channel5", trusted_root=Path(repository.root)).release == toy_release.id


def test_a_release_is_published_only_over_the_one_that_it_was_judged_against(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(toy_release, "production", expected=None)
    before = files(repository)
    for expected in (None, "0" * 16):
        with pytest.raises(PublicationError, match=rf"names {toy_release.id} by now, .*: run the pipeline again"):
            repository.publish(newer_release, "production", expected=expected)
    assert files(repository) == before
    repository.publish(newer_release, "production", expected=toy_release.id, why="better", decision="d1")
    (*_, record) = repository.history().records
    assert (record.action, record.release, record.previous) == ("publish", newer_release.id, toy_release.id)
    assert (record.by, record.why, record.decision) == (None, "better", "d1")


def test_what_others_signed_is_not_built_on(
    repository: ReleaseRepository, toy_release: Release, tmp_path: Path
) -> None:
    thief = ReleaseRepository(str(tmp_path / "thief"), tmp_path / "thief-keys")
    thief.initialise()
    shutil.copytree(Path(thief.url) / "metadata", Path(repository.url) / "metadata", dirs_exist_ok=True)
    for command in (repository.initialise, lambda: repository.publish(toy_release, "production")):
        with pytest.raises(PublicationError, match="was made with other keys"):
            command()


@pytest.mark.parametrize("kind", ["timestamp", "snapshot", "targets"])
def test_altered_or_missing_metadata_stops_the_publisher(
    repository: ReleaseRepository, toy_release: Release, kind: str
) -> None:
    repository.publish(toy_release, "staging")
    (*_, path) = sorted((Path(repository.url) / "metadata").glob(f"*{kind}.json"))
    flip(path)
    with pytest.raises(PublicationError, match=r"not what these keys signed .*: run `discern release repair`"):
        repository.publish(toy_release, "production")
    path.unlink()
    with pytest.raises(PublicationError, match=rf"{kind}\.json is missing: run `discern release repair`"):
        repository.publish(toy_release, "production")


def test_without_keys_or_repository_it_says_what_to_run(
    tmp_path: Path, repository: ReleaseRepository, toy_release: Release
) -> None:
    with pytest.raises(PublicationError, match="is not a repository yet: run `discern release init`"):
        ReleaseRepository(str(tmp_path / "nothing"), repository.keys).current("production")
    repository.publish(toy_release, "production")
    with pytest.raises(
        PublicationError, match=r"root\.json is missing: run `discern release repair`, or name the keys"
    ):
        ReleaseRepository(repository.url, tmp_path / "nothing").current("production")
    Path(repository.root).unlink()
    with pytest.raises(PublicationError, match=r"root\.json is missing although"):
        repository.initialise()


def test_expiry_is_the_devices_matter(repository: ReleaseRepository, toy_release: Release) -> None:
    ReleaseRepository(repository.url, repository.keys, Expiries(timestamp=timedelta(seconds=-1))).refresh()
    repository.publish(toy_release, "production")
    assert repository.current("production") == toy_release.id


def test_targets_say_length_and_hash(repository: ReleaseRepository, toy_release: Release) -> None:
    repository.publish(toy_release, "production")
    targets = repository.store.state().targets.targets
    assert len(targets) == len(FILES) + 3
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
    repository.rollback("production", toy_release.id, "Ada", "a test")
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
    with pytest.raises(PublicationError, match=r"^s3://shop/other/root\.json is missing: run `discern rel"):
        ReleaseRepository("s3://shop/releases", "s3://shop/other").current("production")


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "AccessDenied", r"these credentials may not do this there"),
        (403, "SignatureDoesNotMatch", r"the signature is wrong\): check AWS_SECRET_ACCESS_KEY and the region"),
        (400, "AuthorizationHeaderMalformed", r"the bucket is in another region\): check AWS_DEFAULT_REGION"),
        (507, "InsufficientStorage", r"it is full\): make room"),
        (404, "NoSuchBucket", r"there is no such bucket|is not a repository yet"),
    ],
)
def test_what_a_bucket_refuses_is_one_sentence_and_changes_nothing(
    proxy: Proxy, bucket: str, toy_release: Release, tmp_path: Path, status: int, code: str, words: str
) -> None:
    repository = ReleaseRepository(f"{bucket}/releases", tmp_path / "keys")
    repository.initialise()
    before = repository.store.files.files()
    proxy.refuse(status, code, path="/targets/" if code != "NoSuchBucket" else "")
    with pytest.raises(PublicationError, match=words) as caught:
        repository.publish(toy_release, "production")
    assert "\n" not in str(caught.value)
    proxy.refuse(0, "", times=0)
    assert set(repository.store.files.files()) == set(before)
    assert repository.current("production") is None


@pytest.mark.slow
def test_a_server_that_is_gone_is_one_sentence(
    proxy: Proxy, bucket: str, toy_release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = ReleaseRepository(f"{bucket}/releases", tmp_path / "keys")
    repository.initialise()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    S3FileSystem.clear_instance_cache()
    with pytest.raises(
        PublicationError, match=r"cannot be read or written \(nobody answers there\): check the network"
    ):
        ReleaseRepository(repository.url, repository.keys).publish(toy_release, "production")


@pytest.fixture
def enrollable(toy_release: Release, tmp_path: Path) -> Release:
    """A release that carries what enrolment into it needs."""
    folder = Path(shutil.copytree(toy_release.folder, tmp_path / "enrollable"))
    (folder / ENROLMENT_FILE).write_bytes(b"embeddings")
    manifest = read_manifest(folder)
    manifest["enrolment"] = file_entry(folder / ENROLMENT_FILE)
    return open_release(folder, write_manifest(folder, manifest))


def test_what_enrolment_needs_is_published_and_no_device_fetches_it(
    repository: ReleaseRepository, enrollable: Release, tmp_path: Path, quick_pull: Pull
) -> None:
    repository.publish(enrollable, "production")
    fetched = repository.fetch(enrollable.id, tmp_path / "fetched")
    assert (fetched.folder / ENROLMENT_FILE).read_bytes() == b"embeddings"
    assert quick_pull(repository) == enrollable.id
    pulled = [path.name for path in (tmp_path / "homes").rglob("*") if path.is_file()]
    assert MODEL_FILE in pulled
    assert ENROLMENT_FILE not in pulled


@pytest.mark.parametrize(("content", "says"), [(b"other", "was altered"), (None, "is missing")])
def test_what_enrolment_needs_is_checked_before_anything_is_published(
    repository: ReleaseRepository, enrollable: Release, content: bytes | None, says: str
) -> None:
    (enrollable.folder / ENROLMENT_FILE).unlink()
    if content is not None:
        (enrollable.folder / ENROLMENT_FILE).write_bytes(content)
    with pytest.raises(PublicationError, match=rf"{ENROLMENT_FILE} {says}: build the release again\."):
        repository.publish(enrollable, "production")
    assert repository.current("production") is None


def test_a_release_that_lost_what_enrolment_needs_still_serves_devices(
    repository: ReleaseRepository, enrollable: Release, tmp_path: Path, quick_pull: Pull
) -> None:
    repository.publish(enrollable, "production")
    (lost,) = Path(repository.url).rglob(f"*.{ENROLMENT_FILE}")
    lost.unlink()
    done = repair(repository.store)
    assert any("lost what enrolment into it needs" in line for line in done)
    assert quick_pull(repository) == enrollable.id
    assert not (repository.fetch(enrollable.id, tmp_path / "fetched").folder / ENROLMENT_FILE).exists()
