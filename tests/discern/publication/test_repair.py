"""A repository is spoiled, repaired, and pulled from by a device of before and by a new one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import MetaFile

from discern.errors import PublicationError
from discern.publication.decisions import Person
from discern.publication.keys import signer_for
from discern.publication.repair import repair
from discern.publication.repository import ReleaseRepository
from discern.publication.rotation import rotate
from discern.publication.signing import sign_with
from edge_runtime.core.release import MODEL_FILE, Release
from edge_runtime.device.repository_paths import manifest_path
from tests.discern.publication.conftest import Pull
from tests.edge_runtime.toy_release import flip

WHO = ("Ada", "a test")


@pytest.fixture
def filled(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, quick_pull: Pull
) -> ReleaseRepository:
    """A repository of two releases, the newer one in production, and a device of it."""
    repository.publish(toy_release, "production")
    repository.publish(newer_release, "production")
    quick_pull(repository, "old")
    return repository


def metadata(repository: ReleaseRepository, kind: str) -> list[Path]:
    """The files of a kind, oldest first."""
    paths = (Path(repository.url) / "metadata").glob(f"*{kind}.json")
    return sorted(paths, key=lambda path: int(path.name.split(".")[0]) if path.name[0].isdigit() else 0)


def lose(kind: str) -> Callable[[ReleaseRepository], None]:
    return lambda repository: metadata(repository, kind)[-1].unlink()


def spoil(kind: str) -> Callable[[ReleaseRepository], None]:
    return lambda repository: flip(metadata(repository, kind)[-1])


def empty(kind: str) -> Callable[[ReleaseRepository], None]:
    def write(repository: ReleaseRepository) -> None:
        metadata(repository, kind)[-1].write_bytes(b"")

    return write


def check(repository: ReleaseRepository, quick_pull: Pull, *releases: str) -> str:
    """Nothing is left to repair, both devices take one whole release, and the next change goes on."""
    assert repair(repository.store) == []
    pulled = quick_pull(repository, "old")
    assert quick_pull(repository, "new") == pulled
    assert pulled in releases
    repository.refresh()
    assert quick_pull(repository, "old") == pulled
    return pulled


def test_a_whole_repository_is_left_alone(filled: ReleaseRepository) -> None:
    before = {path: path.read_bytes() for path in Path(filled.url).parent.rglob("*") if path.is_file()}
    assert repair(filled.store) == []
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("harm", [lose, spoil, empty])
@pytest.mark.parametrize("kind", ["timestamp", "snapshot", "targets"])
def test_metadata_comes_back(
    filled: ReleaseRepository,
    newer_release: Release,
    toy_release: Release,
    harm: Callable[..., Callable[..., None]],
    kind: str,
    quick_pull: Pull,
) -> None:
    harm(kind)(filled)
    with pytest.raises(PublicationError, match="`discern release repair`"):
        filled.refresh()
    done = repair(filled.store)
    assert done[0].startswith("The live state cannot be used: ")
    assert "is live again" in done[1]
    lost_list = kind == "targets"  # the newest list is gone, so that of before counts
    assert (
        check(filled, quick_pull, newer_release.id, toy_release.id) == (toy_release if lost_list else newer_release).id
    )
    assert filled.history().records[-1].action == "repair"


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_the_ruins_of_a_wrong_key_come_back(
    filled: ReleaseRepository, toy_release: Release, newer_release: Release, role: str, quick_pull: Pull
) -> None:
    """As a publisher of before left them, which did not look at what it had signed."""
    state = filled.store.state()
    wrong = CryptoSigner.generate_ed25519()
    metadata: list[bytes] = []
    for part in (state.targets, state.snapshot, state.timestamp):
        part.version += 10
        if metadata:
            described = MetaFile.from_data(part.version, metadata[-1], ["sha256"])
            part.__dict__["meta" if part is state.snapshot else "snapshot_meta"] = (
                {"targets.json": described} if part is state.snapshot else described
            )
        signer = wrong if part.type == role else signer_for(filled.keys, part.type)
        metadata.append(sign_with([signer], part))
        name = "timestamp.json" if part is state.timestamp else f"{part.version}.{part.type}.json"
        (Path(filled.url) / "metadata" / name).write_bytes(metadata[-1])
    with pytest.raises(PublicationError, match=rf"{role} was signed by 0/1 keys"):
        filled.refresh()
    assert "is live again" in repair(filled.store)[1]
    assert check(filled, quick_pull, newer_release.id)


def test_a_lost_or_altered_root_comes_back_from_the_keys(
    filled: ReleaseRepository, newer_release: Release, quick_pull: Pull
) -> None:
    rotate(filled.store, "targets", Person(*WHO))
    for version, harm in ((1, "lost"), (2, "altered"), (3, "lost")):
        path = Path(filled.url) / f"metadata/{version}.root.json"
        path.unlink() if harm == "lost" else flip(path)
    with pytest.raises(PublicationError, match=r"3\.root\.json is missing: run `discern release repair`"):
        filled.refresh()
    done = repair(filled.store)
    assert [line.split(",")[0] for line in done] == [
        "metadata/1.root.json was missing",
        "metadata/2.root.json was altered",
        "metadata/3.root.json was missing",
    ]
    assert check(filled, quick_pull, newer_release.id)


def test_an_altered_root_is_told_from_that_of_other_keys(filled: ReleaseRepository) -> None:
    (Path(filled.url) / "metadata/1.root.json").write_bytes(b"garbage")
    with pytest.raises(PublicationError, match=r"1\.root\.json was altered: run `discern release repair`"):
        filled.refresh()
    assert repair(filled.store) == ["metadata/1.root.json was altered, and is back."]


def test_garbage_in_the_place_of_the_next_root_is_replaced(
    filled: ReleaseRepository, newer_release: Release, quick_pull: Pull
) -> None:
    (Path(filled.url) / "metadata/2.root.json").write_bytes(b"garbage")
    with pytest.raises(PublicationError, match=r"2\.root\.json does not follow root 1 .*`discern release repair`"):
        filled.refresh()
    (line,) = repair(filled.store)
    assert "a root was signed in its place" in line
    assert check(filled, quick_pull, newer_release.id)


@pytest.mark.parametrize("copies", [True, False])
def test_the_publishers_own_root_comes_back(
    filled: ReleaseRepository, newer_release: Release, quick_pull: Pull, tmp_path: Path, copies: bool
) -> None:
    rotate(filled.store, "snapshot", Person(*WHO))
    for path in Path(filled.keys).glob("*root.json" if not copies else "root.json"):
        path.unlink()
    other = ReleaseRepository(str(tmp_path / "other"), tmp_path / "other-keys")
    other.initialise()
    shutil.copy(other.root, Path(filled.url) / "metadata/9.root.json")  # another's root does not count
    (line,) = repair(filled.store)
    assert "root 3, which these keys signed, was put in its place" in line
    assert check(filled, quick_pull, newer_release.id)
    Path(filled.root).unlink()
    stranger = ReleaseRepository(filled.url, other.keys)
    theirs = Path(other.root).rename(tmp_path / "theirs.json")
    (Path(other.keys) / "1.root.json").unlink()
    with pytest.raises(PublicationError, match="has a root that its keys signed: restore it from a backup"):
        repair(stranger.store)
    theirs.rename(other.root)
    with pytest.raises(PublicationError, match="was made with other keys"):
        repair(stranger.store)
    assert repair(filled.store)


def test_a_release_that_is_not_whole_leaves_the_list_and_the_channel_goes_back(
    filled: ReleaseRepository, toy_release: Release, newer_release: Release, quick_pull: Pull
) -> None:
    entry = next(entry for name, entry in newer_release.manifest.files.items() if name == "index.hnsw")
    (lost,) = Path(filled.url).glob(f"targets/files/{entry.sha256}/*")
    flip(lost)
    done = repair(filled.store)
    assert f"Release {newer_release.id} left the list" in done[0]
    assert "was altered" in done[0]
    assert f"it names {toy_release.id} again" in done[1]
    assert [published.id for published in filled.releases()] == [toy_release.id]
    assert check(filled, quick_pull, toy_release.id)
    filled.publish(newer_release, "production")
    assert quick_pull(filled, "old") == newer_release.id


def lose_release(repository: ReleaseRepository, release: Release) -> None:
    """Alter its manifest: the model is shared with other releases."""
    (path,) = Path(repository.url).glob(f"targets/releases/{release.id}/*")
    flip(path)


def test_a_channel_goes_back_past_what_people_decided_against(
    filled: ReleaseRepository, toy_release: Release, newer_release: Release, third: Release, quick_pull: Pull
) -> None:
    filled.publish(third, "production")
    filled.rollback("production", newer_release.id, "Ada", "mistakes M6")
    filled.reject(third.id, "Ada", "mistakes M6")
    lose_release(filled, newer_release)
    assert f"it names {toy_release.id} again" in repair(filled.store)[-1]
    assert check(filled, quick_pull, toy_release.id)
    lose_release(filled, toy_release)
    assert f"named {toy_release.id}, which is lost, and {third.id} was rejected by Ada on " in repair(filled.store)[-1]
    assert filled.current("production") is None
    filled.approve(third.id, *WHO, channel="production")
    assert quick_pull(filled, "old") == third.id


def test_a_pin_and_a_person_who_has_yet_to_decide_are_respected(
    filled: ReleaseRepository, toy_release: Release, newer_release: Release, third: Release
) -> None:
    filled.stage(toy_release, "staging")
    filled.approve(toy_release.id, *WHO, channel="other")
    filled.stage(third, "staging")
    filled.pin("production", *WHO)
    lose_release(filled, newer_release)
    lose_release(filled, third)
    told = " ".join(repair(filled.store))
    assert f"Channel production named {newer_release.id}, which is lost, and it is pinned: the channel is gone" in told
    assert f"{third.id}, which is lost, and that release waited there for a person: the channel is gone" in told
    assert (filled.current("production"), filled.current("staging")) == (None, None)
    with pytest.raises(PublicationError, match="run `discern release unpin production` first"):
        filled.publish(toy_release, "production")
    filled.unpin("production", *WHO)
    filled.rollback("production", toy_release.id, *WHO)


def test_a_history_of_a_later_version_is_not_repaired(
    filled: ReleaseRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(
            "discern.publication.history.History.to_bytes",
            lambda history: history.model_dump_json().replace('"action":"pin"', '"action":"freeze"').encode(),
        )
        filled.pin("production", *WHO)
    before = {path: path.read_bytes() for path in Path(filled.url).rglob("*") if path.is_file()}
    for command in (filled.history, lambda: repair(filled.store)):
        with pytest.raises(
            PublicationError, match=r"history\.json has records that are not known here: update discern"
        ):
            command()
    assert {path: path.read_bytes() for path in Path(filled.url).rglob("*") if path.is_file()} == before


def test_a_channel_without_a_whole_release_is_gone(filled: ReleaseRepository) -> None:
    for path in Path(filled.url).rglob(f"*.{MODEL_FILE}"):
        path.unlink()
    done = repair(filled.store)
    assert "the channel is gone until a release is put on it" in done[-1]
    assert (filled.releases(), filled.current("production")) == ([], None)
    assert repair(filled.store) == []


def test_a_lost_pointer_is_written_again(filled: ReleaseRepository, newer_release: Release, quick_pull: Pull) -> None:
    for path in Path(filled.url).rglob("*.production.json"):
        path.unlink()
    (line,) = repair(filled.store)
    assert f"Channel production names {newer_release.id}; its pointer was written again" in line
    assert check(filled, quick_pull, newer_release.id)


def test_a_lost_history_goes_on_from_its_longest_signed_copy(filled: ReleaseRepository, newer_release: Release) -> None:
    copies = {path.stat().st_size: path for path in Path(filled.url).glob("targets/*.history.json")}
    copies[max(copies)].unlink()
    (line,) = repair(filled.store)
    assert "the longest copy has 1 records" in line
    assert [record.action for record in filled.history().records] == ["publish", "repair"]
    assert filled.current("production") == newer_release.id


def test_without_any_metadata_a_person_may_have_the_content_listed(
    filled: ReleaseRepository, toy_release: Release, newer_release: Release, quick_pull: Pull
) -> None:
    filled.stage(toy_release, "staging")
    filled.approve(toy_release.id, *WHO, channel="other")
    shutil.rmtree(Path(filled.url) / "metadata")
    manifest = next(Path(filled.url).glob(f"targets/{Path(manifest_path(toy_release.id)).parent}/*"))
    forged = Path(filled.url) / "targets/releases" / ("0" * 16) / manifest.name
    forged.parent.mkdir()
    shutil.copy(manifest, forged)
    with pytest.raises(PublicationError, match=r"holds no list .* that these keys signed: look at .* --unsigned"):
        repair(filled.store)
    done = repair(filled.store, unsigned=True)
    assert "A list was made of 2 releases that lie there, which nobody had signed." in done
    assert {published.id: published.channels for published in filled.releases()} == {
        toy_release.id: ("other",),
        newer_release.id: ("production",),
    }
    assert check(filled, quick_pull, newer_release.id)


def test_a_wrong_key_repairs_nothing(filled: ReleaseRepository) -> None:
    lose("timestamp")(filled)
    key = Path(filled.keys) / "targets.pem"
    key.write_bytes((Path(filled.keys) / "root.pem").read_bytes())
    before = {path: path.read_bytes() for path in Path(filled.url).rglob("*") if path.is_file()}
    with pytest.raises(PublicationError, match=r"targets\.pem is not one that root 1 names"):
        repair(filled.store)
    assert {path: path.read_bytes() for path in Path(filled.url).rglob("*") if path.is_file()} == before
