"""`python -m benchmarks.publish_race`: publishers in several processes change one repository at once.

On a folder, on moto (an S3 server that compares before it replaces) and on Swift (one that does not). `broken` counts
the races after which a client failed, after which one that said it won is not in the state or one that lost is, or that
none won; a device pulls after each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from s3fs import S3FileSystem

from benchmarks.run import BenchmarkParser, positive_int
from discern.progress import bar
from discern.publication.repository import ReleaseRepository
from edge_runtime.device import updates
from tests import swift_server
from tests.discern.publication.races import races
from tests.edge_runtime.toy_release import COLOURS, build_toy

STORES = ("folder", "moto", "swift")
MOTO = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark", "AWS_DEFAULT_REGION": "us-east-1"}


def main() -> None:
    """Let publishers race on each store, and count what was broken."""
    run = command_line().start()
    # The self-test in a child process takes most of a pull, and knows no repository.
    vars(updates)["run_selftest"] = _no_selftest
    figures: dict[str, int] = {"races": 0, "broken": 0}
    for store in [run.options.store] if run.options.store else STORES:
        found = _race_on(store, run.options.races, run.options.publishers)
        broken = [what for what in found if what]
        sys.stderr.writelines(f"{store}, {what}\n" for what in broken)
        figures |= {f"{store}_races": len(found), f"{store}_broken": len(broken)}
        figures["races"] += len(found)
        figures["broken"] += len(broken)
    run.save(figures)


def command_line() -> BenchmarkParser:
    """The options of this benchmark."""
    parser = BenchmarkParser("publish_race", __doc__)
    parser.add_trial("--store", choices=STORES, help="on this one alone")
    parser.add_trial("--races", type=positive_int, default=200, help="on each store")
    parser.add_trial("--publishers", type=positive_int, default=4, help="at once")
    return parser


def _no_selftest(_folder: Path, _release: str) -> None:
    return


def _race_on(store: str, count: int, publishers: int) -> list[str | None]:
    with tempfile.TemporaryDirectory() as work, _place(store, Path(work)) as url:
        releases = [
            build_toy(Path(work) / f"release-{number}", colours={**COLOURS, "orange": (250, 140, 20 + number)})
            for number in range(2)
        ]
        repository = ReleaseRepository(url, Path(work) / "keys")
        repository.initialise()
        found = races(repository, releases, count, publishers)
        return list(bar(found, total=count, name=f"races on {store}", unit="race"))


@contextmanager
def _place(store: str, work: Path) -> Iterator[str]:
    """The address of an empty place of the store."""
    if store == "folder":
        yield str(work / "repository")
        return
    bucket = f"race-{uuid.uuid4().hex[:12]}"
    with _moto() if store == "moto" else _swift(work) as endpoint:
        # s3fs keeps one client for all addresses: that of the store before.
        S3FileSystem.clear_instance_cache()
        os.environ |= {**(MOTO if store == "moto" else swift_server.CREDENTIALS), "AWS_ENDPOINT_URL": endpoint}
        boto3.session.Session().client("s3").create_bucket(Bucket=bucket)
        yield f"s3://{bucket}/releases"


@contextmanager
def _moto() -> Iterator[str]:
    port = swift_server.free_ports(1)[0]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            swift_server.wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@contextmanager
def _swift(work: Path) -> Iterator[str]:
    installed = swift_server.environment()
    if installed is None:
        raise SystemExit("Swift is not installed: run `make .tools/swift/installed`.")
    with swift_server.swift_server(installed, work / "swift") as endpoint:
        yield endpoint


if __name__ == "__main__":
    main()
