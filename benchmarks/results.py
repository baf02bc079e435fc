"""One format for all figures: what was run, when, on which code and machine, and what came out."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent / "results"
REPOSITORY = FOLDER.parent.parent


def save(name: str, figures: dict[str, Any], command: str, folder: Path = FOLDER) -> Path:
    """Write `results/NAME.json` and print its figures.

    Args:
        name: of the benchmark.
        figures: name -> number; None where one could not be computed.
        command: what a person types to get them again.
        folder: another place than `results`.
    """
    content = {
        "command": command,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "commit": _commit(),
        "machine": machine(),
        "figures": figures,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    table = Table("figure", "value", title=name)
    for key, value in figures.items():
        table.add_row(
            key, "not computed" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
        )
    console = Console()
    console.print(table)
    console.print(json.dumps({"benchmark": name, **content}), soft_wrap=True, highlight=False)
    return path


def machine() -> dict[str, Any]:
    """Where a figure was measured."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": ".".join(str(part) for part in sys.version_info[:3]),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    return subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()
