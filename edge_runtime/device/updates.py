"""Pull: fetch, check and switch to the release that a channel names.

Rules kept:
- a release is fetched through The Update Framework's client only: signed, not older than seen, not mixed, not expired;
- it is downloaded beside the installed ones, its hashes are checked, and it must pass its self-test in a child process;
- `current` changes last and atomically: cut off at any instruction, the device still names a whole release;
- whatever fails leaves the installed release answering; what was refused is remembered;
- a file that an installed release already has is taken from there, after its hash was checked again.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tuf.api import exceptions as tuf_errors
from tuf.api.metadata import TargetFile
from tuf.ngclient.updater import Updater

from edge_runtime.core.release import (
    MANIFEST_FILE,
    MANIFEST_MAX_BYTES,
    FileEntry,
    open_release,
    parse_manifest,
    release_id,
)
from edge_runtime.core.selftest import run_selftest
from edge_runtime.device.fetching import MISSING, RepositoryFetcher, repository_url
from edge_runtime.device.home import RELEASE_ID, Current, Home
from edge_runtime.errors import ReleaseError, UpdateError
from edge_runtime.files import fsync_file, fsync_folder, sha256_file, write_atomically

CHANNEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
POINTER_MAX_BYTES = 4096
ROOT_MAX_BYTES = 512_000
SPARE_BYTES = 1024 * 1024  # left free by a download

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PullResult:
    """What a pull did.

    Args:
        release: the release that the device now answers with.
        previous: the one before, kept beside it.
        changed: whether anything was installed or switched.
        downloaded: bytes of release files that came over the network.
        reused: bytes of release files that an installed release already had.
    """

    release: str
    previous: str | None
    changed: bool
    downloaded: int = 0
    reused: int = 0


def channel_path(channel: str) -> str:
    """Return the target path of a channel's pointer.

    Raises:
        UpdateError: it is not a channel's name.
    """
    if not CHANNEL.fullmatch(channel):
        raise UpdateError(f"channel {channel!r} is not a name of small letters, digits, dots, dashes and underscores.")
    return f"channels/{channel}.json"


def manifest_path(release: str) -> str:
    """Return the target path of a release's manifest."""
    return f"releases/{release}/{MANIFEST_FILE}"


def file_path(name: str, entry: FileEntry) -> str:
    """Return the target path of a release's file: by content, so releases share what they have in common."""
    return f"files/{entry.sha256}/{name}"


def parse_pointer(data: bytes, where: str) -> str:
    """Return the release that a channel's pointer names; `where` names it in errors.

    Raises:
        UpdateError: it is not a pointer.
    """
    try:
        content = json.loads(data)
        release = str(content["release"])
        if RELEASE_ID.fullmatch(release) and content["manifest"] == manifest_path(release):
            return release
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UpdateError(f"{where} is not a channel's pointer: publish the channel again.")


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
    place = Home(home)
    with _disk_errors(place), place.lock():
        _clear_leftovers(place)
        return _Pull(place, repository, trusted_root, progress).run(channel, retry=retry)


