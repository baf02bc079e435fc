"""The gap between student and teacher, and the table of all gaps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from benchmarks import distillation
from discern.errors import DataError
from tests.benchmarks import trials

MEASURED = {"gap_points": 1.5, "gap_low": -0.25, "gap_high": 3.0, "macs_ratio": 8.5, "student_error": 0.05}


@pytest.mark.parametrize(
    ("teacher", "student", "points", "low", "high"),
    [
        # Each class loses one of two: however classes are drawn, the half is lost.
        ([1, 1, 1, 1], [1, 0, 0, 1], 50, 50, 50),
        # One class loses all, the other nothing.
        ([1, 1, 1, 1], [0, 0, 1, 1], 50, 0, 100),
        # A student that is better than its teacher has a gap below zero.
        ([0, 0, 0, 1], [1, 0, 1, 1], -50, -50, -50),
        ([1, 0, 1, 0], [0, 1, 0, 1], 0, 0, 0),
    ],
)
def test_the_gap_is_what_the_student_loses(
    teacher: list[int], student: list[int], points: float, low: float, high: float
) -> None:
    figures = distillation.gap_figures(np.array(teacher, bool), np.array(student, bool), ["a", "a", "b", "b"], 7.5)
    assert figures == pytest.approx({"gap_points": points, "gap_low": low, "gap_high": high, "macs_ratio": 7.5})


def test_a_gap_over_one_class_is_an_error() -> None:
    with pytest.raises(DataError, match="compare on queries of two classes or more"):
        distillation.gap_figures(np.array([True]), np.array([True]), ["a"], 1.0)


def gathered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setattr("sys.argv", ["distillation", "--results", str(folder), "--work", str(folder)])
    before = trials.published()
    distillation.main()
    assert trials.published() == before
    figures: dict[str, object] = json.loads((folder / "distillation.json").read_text())["figures"]
    return figures


def write(folder: Path, name: str, figures: Mapping[str, float | None]) -> None:
    (folder / f"{name}.json").write_text(json.dumps({"figures": figures}))


def test_gaps_stand_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "omniglot_lake", MEASURED)
    write(tmp_path, "pills_lookalike", MEASURED | {"gap_points": -2.0})
    figures = gathered(tmp_path, monkeypatch)
    assert figures["omniglot_lake_gap_points"] == 1.5
    assert figures["omniglot_lake_gap_interval"] == [-0.25, 3.0]
    assert figures["omniglot_lake_macs_ratio"] == 8.5
    assert figures["pills_lookalike_gap_points"] == -2.0


def test_what_was_not_measured_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "omniglot_lake", MEASURED | {"gap_low": None})
    write(tmp_path, "pills_lookalike", {"recall_at_1": 0.5})
    figures = gathered(tmp_path, monkeypatch)
    assert len(figures) == 3 * len(distillation.SETS)
    known = {name: value for name, value in figures.items() if value is not None}
    assert known == {"omniglot_lake_gap_points": 1.5, "omniglot_lake_macs_ratio": 8.5}
