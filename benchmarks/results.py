"""One format for all figures: what was run, when, on which code and machine, and what came out."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

from discern.source_code import code_fingerprint

FOLDER = Path(__file__).parent / "results"
REPOSITORY = FOLDER.parent.parent
# What benchmarks write themselves: a change there is no change of what was measured.
WRITTEN = ("benchmarks/results", "docs/results.md", "README.md")


@dataclass(frozen=True)
class MeasuredCode:
    """The code that a benchmark runs, and the configs that it reads.

    Attributes:
        modules: dotted names; what they import counts too.
        use_cases: folders of `configs/`.
    """

    modules: Sequence[str]
    use_cases: Sequence[str] = ()

    def mark(self) -> str:
        """Return 16 hexadecimal digits of what the code does and the configs say, as they are on the disk."""
        configs = [path for name in self.use_cases for path in sorted((REPOSITORY / "configs" / name).glob("*.yaml"))]
        said = [json.dumps(yaml.safe_load(path.read_text()), sort_keys=True) for path in configs]
        return sha256("\n".join([code_fingerprint(self.modules, REPOSITORY), *said]).encode()).hexdigest()[:16]


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a results file, and show its figures.

    Args:
        path: `NAME.json`, in a folder that need not be there.
        content: `figures`, name -> number or None where one could not be computed, and how they came about.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
    table = Table("figure", "value", title=path.stem)
    for key, value in content["figures"].items():
        table.add_row(
            key, "not computed" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
        )
    console = Console()
    console.print(table)
    console.print(json.dumps({"benchmark": path.stem, **content}), soft_wrap=True, highlight=False)


def machine() -> dict[str, Any]:
    """Where a figure was measured."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": ".".join(str(part) for part in sys.version_info[:3]),
    }


def threads() -> dict[str, int]:
    """Return the number of threads that torch, BLAS and OpenMP compute with; those not loaded are left out."""
    counts: dict[str, int] = {}
    for pool in threadpool_info():
        counts[pool["user_api"]] = max(pool["num_threads"], counts.get(pool["user_api"], 0))
    if "torch" in sys.modules:  # the benchmarks of data do without it
        counts["torch"] = sys.modules["torch"].get_num_threads()
    return dict(sorted(counts.items()))


def commit() -> str | None:
    """Return the commit of the checkout, with a `+` where files that it names differ; None outside a checkout."""
    others = [f":(exclude){path}" for path in WRITTEN]
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *others)
    except (OSError, subprocess.CalledProcessError):
        return None
    return name + ("+" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