class _Pull:
    """One pull: the update client with the folder that it fills."""

    def __init__(self, home: Home, repository: str, trusted_root: Path | None, progress: Progress | None) -> None:
        self.home = home
        self.repository = repository
        self.progress = progress or (lambda _done, _total: None)
        self.done = self.total = 0
        url = repository_url(repository)
        anchor = _anchor(home, trusted_root)
        self.fetcher = RepositoryFetcher(home.incoming, self._received)
        with self._tuf_errors():
            self.client = Updater(
                str(home.tuf),
                f"{url}/metadata/",
                target_base_url=f"{url}/targets/",
                fetcher=self.fetcher,
                bootstrap=anchor,
            )
            self.client.refresh()
        if not home.anchor.exists():
            write_atomically(home.anchor, anchor)
        _flush(home.tuf)

    def run(self, channel: str, *, retry: bool) -> PullResult:
        release = self._named_by(channel)
        current = _current_or_none(self.home)
        if current is not None and current.release == release and _is_whole(self.home.folder(release), release):
            return PullResult(release, current.previous, changed=False)
        self._check_not_bad(release, retry=retry)
        downloaded = reused = 0
        if not _is_whole(self.home.folder(release), release):
            downloaded, reused = self._download(release)
            self._accept(release, self.home.incoming / release)
            _install(self.home, release)
        else:
            self._accept(release, self.home.folder(release))
        following = _following(current, release)
        self.home.write_current(following)
        self.home.prune(following)
        return PullResult(release, following.previous, changed=True, downloaded=downloaded, reused=reused)

    def _named_by(self, channel: str) -> str:
        path = channel_path(channel)
        with self._tuf_errors():
            info = self.client.get_targetinfo(path)
        if info is None:
            raise UpdateError(
                f"{self.repository} has no channel {channel!r}: publish a release to it, or name another."
            )
        return parse_pointer(self._fetch_small(info, POINTER_MAX_BYTES), path)

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
        data = self._fetch_small(self._target(manifest_path(release)), MANIFEST_MAX_BYTES)
        if release_id(data) != release:
            raise UpdateError(f"{manifest_path(release)} is not the manifest of release {release}: publish it again.")
        manifest = parse_manifest(data, manifest_path(release))
        missing = {
            name: entry
            for name, entry in manifest.files.items()
            if not _has(folder / name, entry) and not _take_installed(self.home, folder / name, entry)
        }
        self.done, self.total = 0, sum(entry.bytes for entry in missing.values())
        _check_space(self.home, self.total)
        for name, entry in missing.items():
            self._download_file(self._target(file_path(name, entry)), folder / name)
        write_atomically(folder / MANIFEST_FILE, data)
        fsync_folder(folder)
        return self.total, sum(entry.bytes for entry in manifest.files.values()) - self.total

    def _download_file(self, info: TargetFile, path: Path) -> None:
        part = path.with_name(f".{path.name}.part")
        with self._tuf_errors():
            self.client.download_target(info, str(part))
        fsync_file(part)
        part.replace(path)

    def _fetch_small(self, info: TargetFile, limit: int) -> bytes:
        if info.length > limit:
            raise UpdateError(f"{info.path} in {self.repository} is larger than {limit:,} bytes: publish it again.")
        path = self.home.incoming / ".small"
        with self._tuf_errors():
            self.client.download_target(info, str(path))
        return path.read_bytes()

    def _target(self, path: str) -> TargetFile:
        with self._tuf_errors():
            info = self.client.get_targetinfo(path)
        if info is None:
            raise UpdateError(f"{path} is not in {self.repository}: publish the release again.")
        return info

    def _accept(self, release: str, folder: Path) -> None:
        """Check every hash, then the answers; remember a release that gives the wrong ones."""
        open_release(folder, release)
        try:
            run_selftest(folder, release)
        except ReleaseError as error:
            self.home.remember_bad(release, str(error))
            shutil.rmtree(self.home.incoming / release, ignore_errors=True)
            raise

    def _received(self, length: int) -> None:
        if self.total:
            self.done += length
            self.progress(min(self.done, self.total), self.total)

    @contextmanager
    def _tuf_errors(self) -> Iterator[None]:
        """Turn the update client's errors into one sentence each."""
        repository = self.repository
        try:
            yield
        except tuf_errors.ExpiredMetadataError as error:
            raise UpdateError(
                f"the metadata of {repository} has expired ({error}): have it signed again, or set this device's "
                "clock; the installed release goes on answering."
            ) from None
        except tuf_errors.DownloadLengthMismatchError as error:
            raise UpdateError(f"{self._asked()} is not to be trusted ({error}): publish it again.") from None
        except tuf_errors.DownloadHTTPError as error:
            if error.status_code == MISSING:
                raise UpdateError(f"{self._asked()} does not exist: check the repository's address.") from None
            raise UpdateError(
                f"{repository} refused the download ({error}): check the address and the rights."
            ) from None
        except tuf_errors.DownloadError as error:
            full = error.__cause__
            if isinstance(full, OSError) and full.errno in (errno.ENOSPC, errno.EDQUOT):
                raise full from None
            detail = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
            raise UpdateError(f"{repository} cannot be reached ({detail}): check the network and try again.") from None
        except tuf_errors.RepositoryError as error:
            raise UpdateError(f"{self._asked()} is not to be trusted ({error}): publish it again.") from None

    def _asked(self) -> str:
        """What is to blame where a check fails: the file that was fetched last."""
        return self.fetcher.last_url.removeprefix("file://") or self.repository


