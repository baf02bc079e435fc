"""Several publishers in processes of their own change one repository at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from edge_runtime.device.updates import pull

LOST = "another publisher changed"
# Imports are done when the start is given.
PUBLISHER = """
import json, sys
from pathlib import Path
from discern.errors import PublicationError
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import open_release
url, keys, channel, folders = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
releases = [open_release(Path(folder)) for folder in folders]
print("ready", flush=True)
for line in sys.stdin:
    try:
        ReleaseRepository(url, keys).publish(releases[int(line)], channel)
        told = None
    except PublicationError as error:
        told = str(error)
    except Exception as error:
        told = "traceback: " + repr(error)
    print(json.dumps(told), flush=True)
"""


def races(
    repository: ReleaseRepository, releases: Sequence[Release], count: int, publishers: int
) -> Iterator[str | None]:
    """Yield for each race what was broken afterwards, None where nothing was.

    In a race each publisher puts a release on a channel of its own. It is broken where a device gets none of these
    channels' releases, where one that said it won is not in the state or one that lost is, and where none won.
    """
    channels = [f"channel{number}" for number in range(publishers)]
    for channel in channels:
        repository.publish(releases[1], channel)
    with _publishers(repository, channels, releases) as children, tempfile.TemporaryDirectory() as homes:
        for number in range(count):
            before = {channel: repository.current(channel) for channel in channels}
            wanted = {channel: _another(releases, before[channel]) for channel in channels}
            told = _race(children, [wanted[channel] for channel in channels])
            try:
                after = {channel: repository.current(channel) for channel in channels}
                pull(repository.url, Path(homes) / str(number % 20), channels[0], trusted_root=_root(repository, homes))
            except Exception as error:  # noqa: BLE001  whatever it is counts
                yield f"race {number}: {error} {told}"
                return
            right = {c: releases[wanted[c]].id if t is None else before[c] for c, t in zip(channels, told, strict=True)}
            odd = [words for words in told if words is not None and LOST not in words]
            yield None if after == right and not odd and None in told else f"race {number}: {told} {right} {after}"


def _another(releases: Sequence[Release], current: str | None) -> int:
    return 1 if current == releases[0].id else 0


def _root(repository: ReleaseRepository, folder: str) -> Path:
    path = Path(folder) / "root.json"
    if not path.exists():
        path.write_bytes(repository.store.own_root())
    return path


@contextmanager
def _publishers(
    repository: ReleaseRepository, channels: Sequence[str], releases: Sequence[Release]
) -> Iterator[list[subprocess.Popen[str]]]:
    folders = [str(release.folder) for release in releases]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, repository.url, repository.keys, channel, *folders],
            env=dict(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for channel in channels
    ]
    try:
        for child in children:
            assert _stream(child.stdout).readline() == "ready\n"
        yield children
    finally:
        for child in children:
            child.kill()
            child.wait()
            _stream(child.stdin).close()
            _stream(child.stdout).close()


def _race(children: Sequence[subprocess.Popen[str]], releases: Sequence[int]) -> list[str | None]:
    for child, number in zip(children, releases, strict=True):
        _stream(child.stdin).write(f"{number}\n")
    for child in children:
        _stream(child.stdin).flush()
    return [json.loads(_stream(child.stdout).readline()) for child in children]


def _stream(stream: Any) -> Any:
    assert stream is not None
    return stream
