"""A repository as the device sees it: only what The Update Framework's client has checked comes out of here.

Rules kept:
- metadata is signed, not older than seen, not mixed and not expired, or nothing is fetched;
- a file has the length and the hash that the signed metadata state;
- the root of trust is given once and kept; another one is refused, unless the first one leads to it;
- every error of the client becomes one sentence that names the file to blame.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tuf.api import exceptions as tuf_errors
from tuf.api.metadata import Metadata, Root, TargetFile, Targets
from tuf.ngclient.updater import Updater

from edge_runtime.core.release import MANIFEST_MAX_BYTES, FileEntry, release_id
from edge_runtime.device.fetching import MISSING, RepositoryFetcher, WebPageError
from edge_runtime.device.home import Home
from edge_runtime.device.repository_address import parse_address
from edge_runtime.device.repository_paths import channel_named, channel_path, file_path, manifest_path, parse_pointer
from edge_runtime.errors import UpdateError
from edge_runtime.files import fsync_file, fsync_folder, rename_durably, write_atomically

POINTER_MAX_BYTES = 4096
ROOT_MAX_BYTES = 512_000
PAUSE = 0.5  # seconds before a repository that seems behind is asked once more
STALE = (tuf_errors.BadVersionNumberError, tuf_errors.LengthOrHashMismatchError)
LATER = "a server or a cache on the way may hold an old or a damaged copy, so pull again later"
GOES_ON = "the installed release goes on answering."


class RepositoryClient:
    """The update client of one pull, refreshed: what it names is what the repository says now.

    Args:
        home: the device's own folder; trust is kept there, and downloads arrive there.
        repository: a folder, or a file://, http(s):// or s3:// address.
        trusted_root: the repository's root.json; needed once.
        received: called with the length of each piece that arrives.

    Raises:
        UpdateError: the repository cannot be reached or must not be trusted.
        SettingsError: `repository` is of a kind that is not read here.
    """

    def __init__(self, home: Home, repository: str, trusted_root: Path | None, received: Callable[[int], None]) -> None:
        self._home = home
        self._address = parse_address(repository)
        self._repository = self._address.url.removeprefix("file://")
        anchor, given = _anchor(home, trusted_root)
        self._fetcher = RepositoryFetcher(home.incoming, received, self._address)
        with self._sentences():
            try:
                self._updater = self._refreshed(anchor)
            except STALE:  # one of several servers, or a cache, may be behind: ask once more
                time.sleep(PAUSE)
                self._updater = self._refreshed(anchor)
        if given is not None and not _has_followed(home, given):
            raise UpdateError(_other_root(trusted_root, home))
        if not home.anchor.exists():
            write_atomically(home.anchor, anchor)
        _flush(home.tuf)

    def release_of(self, channel: str) -> str:
        """Return the release that a channel names.

        Raises:
            UpdateError: there is no such channel, or its pointer is none.
        """
        path = channel_path(channel)
        target = self._find(path)
        if target is None:
            raise UpdateError(f"{self._repository} has no channel {channel!r}{self._other_channels()}")
        return parse_pointer(self._read(target, POINTER_MAX_BYTES), path)

    def manifest_of(self, release: str) -> bytes:
        """Return the bytes of a release's manifest.

        Raises:
            UpdateError: it is not there, or is another release's.
        """
        path = manifest_path(release)
        data = self._read(self._target(path), MANIFEST_MAX_BYTES)
        if release_id(data) != release:
            raise UpdateError(f"{path} is not the manifest of release {release}: publish it again.")
        return data

    def download(self, name: str, entry: FileEntry, path: Path) -> None:
        """Download a release's file to `path`, durably; cut off, a part of it lies beside `path` under another name.

        Raises:
            UpdateError: it is not there, or must not be trusted.
        """
        target = self._target(file_path(name, entry))
        part = path.with_name(f".{path.name}.part")
        with self._sentences():
            self._updater.download_target(target, str(part))
        rename_durably(part, path)

    def _refreshed(self, anchor: bytes) -> Updater:
        url = self._address.url
        updater = Updater(
            str(self._home.tuf),
            f"{url}/metadata/",
            target_base_url=f"{url}/targets/",
            fetcher=self._fetcher,
            bootstrap=anchor,
        )
        updater.refresh()
        return updater

    def _other_channels(self) -> str:
        """Return the end of a sentence: the channels that the repository has, and the mend."""
        targets = Metadata[Targets].from_file(str(self._home.tuf / "targets.json")).signed.targets
        channels = sorted(name for path in targets if (name := channel_named(path)))
        if not channels:
            return " and no other: publish a release to it."
        return f", but {', '.join(channels)}: name one of them with --channel, or publish a release to it."

    def _find(self, path: str) -> TargetFile | None:
        with self._sentences():
            return self._updater.get_targetinfo(path)

    def _target(self, path: str) -> TargetFile:
        target = self._find(path)
        if target is None:
            raise UpdateError(f"{path} is not in {self._repository}: publish the release again.")
        return target

    def _read(self, target: TargetFile, max_bytes: int) -> bytes:
        if target.length > max_bytes:
            raise UpdateError(
                f"{target.path} in {self._repository} is larger than {max_bytes:,} bytes: publish it again."
            )
        path = self._home.incoming / ".small"
        with self._sentences():
            self._updater.download_target(target, str(path))
        return path.read_bytes()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turn the update client's errors into one sentence each."""
        try:
            yield
        except (tuf_errors.DownloadError, tuf_errors.RepositoryError) as error:
            _raise_if_disk_is_full(error)
            sentence = _sentence(error, self._repository, self._last_file())
            raise UpdateError(self._address.without_query(sentence)) from None

    def _last_file(self) -> str:
        """Return the file that was fetched last, which is to blame where a check fails."""
        return self._fetcher.last_url.removeprefix("file://") or self._repository