def _anchor(home: Home, given: Path | None) -> bytes:
    """Return the root of trust: the one kept from the first pull, or the one given now."""
    kept = home.anchor.read_bytes() if home.anchor.exists() else None
    if given is None:
        if kept is None:
            raise UpdateError(f"{home.path} trusts no repository yet: give its root once with --root root.json.")
        return kept
    try:
        data = given.read_bytes()
    except OSError as error:
        raise UpdateError(f"{given} cannot be read ({error.strerror}): name the repository's root.json.") from None
    if len(data) > ROOT_MAX_BYTES:
        raise UpdateError(f"{given} is larger than {ROOT_MAX_BYTES:,} bytes: name the repository's root.json.")
    if kept is not None and kept != data:
        raise UpdateError(f"{given} is not the root that {home.path} trusts: leave --root out, or use another --home.")
    return data


def _clear_leftovers(home: Home) -> None:
    """Remove what an interrupted pull left; whole downloaded files stay, and are hashed again before use."""
    for folder in (home.tuf, home.incoming, home.releases):
        folder.mkdir(parents=True, exist_ok=True)
    leftovers = [*home.path.glob(".*.tmp"), *home.tuf.glob("tmp*"), *home.tuf.glob(".*.tmp")]
    leftovers += [path for pattern in (".small", "*/.*.part", "*/.*.tmp") for path in home.incoming.glob(pattern)]
    for path in leftovers:
        with suppress(FileNotFoundError):
            path.unlink()


def _current_or_none(home: Home) -> Current | None:
    try:
        return home.read_current()
    except ReleaseError:  # damaged: this pull writes it anew
        return None


def _is_whole(folder: Path, release: str) -> bool:
    try:
        open_release(folder, release)
    except ReleaseError:
        return False
    return True


def _has(path: Path, entry: FileEntry) -> bool:
    return path.is_file() and path.stat().st_size == entry.bytes and sha256_file(path) == entry.sha256


def _take_installed(home: Home, path: Path, entry: FileEntry) -> bool:
    """Take a file from an installed release; a hard link where the disk can, as neither is ever written to again."""
    for installed in sorted(home.releases.iterdir()):
        source = installed / path.name
        if not _has(source, entry):
            continue
        path.unlink(missing_ok=True)
        try:
            path.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, path)
            fsync_file(path)
        return True
    return False


def _install(home: Home, release: str) -> None:
    target = home.folder(release)
    if target.exists():  # altered, or it would not have been downloaded again
        shutil.rmtree(target)
    (home.incoming / release).rename(target)
    fsync_folder(home.releases)
    for leftover in home.incoming.iterdir():
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)


def _following(current: Current | None, release: str) -> Current:
    if current is None:
        return Current(release)
    return Current(release, current.previous if current.release == release else current.release)


def _check_space(home: Home, needed: int) -> None:
    free = shutil.disk_usage(home.path).free
    if needed and free < needed + SPARE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            fsync_file(path)
    fsync_folder(folder)


def _give_back(home: Home) -> None:
    """Free what an unfinished pull took: its downloads, and a release that was installed but not switched to."""
    shutil.rmtree(home.incoming, ignore_errors=True)
    current = _current_or_none(home)
    if current is not None:
        home.prune(current)


@contextmanager
def _disk_errors(home: Home) -> Iterator[None]:
    """Say what a full or read-only disk means, and give back the space that the download took."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _give_back(home)
            raise UpdateError(f"the disk of {home.path} is full: free some space and pull again.") from None
        raise UpdateError(f"{error.filename or home.path} cannot be read or written ({error.strerror}).") from None
