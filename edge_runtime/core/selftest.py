"""Ask a release for answers that are known: `python -m edge_runtime.core.selftest FOLDER`, run in a child process.

The child decodes, preprocesses and embeds the golden images and compares the graph with the vectors. It prints one
line of JSON, and its parent believes nothing else: hnswlib aborts the process on some corrupt files, and a child that
crashes, hangs or says something else is a refused release.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from edge_runtime.core.identify import Identifier
from edge_runtime.core.index import Vectors, check_graph
from edge_runtime.core.release import Release, open_release
from edge_runtime.errors import EdgeError, ReleaseError

# PNG decodes to the same pixels everywhere, and Pillow's resize differs by at most one level of 255 in a few of them.
# Kernels of two CPUs differ by about 1e-6 in an embedding of fp32. int8 with 7-bit weights came out the same to the bit
# on x86 with and without VNNI, and at a cosine of 0.99998 on ARM (both emulated); a level more or less in every pixel
# moved three such nets to 0.9996. A wrong colour order, size or normalisation moves the cosine by far more than 0.001,
# and so do 8-bit weights, whose products saturate without VNNI (to 0.83).
GOLDEN_COSINE = 0.999
PROBES = 128  # gallery rows that the graph must find again
TIMEOUT = 180.0  # seconds


def check_golden(identifier: Identifier) -> Vectors:
    """Embed the golden images and compare; returns their embeddings [g, d].

    Raises:
        ReleaseError: this machine gives other embeddings than the release was built with.
    """
    release = identifier.release
    images, expected = release.golden()
    vectors = identifier.embed(images, [f"golden image {number}" for number in range(len(images))])
    cosines = (vectors * expected).sum(axis=1)
    # Written so that a cosine that is not a number fails too.
    if not (cosines >= GOLDEN_COSINE).all():
        raise ReleaseError(
            f"release {release.id} gives other answers than it was built with (golden cosine {cosines.min():.4f}, "
            f"at least {GOLDEN_COSINE} needed): do not use it here."
        )
    return vectors


def check_release(release: Release) -> None:
    """Compare the answers of a release with those it was built with.

    Raises:
        ReleaseError: they differ.
    """
    identifier = Identifier(release)
    golden = check_golden(identifier)
    gallery = identifier.index.vectors
    probes = np.concatenate([golden, gallery[:: max(1, len(gallery) // PROBES)]]).astype(np.float32)
    check_graph(release.folder, release.gallery_layout, release.dim, release.index_parameters, probes)


def run_selftest(folder: Path, release_id: str, timeout: float = TIMEOUT) -> None:
    """Check a release in a child process.

    Args:
        folder: the release's folder.
        release_id: the id that it must have.
        timeout: seconds until the child counts as hanging.

    Raises:
        ReleaseError: the child refuses the release, crashes, or does not answer in time.
    """
    command = [sys.executable, "-m", "edge_runtime.core.selftest", str(folder), release_id]
    try:
        child = subprocess.run(
            command,
            capture_output=True,
            timeout=timeout,
            check=False,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ReleaseError(f"release {release_id} did not finish its self-test in {timeout:.0f} seconds.") from None
    verdict = _verdict(child.stdout)
    if verdict is None:
        raise ReleaseError(
            f"release {release_id} crashed its self-test (exit status {child.returncode}): do not use it on a device."
        )
    if verdict:
        raise ReleaseError(verdict)


def main(arguments: list[str]) -> int:
    """Check the release in the folder `arguments[0]` with the id `arguments[1]` and print the verdict."""
    try:
        check_release(open_release(Path(arguments[0]), arguments[1] if len(arguments) > 1 else None))
    except EdgeError as error:
        sys.stdout.write(json.dumps({"ok": False, "error": str(error)}) + "\n")
        return 1
    sys.stdout.write(json.dumps({"ok": True}) + "\n")
    return 0


def child_environment() -> dict[str, str]:
    """Return the environment of a child that finds this package where its parent found it, installed or not."""
    here = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{path}" if path else here}


def _verdict(output: bytes) -> str | None:
    """Return the error that the child reports, "" for none, None where it reports nothing that is understood."""
    try:
        verdict = json.loads(output.splitlines()[-1])
        return "" if verdict["ok"] is True else str(verdict["error"])
    except (ValueError, IndexError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
