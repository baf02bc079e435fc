"""Pull: fetch, check and switch to the release that a channel names.

Rules kept:
- a release is fetched through The Update Framework's client only (`repository_client`);
- it is downloaded beside the installed ones, its hashes are checked, and it must pass its self-test in a child process;
- `current` changes last and atomically: cut off at any instruction, the device still names a whole release;
- whatever fails leaves the installed release answering; what was refused is remembered;
- a file that an installed release already has is taken from there, after its hash was checked again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.core.release import MANIFEST_FILE, FileEntry, ReleaseManifest, open_release, parse_manifest
from edge_runtime.core.selftest import run_selftest
from edge_runtime.device.home import Current, Home
from edge_runtime.device.installing import (
    check_space,
    clear_leftovers,
    disk_errors,
    has_file,
    install,
    is_whole,
    read_current_or_none,
    take_installed,
)
from edge_runtime.device.repository_client import RepositoryClient
from edge_runtime.device.repository_paths import manifest_path
from edge_runtime.errors import ReleaseError, UpdateError
from edge_runtime.files import fsync_folder, write_atomically

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PullResult:
    """The outcome of a pull.

    Attributes:
        release: the release that the device now answers with.
        previous: the one before, which stays beside it.
        changed: whether anything was installed or switched.
        downloaded: bytes of release files that came over the network.
        reused: bytes of release files that an installed release already had.
    """

    release: str
    previous: str | None
    changed: bool
    downloaded: int = 0
    reused: int = 0


def pull(
    repository: str,
    home: Path,
    channel: str = "production",
    trusted_root: Path | None = None,
    progress: Progress | None = None,
    *,
    retry: bool = False,
) -> PullResult:
    """Bring the device to the release that `channel` names.

    Args:
        repository: a folder, or a file://, http(s):// or s3:// address.
        home: the device's own folder.
        channel: which line of releases to follow.
        trusted_root: the repository's root.json; needed once, kept under `home`.
        progress: called with the bytes done and the bytes in all.
        retry: try a release again that was refused before.

    Raises:
        UpdateError: it cannot be fetched or must not be trusted; the device answers as before.
        ReleaseError: it was fetched and refused; the device answers as before.
        SettingsError: `repository` is of a kind that is not read here.
    """
    device = Home(home)
    with disk_errors(device), device.lock():
        clear_leftovers(device)
        meter = _Meter(progress)
        client = RepositoryClient(device, repository, trusted_root, meter.received)
        return _Pull(device, client, meter).run(channel, retry=retry)


class _Meter:
    """Adds up the bytes that arrive, once it is told how many there will be."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done = self._total = 0

    def start(self, total: int) -> None:
        """Count towards `total` bytes from here on."""
        self._done, self._total = 0, total

    def received(self, length: int) -> None:
        """Report that `length` bytes more are here."""
        if self._total and self._progress is not None:
            self._done += length
            self._progress(min(self._done, self._total), self._total)


@dataclass(frozen=True)
class _Pull:
    """One pull: a device's folder, and the client that fills it."""

    home: Home
    client: RepositoryClient
    meter: _Meter

    def run(self, channel: str, *, retry: bool) -> PullResult:
        release = self.client.release_of(channel)
        current = read_current_or_none(self.home)
        installed = is_whole(self.home.folder(release), release)
        if current is not None and current.release == release and installed:
            return PullResult(release, current.previous, changed=False)
        self._check_not_bad(release, retry=retry)
        downloaded = reused = 0
        if installed:
            self._accept(release, self.home.folder(release))
        else:
            downloaded, reused = self._download(release)
            self._accept(release, self.home.incoming / release)
            install(self.home, release)
        following = _following(current, release)
        self.home.write_current(following)
        self.home.prune(following)
        return PullResult(release, following.previous, changed=True, downloaded=downloaded, reused=reused)

    def _check_not_bad(self, release: str, *, retry: bool) -> None:
        reason = self.home.bad().get(release)
        if reason is None:
            return
        if not retry:
            raise UpdateError(
                f"release {release} was refused on this device before ({reason}): use --retry to try again."
            )
        self.home.forget_bad(release)

    def _download(self, release: str) -> tuple[int, int]:
        """Fill incoming/ID and return how many bytes were downloaded and how many were here already."""
        folder = self.home.incoming / release
        folder.mkdir(exist_ok=True)
        data = self.client.manifest_of(release)
        manifest = parse_manifest(data, manifest_path(release))
        missing = self._missing(folder, manifest)
        needed = sum(entry.bytes for entry in missing.values())
        check_space(self.home, needed)
        self.meter.start(needed)
        for name, entry in missing.items():
            self.client.download(name, entry, folder / name)
        write_atomically(folder / MANIFEST_FILE, data)
        fsync_folder(folder)
        return needed, manifest.total_bytes - needed

    def _missing(self, folder: Path, manifest: ReleaseManifest) -> dict[str, FileEntry]:
        """Return the files that must come over the network, after all others were put into `folder`."""
        missing = {}
        for name, entry in manifest.files.items():
            path = folder / name
            if not has_file(path, entry) and not take_installed(self.home, path, entry):
                missing[name] = entry
        return missing

    def _accept(self, release: str, folder: Path) -> None:
        """Check every hash, then the answers; remember a release that gives the wrong ones."""
        open_release(folder, release)
        try:
            run_selftest(folder, release)
        except ReleaseError as error:
            self.home.remember_bad(release, str(error))
            shutil.rmtree(self.home.incoming / release, ignore_errors=True)
            raise


def _following(current: Current | None, release: str) -> Current:
    """Return the next `current`; the release before stays, also where this pull repairs the current one."""
    if current is None:
        return Current(release)
    if current.release == release:
        return current
    return Current(release, current.release)
