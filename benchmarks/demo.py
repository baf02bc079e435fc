"""`python -m benchmarks.demo`: the demo in a fresh home, then again with nothing changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.results import REPOSITORY, save

COMMAND = "python -m benchmarks.demo"


def main() -> None:
    """Run the demo twice as `make demo` does, set-up aside."""
    with tempfile.TemporaryDirectory(prefix="discern-demo-") as home:
        first, seconds = _demo(Path(home))
        _, cached_seconds = _demo(Path(home))
    figures = {
        "seconds": round(seconds, 1),
        "cached_seconds": round(cached_seconds, 1),
        "unseen_recall_at_1": round(first["unseen_recall_at_1"], 4),
        "unseen_detection_rate": round(first["unseen_detection_rate"], 4),
        "stranger_refusal": round(first["stranger_refusal"], 4),
        "enrolled_queries": first["enrolled_queries"],
        "stranger_queries": first["stranger_queries"],
    }
    save("demo", figures, COMMAND)


def _demo(home: Path) -> tuple[dict[str, Any], float]:
    figures = home / "figures.json"
    environment = {**os.environ, "DISCERN_HOME": str(home)}
    started = time.perf_counter()
    command = ["bash", "-c", f'source .envrc && exec "{sys.executable}" -m pipelines.demo --json "{figures}"']
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)
    return json.loads(figures.read_text()), time.perf_counter() - started


if __name__ == "__main__":
    main()
