"""`python -m benchmarks.demo`: the demo in a fresh home, then again with nothing changed.

With `--seeds 3` twice more, each with other pills, another choice of those held out and other first weights: the demo's
settings were chosen on the pills of its own seed, so that the others tell what the recipe is worth.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.intervals import share_figures
from benchmarks.learning import precision_of, read_recipe, sample_std
from benchmarks.results import REPOSITORY
from benchmarks.run import BenchmarkParser, Run, positive_int
from cli.demo import CONFIGS

# A share, what it counts, and of the queries of enrolled classes or of unknowns.
SHARES = {
    "unseen_recall_at_1": ("nearest_right", True),
    "unseen_tpir": ("answered_right", True),
    "tnir": ("answered_right", False),
}


def main() -> None:
    """Run the demo as `make demo` does, set-up aside, and once more; then with the other seeds."""
    parser = BenchmarkParser("demo", __doc__, use_cases=("pills",), modules=("edge_runtime.service.cli",))
    parser.add_argument("--seeds", type=positive_int, default=1, help="demos that differ by their seeds")
    run = parser.start()
    with tempfile.TemporaryDirectory(prefix="discern-demo-") as home:
        first, seconds = _demo(Path(home))
        _, cached_seconds = _demo(Path(home))
    times = {"seconds": round(seconds, 1), "cached_seconds": round(cached_seconds, 1)}
    demos = [first]
    _save(run, times, demos)
    for seed in range(1, run.options.seeds):
        demos.append(_other_demo(seed))
        _save(run, times, demos)  # what took minutes is kept, should a later one be stopped


def _save(run: Run, times: dict[str, float], demos: list[dict[str, Any]]) -> None:
    recipe = read_recipe("pills")
    run.save(times | figures_of(demos), seeds=len(demos), precision=precision_of(*recipe.trainings.values()))


def figures_of(demos: list[dict[str, Any]]) -> dict[str, float | int]:
    """Return means over demos with their 95 % intervals over the classes of all, and the queries of all.

    Of several demos there are the standard deviation and the worst too.
    """
    figures: dict[str, float | int] = {}
    for name in SHARES:
        values = [demo[name] for demo in demos]
        figures[name] = round(float(np.mean(values)), 4)
        ends = _interval(name, demos)
        figures |= {key: round(end, 4) for key, end in ends.items() if key != name}
        if len(values) > 1:
            figures |= {f"{name}_spread": round(sample_std(values), 4), f"{name}_worst": round(min(values), 4)}
    for name in ("enrolled_queries", "unknown_queries"):
        figures[name] = sum(demo[name] for demo in demos)
    return figures


def _interval(name: str, demos: list[dict[str, Any]]) -> dict[str, float]:
    """Return the 95 % interval of a share; a class of another demo is another class, even with the same name."""
    counted, enrolled = SHARES[name]
    right, groups = [], []
    for number, demo in enumerate(demos):
        for label, counts in demo["by_class"].items():
            if counts["enrolled"] == enrolled:
                right += [1] * counts[counted] + [0] * (counts["queries"] - counts[counted])
                groups += [f"{number}/{label}"] * counts["queries"]
    return share_figures(name, right, groups)


def reseeded(data: Mapping[str, Any], training: Mapping[str, Any], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two run configs with other pills, splits and first weights: every seed in them grows by `seed`."""

    def grown(part: Mapping[str, Any]) -> dict[str, Any]:
        return {**part, "seed": part.get("seed", 0) + seed}

    def changed(config: Mapping[str, Any], *names: str) -> dict[str, Any]:
        parameters = config["parameters"]
        return {**config, "parameters": {**parameters, **{name: grown(parameters[name]) for name in names}}}

    return changed(data, "source", "splits"), changed(training, "teacher", "student")


def _other_demo(seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="discern-demo-") as folder:
        configs = Path(shutil.copytree(CONFIGS, Path(folder) / "configs"))
        paths = configs / "data.yaml", configs / "training.yaml"
        data, training = (yaml.safe_load(path.read_text()) for path in paths)
        for path, config in zip(paths, reseeded(data, training, seed), strict=True):
            path.write_text(yaml.safe_dump(config))
        return _demo(Path(folder) / "home", "--configs", str(configs))[0]


def _demo(home: Path, *arguments: str) -> tuple[dict[str, Any], float]:
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "DISCERN_HOME": str(home)}
    demo = [sys.executable, "-m", "cli", "demo", "--json", *arguments]
    started = time.perf_counter()
    command = ["bash", "-c", 'source .envrc && exec "$@"', "demo", *demo]
    child = subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(child.stdout.splitlines()[-1]), time.perf_counter() - started


if __name__ == "__main__":
    main()
