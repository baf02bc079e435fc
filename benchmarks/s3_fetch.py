"""`python -m benchmarks.s3_fetch`: fetch a version's shards from a bucket, in two processes that want all of them."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import numpy as np
from PIL import Image

from benchmarks.run import BenchmarkParser, positive_int
from discern.datasets.shards import ShardStore
from tests.proxies import Proxy

PROCESSES = 2
SIDE = 480  # pixels of a photo
# Imports are done, and the store is open, when the start is given.
FETCH = """
import sys
from discern.datasets.shards import ShardStore
store = ShardStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
store.fetch(sys.argv[2:])
"""


def main() -> None:
    """Write shards to a bucket; fetch them through a counting proxy, then once more without it for the time."""
    run = command_line().start()
    options = run.options
    with _server() as endpoint, _bucket() as url, tempfile.TemporaryDirectory() as cache:
        os.environ["DISCERN_CACHE"] = cache
        store = ShardStore(url)
        names = [store.write(images)[0] for images in _shards(options.shards, round(options.megabytes * 1e6))]
        store.publish(names)
        size = sum(path.stat().st_size for path in Path(cache).iterdir())
        with Proxy(endpoint) as proxy:
            _fetch(url, names, Path(cache), proxy.url)
            gets, fetched = proxy.count("GET", ".arrow"), proxy.fetched(".arrow")
        seconds = _fetch(url, names, Path(cache), endpoint)
    figures = {
        "shards": len(names),
        "megabytes": round(size / 1e6, 1),
        "processes": PROCESSES,
        "seconds": round(seconds, 2),
        "megabytes_per_second": round(size / 1e6 / seconds, 1),
        "requests": gets,
        "refetched_bytes": fetched - size,
    }
    run.save(figures)


def command_line() -> BenchmarkParser:
    """The options of this benchmark."""
    parser = BenchmarkParser("s3_fetch", __doc__)
    parser.add_trial("--shards", type=positive_int, default=40, help="of the version")
    parser.add_trial("--megabytes", type=float, default=8.0, help="of a shard")
    return parser


def _fetch(url: str, names: list[str], cache: Path, endpoint: str) -> float:
    """Fetch all shards in some processes at once, into an empty cache; returns seconds."""
    for path in cache.iterdir():
        path.unlink()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH, url, *names],
            env={**os.environ, "AWS_ENDPOINT_URL": endpoint},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        _stream(process.stdout).readline()
    start = time.perf_counter()
    for process in processes:
        _stream(process.stdin).write("go\n")
        _stream(process.stdin).flush()
    if any(process.wait() for process in processes):
        raise SystemExit("a process failed; its error is above")
    seconds = time.perf_counter() - start
    if sorted(path.name for path in cache.iterdir()) != sorted(f"{name}.arrow" for name in names):
        raise SystemExit(f"{cache} does not hold the shards, and them alone")
    return seconds


def _stream(stream: Any) -> Any:
    assert stream is not None  # noqa: S101  # it is a pipe
    return stream


def _shards(count: int, size: int) -> Iterator[list[bytes]]:
    photos: list[bytes] = []
    number = 0
    while count:
        photos.append(_photo(number))
        number += 1
        if sum(map(len, photos)) >= size:
            yield photos
            photos, count = [], count - 1


def _photo(number: int) -> bytes:
    """A noisy picture of coloured patches; another number, another picture."""
    rng = np.random.default_rng(number)
    patches = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    noise = np.resize(rng.normal(0, 12, (SIDE, 61, 3)), (SIDE, SIDE, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.asarray(patches) + noise, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@contextmanager
def _server() -> Iterator[str]:
    """The URL of AWS_ENDPOINT_URL, or of a server of our own."""
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        yield endpoint
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    os.environ |= {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark"}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield endpoint
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the S3 server does not start")


@contextmanager
def _bucket() -> Iterator[str]:
    """The address of a place in a bucket that is empty, and gone afterwards."""
    bucket = boto3.resource("s3").Bucket(f"discern-benchmark-{uuid.uuid4().hex[:12]}")
    bucket.create()
    try:
        yield f"s3://{bucket.name}/datasets/shards"
    finally:
        bucket.objects.all().delete()
        bucket.delete()


if __name__ == "__main__":
    main()
