from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from discern.storage.atomic import ABANDONED_AFTER, atomic, one_at_a_time, scratch, settle, sweep

WRITER = """
import sys
from pathlib import Path
from discern.storage.atomic import one_at_a_time, scratch

folder = Path(sys.argv[1])
with scratch(folder) as one, one_at_a_time(folder / "shard") as other:
    one.write_bytes(b"half")
    other.write_bytes(b"half")
    print(one.name, other.name, flush=True)
    sys.stdin.read()
"""

FORKS = """
import os, signal, sys, time
from pathlib import Path
from discern.storage.atomic import scratch, sweep

folder = Path(sys.argv[1])
with scratch(folder) as temporary:
    child = os.fork()
    if child == 0:
        time.sleep(60)
    temporary.rename(folder / ".partial-kept")
sweep(folder)
os.kill(child, signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def writer(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process that is in the middle of writing two files, and their names."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        yield process, sorted(process.stdout.readline().split())
        process.kill()


def test_a_file_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with atomic(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o644


def test_an_error_leaves_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("former")

    def fail() -> None:
        with atomic(target) as temporary:
            temporary.write_text("half")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    assert target.read_text() == "former"
    assert list(tmp_path.iterdir()) == [target]


def test_scratch_is_gone_afterwards(tmp_path: Path) -> None:
    with scratch(tmp_path) as temporary:
        temporary.write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_living_writer_keeps_its_files_and_a_killed_one_does_not(tmp_path: Path) -> None:
    with writer(tmp_path) as (process, halves):
        with scratch(tmp_path):
            pass
        assert names(tmp_path) == halves
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert names(tmp_path) == halves
        with scratch(tmp_path) as temporary:
            assert names(tmp_path) == [temporary.name]
    assert names(tmp_path) == []


def test_what_a_killed_writer_began_is_made_by_the_next(tmp_path: Path) -> None:
    with writer(tmp_path) as (process, _):
        process.kill()
        process.wait()
    with one_at_a_time(tmp_path / "shard") as temporary:
        assert temporary
        assert temporary.read_bytes() == b""
        temporary.write_text("whole")
        settle(temporary, tmp_path / "shard")
    assert names(tmp_path) == ["shard"]


def test_one_makes_it_and_the_others_find_it(tmp_path: Path) -> None:
    makers: list[int] = []

    def make(number: int) -> str:
        with one_at_a_time(tmp_path / "shard") as temporary:
            if temporary:
                makers.append(number)
                time.sleep(0.05)
                temporary.write_text("whole")
                settle(temporary, tmp_path / "shard")
        return (tmp_path / "shard").read_text()

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(make, range(16))) == {"whole"}
    assert len(makers) == 1
    assert names(tmp_path) == ["shard"]


def test_where_the_first_fails_the_next_makes_it(tmp_path: Path) -> None:
    entered, failed = threading.Event(), threading.Event()

    def fail() -> None:
        with one_at_a_time(tmp_path / "shard"):
            entered.set()
            time.sleep(0.1)
            failed.set()
            raise ValueError

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(fail)
        entered.wait()
        with one_at_a_time(tmp_path / "shard") as temporary:
            assert failed.is_set()
            assert temporary
        assert isinstance(first.exception(), ValueError)
    assert names(tmp_path) == []


def test_writers_and_sweepers_do_not_meet(tmp_path: Path) -> None:
    """A file that is a moment old, and not yet locked, may be swept: its writer then begins another."""
    stop = threading.Event()

    def clean() -> None:
        while not stop.is_set():
            sweep(tmp_path)

    def write(number: int) -> None:
        with atomic(tmp_path / str(number)) as temporary:
            temporary.write_text(str(number))

    with ThreadPoolExecutor(4) as pool:
        cleaner = pool.submit(clean)
        list(pool.map(write, range(300)))
        stop.set()
        cleaner.result()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {str(i): str(i) for i in range(300)}


def test_a_child_forked_meanwhile_does_not_keep_the_lock(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKS, str(tmp_path)], check=True)
    assert names(tmp_path) == []


def test_without_locks_only_what_is_old_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(handle: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    for name in ("old", "new"):
        (tmp_path / f".partial-{name}").touch()
    before = time.time() - ABANDONED_AFTER - 10
    os.utime(tmp_path / ".partial-old", (before, before))
    with one_at_a_time(tmp_path / "shard") as one, one_at_a_time(tmp_path / "shard") as other:
        assert one != other
        assert one
        assert other
        one.write_text("whole")
        settle(one, tmp_path / "shard")
    assert names(tmp_path) == [".partial-new", "shard"]
