"""`python -m benchmarks.distillation`: how near students come to their teachers, gathered from the learning benchmarks.

Every learning benchmark asks teacher and student the same queries and keeps the gap; here the gaps stand side by side.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import FOLDER, save
from discern.evaluation.paired import paired_gap

COMMAND = "python -m benchmarks.distillation"
SETS = ("omniglot_lake", "omniglot_vinyals", "grocery_closed", "grocery_heldout", "pills_lookalike")
FIGURES = ("gap_points", "gap_low", "gap_high", "macs_ratio")


def gap_figures(
    teacher: NDArray[np.bool_], student: NDArray[np.bool_], classes: Sequence[str], macs_ratio: float
) -> dict[str, float]:
    """What a student loses against its teacher on the same queries, in points of 100, with its 95 % interval.

    Args:
        teacher: [q] whether the teacher's nearest class is right.
        student: [q] the same of the student.
        classes: the true class of each query: whole classes are drawn for the interval.
        macs_ratio: multiply-adds of the teacher over the student's.
    """
    gap = paired_gap(student, teacher, classes)
    return {
        "gap_points": 100 * gap.difference,
        "gap_low": 100 * gap.low,
        "gap_high": 100 * gap.high,
        "macs_ratio": macs_ratio,
    }


def main() -> None:
    """Gather the gaps of all sets that were measured."""
    figures: dict[str, float | None] = {}
    for name in SETS:
        path = FOLDER / f"{name}.json"
        measured = json.loads(path.read_text())["figures"] if path.exists() else {}
        figures |= {f"{name}_{figure}": measured.get(figure) for figure in FIGURES}
    save("distillation", figures, COMMAND)


if __name__ == "__main__":
    main()
