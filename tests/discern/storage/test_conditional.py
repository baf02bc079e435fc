"""Replace a file while it is what was read: in a folder, and in buckets whose servers compare, or do not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from discern.storage import conditional
from discern.storage.remote import Storage


class Server:
    """An S3 server's objects as fsspec shows them; `answer` says what a write on a condition gets."""

    protocol = ("s3",)

    def __init__(self, answer: str | None = None) -> None:
        self.answer = answer
        self.objects: dict[str, bytes] = {}
        self.writes: list[str] = []

    def cat_file(self, path: str) -> bytes:
        try:
            return self.objects[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def info(self, path: str) -> dict[str, str]:
        return {"ETag": f'"{hash(self.cat_file(path))}"'}

    def pipe_file(self, path: str, data: bytes, **settings: str) -> None:
        if self.answer is not None and settings:
            raise OSError("refused") from ClientError({"Error": {"Code": self.answer}}, "PutObject")
        self.writes.append(path)
        self.objects[path] = data


@pytest.fixture(params=["folder", "compares", "does not compare", "ignores the condition"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Storage]:
    """Opens one empty place anew."""
    monkeypatch.setattr(conditional, "WAIT", 0.4)
    if request.param == "folder":
        return lambda: Storage(str(tmp_path))
    request.getfixturevalue("s3_environment")
    boto3.client("s3").create_bucket(Bucket="conditional-tests")
    if request.param != "compares":
        answer = request.param != "ignores the condition"

        def knows(self: conditional.BucketReplacer, turn: str) -> bool:
            if not answer:
                self._filesystem.pipe_file(turn, b"probe")
            return False

        monkeypatch.setattr(conditional.BucketReplacer, "_knows_conditions", knows)
    return lambda: Storage(f"s3://conditional-tests/{tmp_path.name}")


def test_a_file_is_replaced_while_it_is_what_was_read(place: Callable[[], Storage]) -> None:
    files = place()
    assert files.replace_if("a/b", None, b"first")
    assert not files.replace_if("a/b", None, b"again")
    assert not files.replace_if("a/b", b"other", b"second")
    assert place().read("a/b") == b"first"
    assert files.replace_if("a/b", b"first", b"second")
    assert not files.replace_if("a/c", b"first", b"second")
    assert (place().read("a/b"), place().read("a/c")) == (b"second", None)


def test_of_several_at_once_one_wins(place: Callable[[], Storage]) -> None:
    place().replace("a/b", b"old")

    def replace(number: int) -> bool:
        return place().replace_if("a/b", b"old", str(number).encode())

    with ThreadPoolExecutor(3) as pool:
        won = list(pool.map(replace, range(3)))
    assert won.count(True) == 1
    assert place().read("a/b") == str(won.index(True)).encode()


def test_a_writer_that_was_killed_blocks_nobody(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"""
import fcntl, os, time
handle = os.open({str(tmp_path / ".lock")!r}, os.O_RDONLY | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
""",
        ],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    done = threading.Event()

    def write() -> None:
        Storage(str(tmp_path)).replace_if("a", None, b"new")
        done.set()

    threading.Thread(target=write, daemon=True).start()
    assert not done.wait(0.3)
    os.kill(child.pid, signal.SIGKILL)
    assert done.wait(10)
    child.wait()
    child.stdout.close()
    assert (tmp_path / "a").read_bytes() == b"new"


def test_what_a_server_answers_to_a_condition_that_cannot_hold_tells_whether_it_compares() -> None:
    for answer, compares in (
        ("PreconditionFailed", True),
        ("412", True),
        ("NoSuchKey", True),
        ("NotImplemented", False),
    ):
        replacer = conditional.BucketReplacer(Server(answer), lambda _path: {})
        assert replacer._knows_conditions("b/turn.json") is compares
    assert conditional.BucketReplacer(Server(), lambda _path: {})._knows_conditions("b/turn.json") is False
    with pytest.raises(OSError, match="refused"):
        conditional.BucketReplacer(Server("AccessDenied"), lambda _path: {})._knows_conditions("b/turn.json")


def test_a_server_that_refuses_although_nothing_changed_is_left_for_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditional, "WAIT", 0.05)
    server = Server("412")
    server.objects["b/file"] = b"old"
    assert conditional.BucketReplacer(server, lambda _path: {}).replace("b/file", b"old", b"new")
    assert server.objects["b/file"] == b"new"
    assert server.writes == ["b/turn.json", "b/file"]


def test_an_answer_that_was_lost_counts_where_the_content_is_there() -> None:
    server = Server("412")
    server.objects["b/file"] = b"old"
    replacer = conditional.BucketReplacer(server, lambda _path: {})
    write = server.pipe_file

    def write_and_refuse(path: str, data: bytes, **settings: str) -> None:
        if path == "b/file":
            server.objects[path] = data
        write(path, data, **settings)

    server.pipe_file = write_and_refuse  # type: ignore[method-assign]
    assert replacer.replace("b/file", b"old", b"new")
    assert server.writes == []


def test_a_writer_that_was_too_slow_takes_another_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditional, "WAIT", 0.2)
    server = Server("NotImplemented")
    server.objects["b/file"] = b"old"
    read, slow = server.cat_file, [True]

    def cat_file(path: str) -> bytes:
        if path == "b/file" and slow.pop() if slow else False:
            time.sleep(0.3)
        return read(path)

    server.cat_file = cat_file  # type: ignore[method-assign]
    assert conditional.BucketReplacer(server, lambda _path: {}).replace("b/file", b"old", b"new")
    assert server.writes == ["b/turn.json", "b/turn.json", "b/file"]


def test_a_writer_that_others_overtake_all_the_time_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditional, "WAIT", 0.001)
    monkeypatch.setattr(conditional, "TURNS", 3)
    server = Server("NotImplemented")
    server.objects["b/file"] = b"old"
    read = server.cat_file
    server.cat_file = lambda path: b"another" if path.endswith("turn.json") else read(path)  # type: ignore[method-assign]
    with pytest.raises(OSError, match="too many others write to it"):
        conditional.BucketReplacer(server, lambda _path: {}).replace("b/file", b"old", b"new")
