"""Rendering in several processes: plain child interpreters that write photos to a pipe.

Not `multiprocessing`: its fresh interpreters import the caller's main program again, which takes ten seconds under
ZenML's command line and fails in a script without a main guard; and a fork of a process that holds torch's threads may
hang. A child imports this room alone.

Rules kept:
- worker k of n renders the classes k, k + n, ... and the caller reads the classes in turn, so their order is kept;
- a full pipe makes a worker wait, so no more photos wait in memory than the pipes hold;
- when the caller stops reading, or a worker fails, every worker is ended and waited for.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

from discern.errors import DataError
from discern.sources.base import Photo
from discern.sources.pills.config import PillsConfig
from discern.sources.pills.photo import encode_photo

HEADER = struct.Struct("<I")  # bytes of the photo that follows
PIPE_BYTES = 1 << 20  # what a worker may render ahead; Linux's limit for ordinary users
ROOT = Path(__file__).resolve().parents[3]


def class_photos(config: PillsConfig, classes: range) -> Iterator[Photo]:
    """The photos of some classes, rendered here and now."""
    for class_index in classes:
        for number in range(config.photos_per_class):
            yield _photo(config, class_index, number, encode_photo(config, class_index, number))


def render_in_workers(config: PillsConfig, workers: int) -> Iterator[Photo]:
    """The photos of all classes in order, rendered by `workers` processes.

    Raises:
        DataError: a rendering process ended early.
    """
    with ExitStack() as stack:
        crew = [stack.enter_context(_Worker(config, range(k, config.classes, workers))) for k in range(workers)]
        for class_index in range(config.classes):
            for number in range(config.photos_per_class):
                yield _photo(config, class_index, number, crew[class_index % workers].read())


def _photo(config: PillsConfig, class_index: int, number: int, data: bytes) -> Photo:
    label = config.label_of(class_index)
    split, role = config.assignment_of(class_index, number)
    return Photo(name=f"{label}/{number:02d}.jpg", label=label, data=data, split=split, role=role)


class _Worker:
    """A child interpreter that renders some classes."""

    def __init__(self, config: PillsConfig, classes: range) -> None:
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        work = [str(number) for number in (classes.start, classes.stop, classes.step)]
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "discern.sources.pills.workers", config.model_dump_json(), *work],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pipesize=PIPE_BYTES if sys.platform == "linux" else -1,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def read(self) -> bytes:
        """The next photo's bytes."""
        output = cast(IO[bytes], self.process.stdout)
        header = output.read(HEADER.size)
        if len(header) == HEADER.size:
            (length,) = HEADER.unpack(header)
            data = output.read(length)
            if len(data) == length:
                return data
        raise DataError(self._why())

    def _why(self) -> str:
        _, complaints = self.process.communicate()
        lines = complaints.decode(errors="replace").strip().splitlines()
        last = lines[-1] if lines else "it left no message"
        status = self.process.returncode
        return f"a process that renders sample pills ended early with status {status} ({last}): run it again."


def main(arguments: list[str], output: IO[bytes]) -> None:
    """Render the classes that `arguments` name (settings, start, stop, step) to `output`."""
    config = PillsConfig.model_validate_json(arguments[0])
    for photo in class_photos(config, range(*map(int, arguments[1:]))):
        data = photo.load()
        output.write(HEADER.pack(len(data)))
        output.write(data)


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdout.buffer)