def _sentence(error: Exception, repository: str, file: str) -> str:
    if isinstance(error, (tuf_errors.RepositoryError, tuf_errors.DownloadLengthMismatchError)):
        return _distrust(error, repository, file)
    if isinstance(error, WebPageError):
        return (
            f"{file} came as a web page: log in to the network that this device is in, or check the repository's "
            f"address; {GOES_ON}"
        )
    if isinstance(error, tuf_errors.DownloadHTTPError):
        if error.status_code == MISSING:
            return f"{file} does not exist: check the repository's address."
        return f"{repository} refused the download ({error}): check the address and the rights."
    detail = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
    return f"{repository} cannot be reached ({detail}): check the network and try again."


def _distrust(error: Exception, repository: str, file: str) -> str:
    """Return the sentence about metadata, or a file, that the update client refuses."""
    if isinstance(error, tuf_errors.ExpiredMetadataError):
        return (
            f"the metadata of {repository} has expired ({error}): have it signed again, or set this device's clock; "
            f"{GOES_ON}"
        )
    if isinstance(error, tuf_errors.BadVersionNumberError):
        mend = f"it is older than what this device saw before; {LATER}"
    elif isinstance(error, tuf_errors.UnsignedMetadataError):
        mend = "no key that this device trusts signed it; check the repository's address, or have it signed again"
    else:
        mend = f"it is not what was published; {LATER}"
    return f"{file} is not to be trusted ({error}): {mend}; {GOES_ON}"


def _raise_if_disk_is_full(error: Exception) -> None:
    """A download that the disk has no room for says nothing about the repository."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
        raise cause from None


def _anchor(home: Home, trusted_root: Path | None) -> tuple[bytes, bytes | None]:
    """Return the root of trust, kept from the first pull or given now, and one that is given now and yet to be checked.

    A repository whose keys were changed gives out a later root: it counts if the one that is trusted leads to it.
    """
    known = home.anchor.read_bytes() if home.anchor.exists() else None
    if trusted_root is None:
        if known is None:
            raise UpdateError(f"{home.path} trusts no repository yet: give its root once with --root root.json.")
        return known, None
    data = _read_root(trusted_root)
    if known is None or known == data or _has_followed(home, data):
        return known or data, None
    if _version(data) <= _version(known):
        raise UpdateError(_other_root(trusted_root, home))
    return known, data


def _has_followed(home: Home, root: bytes) -> bool:
    """Return True where the update client came by this root on its way from the one that was given once."""
    return any(path.read_bytes() == root for path in (home.tuf / "root_history").glob("*.root.json"))


def _version(root: bytes) -> int:
    try:
        return Metadata[Root].from_bytes(root).signed.version
    except tuf_errors.RepositoryError:
        return 0


def _other_root(path: Path | None, home: Home) -> str:
    return f"{path} is not the root that {home.path} trusts: leave --root out, or use another --home."


def _read_root(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UpdateError(f"{path} cannot be read ({error.strerror}): name the repository's root.json.") from None
    if len(data) > ROOT_MAX_BYTES:
        raise UpdateError(f"{path} is larger than {ROOT_MAX_BYTES:,} bytes: name the repository's root.json.")
    return data


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            fsync_file(path)
    fsync_folder(folder)
