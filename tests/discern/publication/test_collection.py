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
from edge_runtime.core.release import Release
from tests.discern.publication.conftest import Pull
from tests.edge_runtime.toy_release import COLOURS, build_toy

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
    assert set(told.files) == before - names(repository)
    assert told.bytes > 0
    assert listed(repository) == {releases[2].id, releases[3].id}
    assert [record.action for record in repository.history().records[-2:]] == ["retire", "retire"]
    assert quick_pull(repository) == quick_pull(repository, "new") == releases[3].id
    assert repair(repository.store) == []
    age(repository)
    assert collect(repository.store, keep=2).releases == ()


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
