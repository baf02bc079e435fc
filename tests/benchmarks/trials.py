"""Trials of the learning benchmarks on small made-up data: their own recipes, but for nets, pictures and batches."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks.learning import Recipe, read_recipe
from benchmarks.results import FOLDER
from discern.learning.config import ImageConfig, ModelConfig, TrainingConfig
from tests.discern.sources.layouts import grocery, omniglot, plant

GAP = ("gap_points", "gap_low", "gap_high", "macs_ratio")
VINYALS = {
    "train": [f"{alphabet}/character0{number}" for alphabet in ("Angelic", "Bengali", "N_Ko") for number in (1, 2)],
    "val": ["Latin/character01"],
    "test": ["Latin/character02", *(f"{alphabet}/character0{n}" for alphabet in ("ULOG", "Tengwar") for n in (1, 2))],
}
Shrink = Callable[[Recipe], Recipe]


def small_omniglot(root: Path) -> Path:
    """12 characters of 20 drawings: five are asked by the Vinyals split, two runs of two classes by Lake's."""
    return plant(root / "omniglot", omniglot(drawings=20, vinyals=VINYALS))


def small_grocery(root: Path, classes: int, test: int = 2) -> Path:
    """Products, two of each coarse class, with so many test photos each."""
    return plant(root / "grocery", grocery([(f"Kind-{i // 2}", f"Item-{i}") for i in range(classes)], test=test))


def small(recipe: Recipe) -> Recipe:
    """A recipe that learns little, soon."""
    widths = {"teacher": 16, "student": 8}
    parts = {str(part): _tiny(config, widths[part]) for part, config in recipe.trainings.items()}
    return recipe.model_copy(update={"image": ImageConfig(size=32), **parts})


@dataclass(frozen=True)
class Trial:
    """A benchmark's trial, and what a second one in the same work folder made of it.

    Attributes:
        figures, again: of the first and of the second.
        models, models_again: the trained models by path, and when each was written.
    """

    figures: dict[str, Any]
    again: dict[str, Any]
    models: dict[Path, int]
    models_again: dict[Path, int]


def twice(benchmark: ModuleType, work: Path, *arguments: str, shrink: Shrink = small) -> Trial:
    """Run a benchmark, and run it again."""
    figures = run(benchmark, work, *arguments, shrink=shrink)
    models = models_in(work)
    return Trial(figures, run(benchmark, work, *arguments, shrink=shrink), models, models_in(work))


def development(benchmark: ModuleType, work: Path, *arguments: str, shrink: Shrink = small) -> dict[str, Any]:
    """The figures of a trial with `--development`, which stand beside those of the same trial without it."""
    return run(benchmark, work / "development", *arguments, "--development", shrink=shrink)


def run(benchmark: ModuleType, work: Path, *arguments: str, shrink: Shrink = small) -> dict[str, Any]:
    """The figures of a trial of two steps, which leaves the published ones as they are."""
    name = benchmark.__name__.rpartition(".")[2]
    before = published()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, "--work", str(work), "--steps", "2", *arguments])
        patch.setattr(benchmark, "read_recipe", lambda *given: shrink(read_recipe(*given)))
        benchmark.main()
    assert published() == before
    (path,) = work.glob(f"{name}-*.json")
    content = json.loads(path.read_text())
    assert content["command"].startswith(f"python -m benchmarks.{name}")
    assert content["command"].endswith(" --steps 2") or " --seeds " in content["command"]
    figures: dict[str, Any] = content["figures"]
    return figures


def published() -> dict[str, bytes]:
    """The figures that stand for `docs/results.md`."""
    return {path.name: path.read_bytes() for path in FOLDER.iterdir()}


def models_in(work: Path) -> dict[Path, int]:
    """The trained models below a folder, and when each was written, ns."""
    return {path: path.stat().st_mtime_ns for path in work.rglob("*.pt")}


def check_shares(figures: dict[str, Any], names: Iterable[str]) -> None:
    """All of `names` are among the figures, and lie from 0 to 1."""
    for name in names:
        assert 0 <= figures[name] <= 1, name


def check_intervals(figures: dict[str, Any], names: Iterable[str]) -> None:
    """All of `names` lie in their intervals."""
    for name in names:
        assert 0 <= figures[f"{name}_low"] <= figures[name] <= figures[f"{name}_high"] <= 1, name


def check_gap(figures: dict[str, Any]) -> None:
    """The gap lies in its interval, in points, and the student is the lighter net."""
    low, points, high = (figures[name] for name in ("gap_low", "gap_points", "gap_high"))
    assert -100 <= low <= points <= high <= 100
    assert figures["macs_ratio"] > 2


def check_nothing_was_trained_again(trial: Trial, models: int) -> None:
    """The first run left so many models, and the second used them and came to the same figures."""
    assert len(trial.models) == models
    assert trial.models_again == trial.models
    assert trial.again == trial.figures


def _tiny(training: TrainingConfig, width: int) -> TrainingConfig:
    options = {"channels": [width, 2 * width, 4 * width, 8 * width], "stem_width": width}
    return training.model_copy(
        update={
            "model": ModelConfig(backbone="resnet10t", options=options, embedding_dim=16),
            "classes_per_batch": 4,
            "photos_per_class": 2,
            "mixed_precision": "no",
        }
    )
