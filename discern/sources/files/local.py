"""Files below one root, in a folder, a zip archive or a bucket, read one at a time; an archive is never unpacked.

Rules kept:
- nothing outside the root is read: links that leave it, and names that would, are refused;
- a file is read up to a limit, whatever its header says of its size;
- files that operating systems leave behind (hidden ones, `__MACOSX`) do not exist here.
"""

from __future__ import annotations

import lzma
import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from discern.errors import DataError
from discern.sources.files.tree import READ_LIMIT, changed_sentence, has_litter, hash_listing, is_litter, leads_out
from discern.sources.files.zip_names import member_names

MAX_MEMBERS = 5_000_000  # of an archive
MAX_UNPACKED = 1 << 30  # bytes; a smaller archive is no bomb, however well it is packed
# Where programs keep the files that they put links to in a folder of photos.
ANNEX, DVC, DVC_3 = "/.git/annex/objects/", "/.dvc/cache/", "/files/md5/"
FETCH = {ANNEX: "run `git annex get`", DVC: "run `dvc pull`", DVC_3: "run `dvc pull`"}
COPY = {ANNEX: "run `git annex unlock`"} | dict.fromkeys(
    (DVC, DVC_3), "run `dvc config cache.type copy` and `dvc checkout --relink`"
)
MAX_RATIO = 200  # photos hardly shrink when they are packed; a bomb unpacks to a thousand times its size


class FolderTree:
    """Files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.name = self.root.name
        self.location = str(root)
        self._stamps: Mapping[str, str] = dict(sorted(self._walk()))
        self.files = tuple(self._stamps)

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes:
        """The content of one file."""
        try:
            with (self.root / path).open("rb") as file:
                data = file.read(limit)
                changed = _stat_stamp(os.fstat(file.fileno())) != self._stamps[path]
        except OSError as error:
            raise DataError(f"{self.location}/{path} cannot be read ({error.strerror}): mend or remove it.") from error
        if changed:
            raise DataError(changed_sentence(f"{self.location}/{path}"))
        return data

    def stamp(self, path: str) -> str:
        """Size and time of change."""
        return self._stamps[path]

    def fingerprint(self) -> str:
        """A hash of all paths and stamps."""
        return hash_listing(list(self._stamps.items()))

    def _walk(self) -> Iterator[tuple[str, str]]:
        """Yield each file's path and stamp; plain strings, since there may be millions."""
        start = len(str(self.root).rstrip("/")) + 1
        folders = [str(self.root)]
        while folders:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        if self._is_file(entry, folders):
                            yield self._checked(entry.path[start:], entry.stat())
            except OSError as error:  # noqa: PERF203  the folder that cannot be read is named
                raise DataError(
                    f"{error.filename} cannot be read ({error.strerror}): check its permissions."
                ) from error

    def _is_file(self, entry: os.DirEntry[str], folders: list[str]) -> bool:
        """Return True for a file; a folder is added to `folders`, and litter is passed over."""
        if is_litter(entry.name):
            return False
        if entry.is_symlink():
            self._check_link(Path(entry.path))
        if not entry.is_dir():
            return True
        folders.append(entry.path)
        return False

    def _checked(self, path: str, facts: os.stat_result) -> tuple[str, str]:
        if not stat.S_ISREG(facts.st_mode):
            raise DataError(f"{self.location}/{path} is a pipe, a socket or a device: remove it.")
        if not path.isascii() and any("\ud800" <= letter <= "\udfff" for letter in path):
            raise DataError(
                f"the name of {path.encode(errors='backslashreplace')!r} in {self.location} is not UTF-8: rename it."
            )
        return path, _stat_stamp(facts)

    def _check_link(self, link: Path) -> None:
        target = link.resolve()
        if target.is_dir():
            raise DataError(f"{link} is a link to another folder: put a copy of the files in its place.")
        if not target.exists():
            raise DataError(f"{link} is a link to a file that does not exist: {_mend(target, FETCH, 'remove it')}.")
        if not target.is_relative_to(self.root):
            mend = _mend(target, COPY, "put a copy in its place")
            raise DataError(f"{link} is a link to a file outside of {self.location}: {mend}.")


class ZipTree:
    """Members of a zip archive.

    Args:
        location: the archive's path or address, as the caller gave it.
        file: the archive, or its path; the threads that read members take turns at it.
        size: of the archive, bytes.
        encoding: of names that do not say theirs; None to find it.

    Raises:
        DataError: it is damaged or unsafe, or its names cannot be read.
    """

    def __init__(self, location: str, file: Path | BinaryIO, size: int, encoding: str | None = None) -> None:
        self.name = PurePosixPath(location).stem
        self.location = location
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DataError(f"{location} is no readable zip archive ({error}): copy or pack it again.") from None
        infos = self._zip.infolist()
        if len(infos) > MAX_MEMBERS:
            raise DataError(f"{location} has {len(infos):,} members, more than {MAX_MEMBERS:,}: unpack it.")
        named = zip(member_names(infos, location, encoding), infos, strict=True)
        members = sorted((named_info for named_info in named if not named_info[0].endswith("/")), key=itemgetter(0))
        self._check(members, size)
        self._members = {name: member for name, member in members if not has_litter(name)}
        self.files = tuple(self._members)

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes:
        """The content of one member."""
        try:
            with self._zip.open(self._members[path]) as file:
                return file.read(limit)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError) as error:
            raise DataError(
                f"{path} in {self.location} is damaged ({error}): copy or pack the archive again."
            ) from None
        except RuntimeError:  # what zipfile raises where a password is needed
            raise DataError(f"{path} in {self.location} is encrypted: pack the archive without a password.") from None

    def stamp(self, path: str) -> str:
        """Size and checksum, from the archive's directory."""
        return f"{self._members[path].file_size} {self._members[path].CRC:08x}"

    def fingerprint(self) -> str:
        """A hash of all paths and stamps."""
        return hash_listing([(path, self.stamp(path)) for path in self._members])

    def _check(self, members: list[tuple[str, zipfile.ZipInfo]], packed: int) -> None:
        for name, _ in members:
            if leads_out(name):
                raise DataError(
                    f"{self.location} holds {name!r}, a path that is absolute or leads out of the archive: pack it "
                    "again, from inside its folder."
                )
        self._check_once([name for name, _ in members])
        unpacked = sum(member.file_size for _, member in members)
        if unpacked > MAX_UNPACKED and unpacked > MAX_RATIO * packed:
            raise DataError(
                f"{self.location} would unpack to {unpacked:,} bytes, {unpacked // packed:,} times its size, like a "
                "zip bomb: pack the photos as they are."
            )

    def _check_once(self, names: list[str]) -> None:
        for name, count in Counter(names).most_common(1):
            if count > 1:
                raise DataError(f"{self.location} holds {name} {count} times: pack it again, with each file once.")


def _mend(target: Path, mends: Mapping[str, str], otherwise: str) -> str:
    """Return what to do about a link to `target`, by the store of a program that it lies in."""
    return next((mend for place, mend in mends.items() if place in target.as_posix()), otherwise)


def _stat_stamp(facts: os.stat_result) -> str:
    # The time of the last change of any kind: a file that took the place of another may have kept its own.
    return f"{facts.st_size} {facts.st_mtime_ns} {facts.st_ctime_ns}"
