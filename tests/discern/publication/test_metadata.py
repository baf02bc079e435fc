"""The rules alone: a repository in a dictionary, no file and no network but for the keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.errors import PublicationError
from discern.publication.keys import make_keys
from discern.publication.metadata import (
    Expiries,
    check_root,
    check_state,
    described,
    make_root,
    make_snapshot,
    make_targets,
    make_timestamp,
)

EXPIRIES = Expiries()
State = dict[str, bytes]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder)
    return folder


@pytest.fixture(scope="module")
def root(keys: Path) -> bytes:
    return make_root(keys, EXPIRIES)


def signed_state(keys: Path, version: int = 1) -> State:
    targets = make_targets(keys, version, {}, EXPIRIES)
    snapshot = make_snapshot(keys, version, described(version, targets), EXPIRIES)
    timestamp = make_timestamp(keys, version, described(version, snapshot), EXPIRIES)
    return {
        f"{version}.targets.json": targets,
        f"{version}.snapshot.json": snapshot,
        "timestamp.json": timestamp,
    }


def check(root: bytes, state: State) -> int:
    return check_state(check_root(root), state["timestamp.json"], state.__getitem__).targets.version


def test_a_signed_state_passes(keys: Path, root: bytes) -> None:
    assert check(root, signed_state(keys)) == 1
    assert check(root, signed_state(keys, 7)) == 7


@pytest.mark.parametrize("name", ["1.targets.json", "1.snapshot.json", "timestamp.json"])
def test_an_altered_byte_is_refused(keys: Path, root: bytes, name: str) -> None:
    state = signed_state(keys)
    data = bytearray(state[name])
    data[len(data) // 2] ^= 1
    with pytest.raises(PublicationError, match="not what these keys signed"):
        check(root, {**state, name: bytes(data)})


@pytest.mark.parametrize("name", ["2.targets.json", "2.snapshot.json"])
def test_an_older_part_in_a_newer_parts_place_is_refused(keys: Path, root: bytes, name: str) -> None:
    older, newer = signed_state(keys, 1), signed_state(keys, 2)
    with pytest.raises(PublicationError, match="not what these keys signed"):
        check(root, {**newer, name: older[name.replace("2.", "1.")]})


def test_one_roles_metadata_is_not_anothers(keys: Path, root: bytes) -> None:
    state = signed_state(keys)
    with pytest.raises(PublicationError, match="snapshot where timestamp was expected"):
        check(root, {**state, "timestamp.json": state["1.snapshot.json"]})


def test_one_roles_key_is_not_anothers(keys: Path, root: bytes, tmp_path: Path) -> None:
    """A thief of the timestamp's key, the one that lies on a scheduler, cannot sign targets."""
    for path in keys.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / path.name).chmod(0o600)
    (tmp_path / "targets.pem").write_bytes((keys / "timestamp.pem").read_bytes())
    with pytest.raises(PublicationError, match="targets was signed by 0/1 keys"):
        check(root, signed_state(tmp_path))


def test_a_root_signs_itself(keys: Path, root: bytes, tmp_path: Path) -> None:
    assert check_root(root).version == 1
    make_keys(tmp_path)
    for bad in (b"", b"{}", root[:-10], make_timestamp(keys, 1, described(1, b""), EXPIRIES)):
        with pytest.raises(PublicationError, match=r"root\.json is not a root"):
            check_root(bad)
