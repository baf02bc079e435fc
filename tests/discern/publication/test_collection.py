"""What no state needs goes, and nothing that anybody needs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from discern.errors import PublicationError
from discern.publication.collection import STATES, YOUNG, collect
from discern.publication.repair import repair
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release, open_release
from tests.discern.publication.conftest import Pull
from tests.edge_runtime.toy_release import COLOURS, build_toy, enrol_into, read_manifest, write_manifest

WHO = ("Ada", "a test")


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> list[Release]:
    """Four releases of one use case; their models are the same."""
    folder = tmp_path_factory.mktemp("releases")
    return [
        build_toy(folder / str(number), colours={**COLOURS, "orange": (250, 140, 20 + number)}) for number in range(4)
    ]


def names(repository: ReleaseRepository) -> set[str]:
    base = Path(repository.url)
    return {str(path.relative_to(base)) for path in base.rglob("*") if path.is_file()}


def age(repository: ReleaseRepository, seconds: float = YOUNG + 60) -> None:
    for path in Path(repository.url).rglob("*"):
        os.utime(path, (time.time() - seconds,) * 2)


def listed(repository: ReleaseRepository) -> set[str]:
    return {release.id for release in repository.releases()}


def test_releases_beyond_the_last_leave_the_list_and_their_files_go(
    repository: ReleaseRepository, releases: list[Release], quick_pull: Pull
) -> None:
    for release in releases:
        repository.publish(release, "production")
    quick_pull(repository)
    age(repository)
    told = collect(repository.store, keep=2, dry_run=True)
    before = names(repository)
    assert collect(repository.store, keep=2, dry_run=True) == told
    assert names(repository) == before
    assert collect(repository.store, keep=2) == told
    assert set(told.releases) == {releases[0].id, releases[1].id}
    assert before <= names(repository), "a device may be in the middle of a pull"
    assert told.files == ()
    assert {name.split("/")[2] for name in told.later if name.startswith("targets/releases/")} == set(told.releases)
    assert listed(repository) == {releases[2].id, releases[3].id}
    assert [record.action for record in repository.history().records[-2:]] == ["retire", "retire"]
    assert collect(repository.store, keep=2).later == told.later
    age(repository)
    gone = collect(repository.store, keep=2)
    assert (gone.releases, gone.files, gone.later) == ((), told.later, ())
    assert set(gone.files) == before - names(repository)
    assert gone.bytes > 0
    assert quick_pull(repository) == quick_pull(repository, "new") == releases[3].id
    assert repair(repository.store) == []


def test_what_a_channel_names_or_was_rolled_back_to_stays(
    repository: ReleaseRepository, releases: list[Release]
) -> None:
    first, second, third, last = (release.id for release in releases)
    for release in releases[:3]:
        repository.publish(release, "production")
    repository.rollback("production", first, *WHO)
    repository.publish(releases[3], "production")
    repository.publish(releases[1], "old-machines")
    assert collect(repository.store, keep=1).releases == ()
    assert listed(repository) == {first, second, third, last}


def test_a_device_in_the_middle_of_a_pull_ends_it(
    repository: ReleaseRepository, releases: list[Release], tmp_path: Path
) -> None:
    """What was live a moment ago is fetched file by file, while its successor is published and a collection runs."""
    repository.publish(releases[0], "production")
    state = repository.store.state()
    age(repository)
    repository.publish(releases[1], "production")
    assert collect(repository.store, keep=1).releases == (releases[0].id,)
    assert all(repository.store.download(state, path) for path in state.targets.targets)


def test_what_a_release_that_stays_was_enrolled_into_stays(repository: ReleaseRepository, tmp_path: Path) -> None:
    chain = [build_toy(tmp_path / "trained")]
    for number in range(3):
        folder = build_toy(tmp_path / str(number)).folder
        enrol_into(folder, "purple", (120, 40 + number, 160))
        manifest = read_manifest(folder)
        manifest["lineage"]["enrolled_into"] = chain[-1].id
        chain.append(open_release(folder, write_manifest(folder, manifest)))
    for release in chain:
        repository.publish(release, "production")
    assert collect(repository.store, keep=1).releases == ()
    other = build_toy(tmp_path / "other", colours={"red": (200, 30, 30), "blue": (30, 30, 200)})
    repository.publish(other, "production")
    assert set(collect(repository.store, keep=1).releases) == {release.id for release in chain}


@pytest.mark.parametrize("collected", [False, True])
def test_what_people_decided_outlives_the_newest_list(
    repository: ReleaseRepository, releases: list[Release], collected: bool
) -> None:
    """A repository that was collected is repaired as one that was not; what cannot be trusted is told."""
    repository.publish(releases[0], "production")
    repository.stage(releases[1], "staging")
    repository.reject(releases[1].id, "Ada", "mistakes M6")
    repository.pin("production", "Ada", "the fair is on")
    age(repository)
    if collected:
        collect(repository.store)
    newest = max((Path(repository.url) / "metadata").glob("*.targets.json"), key=lambda path: int(path.name[:-13]))
    newest.unlink()
    done = repair(repository.store)
    assert repository.is_held(releases[1].id, "production")
    assert f"pin {releases[0].id} on production by Ada (the fair is on). Decide again" in done[-1]
    assert repair(repository.store) == []


def test_releases_that_no_history_mentions_go_by_their_age(
    repository: ReleaseRepository, releases: list[Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:  # a publisher of before wrote no history
        older.setattr("discern.publication.history.History.adding", lambda history, _records: history)
        for release in releases:
            repository.publish(release, "production")
    told = collect(repository.store, keep=2).releases
    assert 1 <= len(told) <= 2  # the toys are of one second: the one in production may be among the oldest
    assert repository.current("production") not in told


def test_what_is_young_stays(repository: ReleaseRepository, releases: list[Release]) -> None:
    for release in releases:
        repository.publish(release, "production")
    (Path(repository.url) / "metadata/.timestamp.json.x.tmp").write_bytes(b"half")
    assert collect(repository.store).files == ()
    age(repository)
    assert "metadata/.timestamp.json.x.tmp" in collect(repository.store).files


def test_what_is_uploaded_meanwhile_is_young_again(
    repository: ReleaseRepository, releases: list[Release], quick_pull: Pull
) -> None:
    """A publisher finds the files of a release there that left the list, and a collection runs before it is done."""
    repository.publish(releases[0], "production")
    repository.publish(releases[1], "production")
    for _ in range(2):
        age(repository)
        collect(repository.store, keep=1)
    repository.publish(releases[0], "production")
    age(repository)
    repository.publish(releases[2], "production")
    collect(repository.store, keep=1)
    assert quick_pull(repository) == releases[2].id


def test_the_metadata_of_the_last_states_stays(repository: ReleaseRepository, releases: list[Release]) -> None:
    repository.publish(releases[0], "production")
    listing = repository.store.state().targets.version
    (Path(repository.keys) / "targets.pem").rename(Path(repository.keys) / "hidden")
    for _ in range(STATES + 3):
        repository.refresh()
    (Path(repository.keys) / "hidden").rename(Path(repository.keys) / "targets.pem")
    age(repository)
    gone = collect(repository.store).files
    assert len([name for name in gone if name.endswith("snapshot.json")]) == 5
    assert f"metadata/{listing}.targets.json" in names(repository)
    assert repository.current("production") == releases[0].id


def test_at_least_one_release_stays(repository: ReleaseRepository) -> None:
    with pytest.raises(PublicationError, match="say --keep 1 or more"):
        collect(repository.store, keep=0)
