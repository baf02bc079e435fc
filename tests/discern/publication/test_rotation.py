"""Other keys for each role; devices of before and new ones follow."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root

from discern.errors import PublicationError
from discern.publication.decisions import Person
from discern.publication.keys import ROLES, make_keys
from discern.publication.metadata import Expiries
from discern.publication.repository import ReleaseRepository
from discern.publication.rotation import renew_root, rotate
from edge_runtime.core.release import Release
from tests.discern.publication.conftest import Pull

ADA = Person("Ada", "a laptop was lost")


def signers(repository: ReleaseRepository) -> dict[str, object]:
    content: dict[str, object] = json.loads((Path(repository.keys) / "signers.json").read_text())
    return content


@pytest.mark.parametrize("role", ROLES)
def test_devices_follow_another_key(
    repository: ReleaseRepository,
    toy_release: Release,
    newer_release: Release,
    role: str,
    quick_pull: Pull,
    tmp_path: Path,
) -> None:
    repository.publish(toy_release, "production")
    first = tmp_path / "first.json"
    shutil.copy(repository.root, first)
    quick_pull(repository, "old")
    keys = repository.store.root().roles[role].keyids
    root = rotate(repository.store, role, ADA)
    assert set(root.roles[role].keyids).isdisjoint(keys)
    assert root.version == (2 if role == "root" else 3)
    assert Metadata[Root].from_file(repository.root).signed.version == root.version
    (Path(repository.keys) / f"{role}.pem").unlink()
    repository.publish(newer_release, "production")
    for home, given in (("old", None), ("new", None), ("with the first root", first), ("old", Path(repository.root))):
        assert quick_pull(repository, home, root=given) == newer_release.id
    if role != "root":
        assert [record.why for record in repository.history().records if record.by] == [f"{role}: {ADA.why}"]


def test_a_publisher_with_a_copy_of_the_old_keys_changes_nothing(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, tmp_path: Path, quick_pull: Pull
) -> None:
    repository.publish(toy_release, "production")
    shutil.copytree(repository.keys, tmp_path / "copy")
    rotate(repository.store, "targets", ADA)
    copy = ReleaseRepository(repository.url, tmp_path / "copy")
    with pytest.raises(PublicationError, match=r"targets\.pem is not one that root 3 names"):
        copy.publish(newer_release, "production")
    assert copy.current("production") == toy_release.id
    assert quick_pull(repository) == toy_release.id


def test_a_lost_key_is_replaced(repository: ReleaseRepository, toy_release: Release, quick_pull: Pull) -> None:
    repository.publish(toy_release, "staging")
    (Path(repository.keys) / "targets.pem").unlink()
    with pytest.raises(PublicationError, match=r"targets\.pem cannot be read"):
        repository.publish(toy_release, "production")
    rotate(repository.store, "targets", ADA)
    repository.publish(toy_release, "production")
    assert quick_pull(repository) == toy_release.id


def test_a_root_may_need_two_keys(repository: ReleaseRepository, toy_release: Release, quick_pull: Pull) -> None:
    repository.publish(toy_release, "production")
    quick_pull(repository, "old")
    root = rotate(repository.store, "root", ADA, threshold=2)
    assert (len(root.roles["root"].keyids), root.roles["root"].threshold) == (2, 2)
    assert signers(repository)["root"] == ["file2:root-2.pem", "file2:root.pem"]
    rotate(repository.store, "timestamp", ADA)
    renew_root(repository.store)
    both = rotate(repository.store, "root", ADA)
    assert set(both.roles["root"].keyids).isdisjoint(root.roles["root"].keyids)
    hidden = (Path(repository.keys) / "root-6.pem").rename(Path(repository.keys) / "hidden")
    with pytest.raises(PublicationError, match=r"root-6\.pem cannot be read"):
        renew_root(repository.store)
    hidden.rename(Path(repository.keys) / "root-6.pem")
    one = rotate(repository.store, "root", ADA, threshold=1)
    assert (len(one.roles["root"].keyids), one.roles["root"].threshold) == (1, 1)
    assert quick_pull(repository, "old") == quick_pull(repository, "new") == toy_release.id


def test_another_signer_may_be_named(
    repository: ReleaseRepository,
    toy_release: Release,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick_pull: Pull,
) -> None:
    make_keys(tmp_path / "other")
    monkeypatch.setenv("TARGETS_KEY", (tmp_path / "other/targets.pem").read_text())
    with pytest.raises(PublicationError, match="1 new keys are needed and 2 named"):
        rotate(repository.store, "targets", ADA, signers=["env:TARGETS_KEY", "env:TARGETS_KEY"])
    with pytest.raises(PublicationError, match=r"file2:targets\.pem is a key of targets already"):
        rotate(repository.store, "targets", ADA, signers=["file2:targets.pem"])
    with pytest.raises(PublicationError, match="a threshold is for root alone"):
        rotate(repository.store, "targets", ADA, threshold=2)
    rotate(repository.store, "targets", ADA, signers=["env:TARGETS_KEY"])
    assert signers(repository)["targets"] == "env:TARGETS_KEY"
    with pytest.raises(PublicationError, match="targets is signed by env:TARGETS_KEY: name the new key with --signer"):
        rotate(repository.store, "targets", ADA)
    repository.publish(toy_release, "production")
    assert quick_pull(repository) == toy_release.id


def test_a_rotation_that_was_cut_off_goes_on_before_another_begins(
    repository: ReleaseRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr("discern.publication.rotation._add", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            rotate(repository.store, "targets", ADA)
    assert signers(repository)["next"] == {"targets": "file2:targets-2.pem"}
    with pytest.raises(
        PublicationError, match=r"the keys of targets are being changed .*: run `discern release rotate tar"
    ):
        rotate(repository.store, "snapshot", ADA)
    repository.refresh()
    rotate(repository.store, "targets", ADA)
    assert signers(repository)["targets"] == "file2:targets-2.pem"
    assert "next" not in signers(repository)


def raise_interrupt(*_arguments: object) -> None:
    raise KeyboardInterrupt


def test_an_expired_root_is_signed_anew(tmp_path: Path, toy_release: Release, quick_pull: Pull) -> None:
    repository = ReleaseRepository(str(tmp_path / "r"), tmp_path / "keys", Expiries(root=timedelta(seconds=2)))
    repository.initialise()
    repository.publish(toy_release, "production")
    quick_pull(repository, "old")
    lasting = ReleaseRepository(repository.url, repository.keys)
    expires = renew_root(lasting.store)
    assert lasting.expires()["root"] == expires
    assert quick_pull(lasting, "old") == quick_pull(lasting, "new") == toy_release.id
    assert {path.name for path in Path(repository.keys).glob("*root.json")} == {
        "root.json",
        "1.root.json",
        "2.root.json",
    }
