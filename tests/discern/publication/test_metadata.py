"""The rules alone: a repository in a dictionary, no file and no network but for the keys."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tuf.api.metadata import Root

from discern.errors import PublicationError
from discern.publication.keys import ROLES, make_keys, public_key, signer_for
from discern.publication.metadata import Expiries, check_state, expires_after, next_version, sign_state
from discern.publication.roots import check_root, first_root
from discern.publication.signing import Signing, sign_with

EXPIRIES = Expiries()
Files = dict[str, bytes]


def make_root(keys: Path) -> Root:
    root = first_root({role: public_key(keys, role) for role in ROLES}, expires_after(EXPIRIES.root))
    return check_root(sign_with([signer_for(keys, "root")], root))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder)
    return folder


@pytest.fixture(scope="module")
def root(keys: Path) -> Root:
    return make_root(keys)


def signed_state(keys: Path, root: Root, version: int = 1) -> Files:
    built = sign_state(Signing(str(keys), root), version, {}, EXPIRIES)
    return {**built.numbered, "timestamp.json": built.timestamp}


def check(root: Root, files: Files) -> int:
    return check_state(root, files["timestamp.json"], files.__getitem__).targets.version


def test_a_signed_state_passes(keys: Path, root: Root) -> None:
    assert check(root, signed_state(keys, root)) == 1
    assert check(root, signed_state(keys, root, 7)) == 7


def test_a_list_that_stays_keeps_its_signature(keys: Path, root: Root) -> None:
    first = signed_state(keys, root)
    state = check_state(root, first["timestamp.json"], first.__getitem__)
    built = sign_state(Signing(str(keys), root), 9, state.snapshot.meta["targets.json"], EXPIRIES)
    assert list(built.numbered) == ["9.snapshot.json"]
    again = check_state(root, built.timestamp, {**first, **built.numbered}.__getitem__)
    assert (again.targets.version, again.version) == (1, 9)


def test_versions_are_drawn_and_only_rise() -> None:
    drawn = [next_version(1) for _ in range(50)]
    assert len(set(drawn)) > 40
    now = time.time() * 1e6
    assert all(abs(version - now) < 60e6 for version in drawn)
    assert max(drawn) < 2**53
    assert next_version(2**52 + 5) == 2**52 + 6


@pytest.mark.parametrize("name", ["1.targets.json", "1.snapshot.json", "timestamp.json"])
def test_an_altered_byte_is_refused(keys: Path, root: Root, name: str) -> None:
    files = signed_state(keys, root)
    data = bytearray(files[name])
    data[len(data) // 2] ^= 1
    with pytest.raises(PublicationError, match="not what these keys signed"):
        check(root, {**files, name: bytes(data)})


@pytest.mark.parametrize("name", ["2.targets.json", "2.snapshot.json"])
def test_an_older_part_in_a_newer_parts_place_is_refused(keys: Path, root: Root, name: str) -> None:
    older, newer = signed_state(keys, root, 1), signed_state(keys, root, 2)
    with pytest.raises(PublicationError, match="not what these keys signed"):
        check(root, {**newer, name: older[name.replace("2.", "1.")]})


def test_one_roles_metadata_is_not_anothers(keys: Path, root: Root) -> None:
    files = signed_state(keys, root)
    with pytest.raises(PublicationError, match="snapshot where timestamp was expected"):
        check(root, {**files, "timestamp.json": files["1.snapshot.json"]})


def test_one_roles_key_is_not_anothers(keys: Path, root: Root, tmp_path: Path) -> None:
    """A thief of the timestamp's key, the one that lies on a scheduler, cannot sign targets."""
    for path in keys.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / path.name).chmod(0o600)
    (tmp_path / "targets.pem").write_bytes((keys / "timestamp.pem").read_bytes())
    with pytest.raises(PublicationError, match="targets was signed by 0/1 keys"):
        check(root, signed_state(tmp_path, make_root(tmp_path)))
