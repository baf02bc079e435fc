"""`python -m benchmarks.distillation`: the gaps of students to their teachers, gathered from the learning benchmarks.

Every learning benchmark gives teacher and student the same queries and saves the gap; this one puts them side by side.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import FOLDER
from benchmarks.run import BenchmarkParser
from discern.evaluation.significance import paired_gap

# Groceries with weights are learnt by one light net, without a teacher.
SETS = ("omniglot_lake", "omniglot_vinyals", "grocery_heldout_scratch", "pills_lookalike")


def gap_figures(
    teacher: NDArray[np.bool_], student: NDArray[np.bool_], groups: Sequence[str], macs_ratio: float
) -> dict[str, float]:
    """Measure the loss of a student against its teacher on the same queries, in points of 100, with its 95 % interval.

    Args:
        teacher: [q] whether the teacher's nearest class is right.
        student: [q] whether the student's nearest class is right.
        groups: of each query, its class or what else is right and wrong together: whole groups are drawn for the
            interval.
        macs_ratio: multiply-adds of the teacher over the student's.
    """
    gap = paired_gap(student, teacher, groups)
    return {
        "gap_points": 100 * gap.difference,
        "gap_low": 100 * gap.low,
        "gap_high": 100 * gap.high,
        "macs_ratio": macs_ratio,
    }


def main() -> None:
    """Gather the gaps of all sets that were measured."""
    parser = BenchmarkParser("distillation", __doc__)
    parser.add_argument("--results", type=Path, default=FOLDER, help="where the figures lie, and go")
    run = parser.start()
    folder = run.options.results
    figures: dict[str, Any] = {}
    for name in SETS:
        path = folder / f"{name}.json"
        measured = json.loads(path.read_text())["figures"] if path.exists() else {}
        interval = [measured.get("gap_low"), measured.get("gap_high")]
        figures |= {
            f"{name}_gap_points": measured.get("gap_points"),
            f"{name}_gap_interval": None if None in interval else interval,
            f"{name}_macs_ratio": measured.get("macs_ratio"),
        }
    run.save(figures, folder=folder)


if __name__ == "__main__":
    main()
