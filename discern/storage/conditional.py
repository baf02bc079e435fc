"""Replace a file only while it still is what the writer read: of several writers at once one succeeds.

Rules kept:
- in a folder the writer holds a lock that dies with its process, so that one that was killed blocks nobody;
- in a bucket the server compares (`If-Match`), where an attempt that must be refused shows that it does;
- where it does not, writers take a turn by time (`_by_turn`), which needs no lock that could be left behind.
"""

from __future__ import annotations

import errno
import os
import random
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from discern.storage.atomic import held
from discern.storage.causes import error_code
from edge_runtime.files import write_atomically

WAIT = 2.0  # seconds of a turn; see `_by_turn`
TURNS = 50  # that are tried before a bucket counts as too busy
TRIES = 3  # of a conditional replacement that a server refuses although nothing changed
LOCK_FILE = ".lock"  # of a folder; it stays
TURN_FILE = "turn.json"
NO_CONTENT = '"00000000000000000000000000000000"'  # an ETag that nothing has
REFUSED = frozenset({"412", "409", "PreconditionFailed", "ConditionalRequestConflict", "OperationAborted"})
REFUSED_OR_MISSING = REFUSED | {"404", "NoSuchKey"}
UNKNOWN_CONDITION = frozenset({"501", "NotImplemented", "400", "InvalidArgument", "InvalidRequest"})


def replace_in_folder(path: Path, old: bytes | None, new: bytes) -> bool:
    """Replace `path`, or create it where `old` is None, unless its content is another one by now.

    Where the file system knows no locks, the last of two writers in the same instant wins.

    Raises:
        OSError: the folder cannot be written; what was there is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(LOCK_FILE)
    while True:
        with held(os.open(lock, os.O_RDONLY | os.O_CREAT, 0o644), lock) as there:
            if not there:
                continue
            if _content(path) != old:
                return False
            write_atomically(path, new)
            return True


class BucketReplacer:
    """Replaces objects of one bucket on a condition.

    Args:
        filesystem: of fsspec.
        settings: return what goes with each write of a path.
    """

    def __init__(self, filesystem: Any, settings: Callable[[str], dict[str, str]]) -> None:
        self._filesystem = filesystem
        self._settings = settings
        self._conditional: bool | None = None

    def replace(self, path: str, old: bytes | None, new: bytes) -> bool:
        """Replace the object at `path`, or create it where `old` is None, unless its content is another one by now.

        Raises:
            OSError: the bucket cannot be written, or is too busy; what was there is unchanged.
        """
        turn = f"{path.rpartition('/')[0]}/{TURN_FILE}"
        if self._conditional is None:
            self._conditional = self._knows_conditions(turn)
        if self._conditional:
            for _ in range(TRIES):
                done = self._by_server(path, old, new)
                if done is not None:
                    return done
        return self._by_turn(turn, path, old, new)

    def _knows_conditions(self, turn: str) -> bool:
        """Try what must be refused. A turn that another writer waits for is at worst waited for again."""
        if "s3" not in self._filesystem.protocol:
            return False
        try:
            self._filesystem.pipe_file(turn, _token(), IfMatch=NO_CONTENT)
        except OSError as error:
            code = error_code(error)
            if code in REFUSED_OR_MISSING:
                return True
            if code in UNKNOWN_CONDITION:
                return False
            raise
        return False

    def _by_server(self, path: str, old: bytes | None, new: bytes) -> bool | None:
        """Return None where the server refuses although the content is what it was."""
        # The tag first: with the content of a later moment it is refused, and never the other way round.
        condition = {"IfNoneMatch": "*"} if old is None else {"IfMatch": self._tag(path)}
        if self._read(path) != old:
            return False
        try:
            self._write(path, new, **condition)
        except OSError as error:
            if error_code(error) not in REFUSED_OR_MISSING:
                raise
            content = self._read(path)
            if content == new:  # written by a try whose answer was lost
                return True
            return None if content == old else False
        return True

    def _by_turn(self, turn: str, path: str, old: bytes | None, new: bytes) -> bool:
        """Replace after a turn by time, as in Fischer's algorithm.

        A writer puts its own token down, waits, and goes on if it still lies there: it was the last. Whoever puts one
        down later waits for as long, and then sees the new content.

        It assumes that a write is seen at once when it is done, and that reading and writing a small object twice take
        less than `WAIT`; a writer that was slower up to its replacement begins again. Where the assumption fails, the
        later of two writers wins, and what the other wrote is not live.
        """
        for _ in range(TURNS):
            token = _token()
            self._filesystem.pipe_file(turn, token)
            time.sleep(WAIT)
            began = time.monotonic()
            mine = self._read(turn) == token
            if self._read(path) != old:
                return False
            if mine and time.monotonic() - began < WAIT / 4:
                self._write(path, new)
                return self._read(path) == new
            time.sleep(random.uniform(0, WAIT))  # noqa: S311  of writers that go on together one should be the last
        raise OSError(errno.EBUSY, "too many others write to it", path)

    def _read(self, path: str) -> bytes | None:
        try:
            return bytes(self._filesystem.cat_file(path))
        except FileNotFoundError:
            return None

    def _write(self, path: str, data: bytes, **condition: str) -> None:
        self._filesystem.pipe_file(path, data, **self._settings(path), **condition)

    def _tag(self, path: str) -> str:
        try:
            return str(self._filesystem.info(path)["ETag"])
        except FileNotFoundError:
            return NO_CONTENT


def _token() -> bytes:
    return uuid.uuid4().hex.encode()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
