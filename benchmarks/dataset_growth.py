"""`python -m benchmarks.dataset_growth`: what a version costs to build, and what it costs to add 100 photos to it.

Each size is built in a process of its own, which tells its peak memory.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.photos import fill
from benchmarks.results import REPOSITORY
from benchmarks.run import BenchmarkParser, positive_int
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import load_manifest, save_manifest
from discern.sources.folder import FolderConfig, FolderSource

SIZES = (10_000, 100_000)
ADDED, PER_CLASS, SIDE = 100, 100, 224
FEWEST_CLASSES = 8  # that a version can be split into training, validation and test
BUILD = "import sys, pathlib, benchmarks.dataset_growth as b; b.build(pathlib.Path(sys.argv[1]), sys.argv[2])"


def main() -> None:
    """Make photos, build, add, and compare."""
    run = command_line().start()
    sizes = sorted(run.options.sizes)
    figures: dict[str, float | int] = {"photos": sizes[-1], "added": ADDED, "side": SIDE}
    with tempfile.TemporaryDirectory() as temporary:
        for size in sizes:
            place, classes = Path(temporary) / str(size), max(FEWEST_CLASSES, size // PER_CLASS)
            _make(place / "photos", range(size), classes)
            built = _measured(place, "first")
            _make(place / "photos", range(size, size + ADDED), classes)
            added = _measured(place, "second")
            figures[f"peak_rss_mb_{size}"] = round(built["rss_mb"])
        figures |= {
            "build_seconds": round(built["seconds"], 1),
            "add_seconds": round(added["seconds"], 2),
            "time_ratio": round(added["seconds"] / built["seconds"], 4),
            "bytes_ratio": round(added["bytes"] / built["bytes"], 5),
        }
    run.save(figures)


def command_line() -> BenchmarkParser:
    """The options of this benchmark."""
    parser = BenchmarkParser("dataset_growth", __doc__)
    parser.add_trial(
        "--sizes", type=positive_int, nargs="+", default=list(SIZES), help="photos of each version that is built"
    )
    return parser


def _make(folder: Path, numbers: range, classes: int) -> None:
    workers = os.cpu_count() or 1
    parts = [range(numbers.start + k, numbers.stop, workers) for k in range(workers)]
    with ProcessPoolExecutor(workers) as pool:
        for job in [pool.submit(fill, folder, part, classes, SIDE) for part in parts]:
            job.result()


def _measured(place: Path, step: str) -> dict[str, float]:
    """Build the version in a fresh interpreter."""
    command = [sys.executable, "-c", BUILD, str(place), step]
    output = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, float] = json.loads(output)
    return figures


def build(place: Path, step: str) -> None:
    """Build a version, from the one before if there is one, and print what it took; imports do not count."""
    shards, before = place / "shards", place / "first.parquet"
    earlier = _size(shards)
    start = time.perf_counter()
    version = load_manifest(before) if step == "second" else None
    source = FolderSource(FolderConfig(path=str(place / "photos")))
    version, _ = write_version(source.photos(), str(shards), source=source.name, before=version)
    save_manifest(version, place / f"{step}.parquet")
    seconds = time.perf_counter() - start
    written = _size(shards) - earlier + (place / f"{step}.parquet").stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "bytes": written, "rss_mb": peak, "photos": len(version)}))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.exists() else 0


if __name__ == "__main__":
    main()
