"""What a signed state says: its releases, what the channels name, and what happened to them; and a change of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from tuf.api.metadata import Root, TargetFile

from discern.errors import PublicationError
from discern.publication import history as histories
from discern.publication.history import History, Record, parse_history
from discern.publication.metadata import State
from discern.publication.store import SignedStore
from edge_runtime.core.release import ReleaseManifest, parse_manifest
from edge_runtime.device.repository_paths import (
    channel_named,
    channel_path,
    file_path,
    make_pointer,
    manifest_path,
    parse_pointer,
)


@dataclass(frozen=True)
class Catalogue:
    """The content of one state.

    Args:
        store: where it lies.
        state: the signed lists.
    """

    store: SignedStore
    state: State

    @property
    def targets(self) -> Mapping[str, TargetFile]:
        """The list of targets."""
        return self.state.targets.targets

    @cached_property
    def history(self) -> History:
        """What happened; empty where nothing was written down yet."""
        if histories.PATH not in self.targets:
            return History()
        return parse_history(self.store.download(self.state, histories.PATH), f"{self.store.url}/{histories.PATH}")

    @cached_property
    def channels(self) -> dict[str, str]:
        """Channel -> the release that it names."""
        names = [name for path in self.targets if (name := channel_named(path))]
        return {name: parse_pointer(self.store.download(self.state, channel_path(name)), name) for name in names}

    @property
    def release_ids(self) -> list[str]:
        """The releases of the list."""
        return release_ids(self.targets)

    def release_of(self, channel: str) -> str | None:
        """Return the release that a channel names."""
        path = channel_path(channel)
        return parse_pointer(self.store.download(self.state, path), path) if path in self.targets else None

    def manifest(self, release: str) -> ReleaseManifest:
        """Return the manifest of a release.

        Raises:
            PublicationError: it is not in the list, or is missing or altered.
        """
        path = manifest_path(release)
        if path not in self.targets:
            raise PublicationError(
                f"release {release} is not in {self.store.url}: `discern release list` shows which are."
            )
        return parse_manifest(self.store.download(self.state, path), path)

    def manifests(self) -> dict[str, ReleaseManifest]:
        """Return the manifest of each release."""
        return {release: self.manifest(release) for release in self.release_ids}

    def bases(self, manifest: ReleaseManifest) -> Iterator[str]:
        """Yield the release that a release was enrolled into, the one that this was enrolled into, and so on.

        The last one may be missing from the list.
        """
        base = manifest.lineage.enrolled_into
        while base is not None:
            yield base
            base = self.manifest(base).lineage.enrolled_into if manifest_path(base) in self.targets else None


class Change:
    """A change of a catalogue that is being made: the next list of targets, and what is written down about it.

    Args:
        catalogue: of the live state.
        root: that the change is signed under, where it is another one than the state's.

    Raises:
        PublicationError: the keys that will sign are missing or are not the root's; nothing was written yet.
    """

    def __init__(self, catalogue: Catalogue, root: Root | None = None) -> None:
        self.catalogue = catalogue
        self._root = root or catalogue.state.root
        self.targets = dict(catalogue.targets)
        self.records: list[Record] = []
        self._signing = catalogue.store.signing(self._root)

    def add(self, path: str, data: bytes) -> None:
        """Write the content of a target, and list it."""
        self.targets[path] = self.catalogue.store.upload(self.catalogue.state, path, data)

    def point(self, channel: str, release: str) -> None:
        """Make a channel name a release."""
        self.add(channel_path(channel), make_pointer(release))

    def remove_channel(self, channel: str) -> None:
        """Take a channel away."""
        self.targets.pop(channel_path(channel), None)

    def remove_releases(self, releases: Iterable[str], kept: Iterable[ReleaseManifest]) -> None:
        """Take releases from the list, with their files but for those that a release which stays has too.

        Args:
            releases: that go.
            kept: the manifests of all releases that stay.
        """
        for release in releases:
            self.targets.pop(manifest_path(release), None)
        needed = {file_path(name, entry) for manifest in kept for name, entry in manifest.published_files.items()}
        for path in [path for path in self.targets if path.startswith("files/") and path not in needed]:
            del self.targets[path]

    def commit(self) -> None:
        """Write the records down and make the change live; nothing is done where nothing changed.

        Raises:
            PublicationError: another publisher was first, or the repository cannot be written.
        """
        if not self.records:
            return
        self.add(histories.PATH, self.catalogue.history.adding(self.records).to_bytes())
        state = self.catalogue.state
        self.catalogue.store.switch(self._root, self.targets, state.version, state.timestamp_bytes, self._signing)


def release_ids(targets: Mapping[str, TargetFile]) -> list[str]:
    """Return the releases whose manifests a list of targets holds."""
    return [path.split("/")[1] for path in targets if path.startswith("releases/")]
