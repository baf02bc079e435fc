"""A signed repository in a folder, as a publisher would leave it: python-tuf's metadata, and keys that live in memory.

It is the other side of `pull`. What a thief, a broken network or a careless publisher would do is a call with other
keys, another date or another version.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from edge_runtime.core.release import MANIFEST_FILE, Release
from edge_runtime.device.repository_paths import channel_path, file_path, make_pointer, manifest_path

ROLES = ("root", "targets", "snapshot", "timestamp")
HASHES = ["sha256"]
YEAR = timedelta(days=365)

Signers = Mapping[str, CryptoSigner]


def make_signers() -> Signers:
    return {role: CryptoSigner.generate_ed25519() for role in ROLES}


def make_root(signers: Signers) -> bytes:
    """Sign a root that trusts one key a role."""
    root = Root(expires=later(YEAR), consistent_snapshot=True)
    for role in ROLES:
        root.add_key(signers[role].public_key, role)
    return signed(signers, root)


def signed(signers: Signers, content: Root | Targets | Snapshot | Timestamp) -> bytes:
    metadata: Metadata[Any] = Metadata(content)
    metadata.sign(signers[content.type])
    return metadata.to_bytes()


def later(duration: timedelta) -> datetime:
    return datetime.now(timezone.utc) + duration


@dataclass
class ToyRepository:
    """Releases below `folder/repository`; `folder/root.json` is the root that devices are given once."""

    folder: Path
    signers: Signers
    targets: dict[str, TargetFile]
    version: int = 0

    @classmethod
    def create(cls, folder: Path) -> ToyRepository:
        """Make a repository without a release."""
        repository = cls(folder, make_signers(), {})
        (folder / "repository/metadata").mkdir(parents=True)
        repository.root.write_bytes(make_root(repository.signers))
        (repository.metadata / "1.root.json").write_bytes(repository.root.read_bytes())
        repository.commit()
        return repository

    def copy(self, folder: Path) -> ToyRepository:
        """Return a copy in another folder, which has the same keys and may be spoiled."""
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder, targets=dict(self.targets))

    @property
    def url(self) -> str:
        return str(self.folder / "repository")

    @property
    def root(self) -> Path:
        return self.folder / "root.json"

    @property
    def metadata(self) -> Path:
        return self.folder / "repository/metadata"

    def publish(self, release: Release, channel: str) -> None:
        """Add a release's files and make `channel` name it."""
        for name, entry in release.manifest.files.items():
            self.add(file_path(name, entry), (release.folder / name).read_bytes())
        self.add(manifest_path(release.id), (release.folder / MANIFEST_FILE).read_bytes())
        self.rollback(channel, release.id)

    def rollback(self, channel: str, release: str) -> None:
        """Make `channel` name a release that is here."""
        self.add(channel_path(channel), make_pointer(release))
        self.commit()

    def add(self, path: str, data: bytes) -> None:
        """Put a target where a consistent snapshot has it; it is live after `commit`."""
        target = TargetFile.from_data(path, data, HASHES)
        stored = self.folder / "repository/targets" / target.get_prefixed_paths()[0]
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_bytes(data)
        self.targets[path] = target

    def commit(self, expires_in: timedelta = YEAR) -> None:
        """Sign the next version of everything but the root; the timestamp is good for `expires_in`."""
        self.version += 1
        expires = later(YEAR)
        listed = self.write("targets", Targets(version=self.version, expires=expires, targets=dict(self.targets)))
        meta = {"targets.json": listed}
        snapshot = self.write("snapshot", Snapshot(version=self.version, expires=expires, meta=meta))
        timestamp = Timestamp(version=self.version, expires=later(expires_in), snapshot_meta=snapshot)
        (self.metadata / "timestamp.json").write_bytes(signed(self.signers, timestamp))

    def write(self, role: str, content: Targets | Snapshot) -> MetaFile:
        """Write one numbered metadata file; returns how another one names it."""
        data = signed(self.signers, content)
        (self.metadata / f"{self.version}.{role}.json").write_bytes(data)
        return MetaFile.from_data(self.version, data, HASHES)

    def forge_timestamp(self, signers: Signers) -> None:
        """Replace the timestamp by a newer one of the same content under other keys."""
        path = self.metadata / "timestamp.json"
        timestamp: Timestamp = Metadata[Timestamp].from_bytes(path.read_bytes()).signed
        timestamp.version += 1
        path.write_bytes(signed(signers, timestamp))
