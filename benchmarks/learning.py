"""The common part of the learning benchmarks: a recipe, its trainings, and embeddings by the device's runtime.

A training leaves its log, its checkpoint and its model in the work folder: run again, a benchmark goes on where it was
stopped, and trains nothing twice.
"""

from __future__ import annotations

import argparse
import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, TypeAdapter

from benchmarks.results import FOLDER, REPOSITORY, save
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.datasets.splits.config import SplitConfig
from discern.evaluation.gallery import Vectors, embed_batches
from discern.evaluation.metrics import unknown_auroc
from discern.evaluation.openset import tpir_at_fpir
from discern.evaluation.retrieval import SearchResults
from discern.learning.checkpoints import Checkpoint, training_fingerprint
from discern.learning.config import DistillConfig, ImageConfig, ModelConfig, TrainingConfig
from discern.learning.export import check_parity, export_onnx
from discern.learning.models import TorchEmbedder, count_multiply_adds, restored, weights_fingerprint
from discern.learning.ports import Log
from discern.learning.recipes import distil_student, train_teacher
from discern.learning.safe_load import load_tensors
from discern.learning.trainer import TrainingResult
from discern.progress import bar
from discern.source_code import code_fingerprint
from discern.sources.registry import SourceConfig, open_source
from discern.storage.remote import write_file
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Pixels, Preprocessing
from orchestration.config_check import read_config

PARITY_PHOTOS = 64
FPIR = 0.01  # at which the TPIR is measured
LEARNING = ("discern.learning.recipes",)  # their code makes a model
Embed = Callable[[Pixels], Vectors]
Part = Literal["teacher", "student"]


class Recipe(BaseModel):
    """The photos and the two trainings of `configs/USE_CASE/{data,training}.yaml`."""

    model_config = ConfigDict(frozen=True)

    source: SourceConfig
    splits: SplitConfig = SplitConfig()
    cleaning: CleaningConfig = CleaningConfig()
    image: ImageConfig
    teacher: TrainingConfig
    student: TrainingConfig
    distillation: DistillConfig = DistillConfig()

    def with_trainings(self, **changes: Any) -> Recipe:
        """The same with changes to both trainings, such as their seed; what is None changes nothing."""
        update = {key: value for key, value in changes.items() if value is not None}
        teacher, student = (part.model_copy(update=update) for part in (self.teacher, self.student))
        return self.model_copy(update={"teacher": teacher, "student": student})


@dataclass(frozen=True)
class Models:
    """A teacher and its student, exported.

    Attributes:
        teacher, student: photos [n, size, size, 3] uint8 to embeddings [n, d], by the device's runtime.
        macs_ratio: multiply-adds of the teacher over the student's.
    """

    teacher: Embed
    student: Embed
    macs_ratio: float

    def parts(self) -> tuple[tuple[Part, Embed], ...]:
        """Both by name."""
        return ("teacher", self.teacher), ("student", self.student)


def options(description: str | None, photos: str = "", *, seeds: bool = False) -> argparse.Namespace:
    """The command line of a learning benchmark.

    Args:
        description: of the benchmark.
        photos: what `--photos` wants; without it there is no such option.
        seeds: whether the training can be repeated with other seeds.
    """
    parser = argparse.ArgumentParser(description=description)
    if photos:
        parser.add_argument("--photos", required=True, help=photos)
    parser.add_argument("--work", type=Path, default=REPOSITORY / "logs", help="logs, checkpoints, models")
    parser.set_defaults(seeds=1)
    if seeds:
        parser.add_argument("--seeds", type=positive_int, help="trainings that differ by their seed")
    parser.add_argument("--steps", type=positive_int, help="of each training, for a trial; its figures stay in --work")
    return parser.parse_args()


def keep(name: str, figures: Mapping[str, float | int | None], command: str, chosen: argparse.Namespace) -> None:
    """Save rounded figures for `docs/results.md`; a trial's stay in the work folder. One training has no spread."""
    rounded = {key: _rounded(value) for key, value in figures.items()}
    rounded = {key: value for key, value in rounded.items() if value is not None or not key.endswith("_spread")}
    if chosen.seeds > 1:
        command += f" --seeds {chosen.seeds}"
    if chosen.steps is not None:
        command += f" --steps {chosen.steps}"
    save(name, rounded, command, FOLDER if chosen.steps is None else chosen.work)


def read_recipe(use_case: str, environment: Mapping[str, str] | None = None) -> Recipe:
    """The recipe of a use case; `environment` fills in what its configs leave open."""
    folder = REPOSITORY / "configs" / use_case
    filled = {**os.environ, **(environment or {})}
    parts = (read_config(folder / f"{name}.yaml", filled)["parameters"] for name in ("data", "training"))
    return Recipe.model_validate({key: value for part in parts for key, value in part.items()})


def read_version(recipe: Recipe, work: Path, **changes: Any) -> DatasetVersion:
    """The dataset version of a recipe, whose source may be changed; its shards stay in the work folder."""
    source: Any = TypeAdapter(SourceConfig).validate_python(recipe.source.model_dump() | changes)
    photos = open_source(source).photos()
    shown = bar(photos, name=f"reading {source.kind}", unit="photo")
    version, _ = write_version(
        shown, str(work / "shards"), source=source.kind, splits=recipe.splits, cleaning=recipe.cleaning
    )
    return version


def learn(recipe: Recipe, version: DatasetVersion, work: Path) -> Models:
    """Train teacher and student, or take them from the work folder, and export both."""
    teacher = _teach(recipe, version, work)
    student = _distil(recipe, version, teacher, work)
    size = teacher.preprocessing.size
    ratio = count_multiply_adds(teacher, size) / count_multiply_adds(student, size)
    sample = load_photos(version.take(range(min(PARITY_PHOTOS, len(version)))), teacher.preprocessing)
    return Models(
        _exported(teacher, work / "teacher.onnx", sample.pixels),
        _exported(student, work / "student.onnx", sample.pixels),
        ratio,
    )


def open_set_figures(results: SearchResults) -> dict[str, float]:
    """Return recall@1, AUROC and the TPIR at a FPIR of 1 %; not a number where one cannot be computed."""
    enrolled = results.enrolled
    return {
        "recall_at_1": float(results.retrieved[enrolled].mean()) if enrolled.any() else np.nan,
        "auroc": or_nan(unknown_auroc(results)),
        "tpir_at_fpir_1": or_nan(tpir_at_fpir(results, FPIR)),
    }


def or_nan(figure: float | None) -> float:
    """Not a number for what could not be computed, so that no mean over it can be computed either."""
    return np.nan if figure is None else figure


def sample_std(values: list[float]) -> float:
    """Sample standard deviation of `values`; of a single one there is none."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def positive_int(text: str) -> int:
    """A number of the command line that is at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _rounded(value: float | int | None) -> float | int | None:
    """Five digits; what is not finite could not be computed."""
    if value is None or isinstance(value, int):
        return value
    return round(value, 5) if np.isfinite(value) else None


def _teach(recipe: Recipe, version: DatasetVersion, work: Path) -> TorchEmbedder:
    config, preprocessing = recipe.teacher, recipe.image.preprocessing
    fingerprint = training_fingerprint(
        config, version.id, preprocessing, weights_fingerprint(config.model), code_fingerprint(LEARNING, REPOSITORY)
    )

    def train(checkpoint: Checkpoint, log: Log) -> TrainingResult[TorchEmbedder]:
        return train_teacher(version, preprocessing, config, log=log, checkpoint=checkpoint)

    return _trained_once("teacher", fingerprint, recipe.teacher.model, preprocessing, work, train)


def _distil(recipe: Recipe, version: DatasetVersion, teacher: TorchEmbedder, work: Path) -> TorchEmbedder:
    config, distillation = recipe.student, recipe.distillation
    fingerprint = training_fingerprint(
        config,
        version.id,
        teacher.preprocessing,
        weights_fingerprint(config.model),
        code_fingerprint(LEARNING, REPOSITORY),
        teacher=teacher.fingerprint(),
        distillation=distillation,
    )

    def train(checkpoint: Checkpoint, log: Log) -> TrainingResult[TorchEmbedder]:
        return distil_student(version, config, distillation, teacher, log=log, checkpoint=checkpoint)

    return _trained_once("student", fingerprint, config.model, teacher.preprocessing, work, train)


def _trained_once(
    part: Part,
    fingerprint: str,
    config: ModelConfig,
    preprocessing: Preprocessing,
    work: Path,
    train: Callable[[Checkpoint, Log], TrainingResult[TorchEmbedder]],
) -> TorchEmbedder:
    """Return the model that an earlier run of the same fingerprint left in the work folder, or train it."""
    work.mkdir(parents=True, exist_ok=True)
    weights, log = work / f"{part}-{fingerprint}.pt", work / f"{part}-{fingerprint}.jsonl"
    if weights.exists():
        return restored(config, preprocessing, load_tensors(weights.read_bytes()))
    checkpoint = Checkpoint(str(work / f"{part}-{fingerprint}.checkpoint"), fingerprint)

    def write(step: int, figures: dict[str, float]) -> None:
        with log.open("a") as file:
            file.write(json.dumps({"step": step, **figures}) + "\n")

    result = train(checkpoint, write)
    buffer = io.BytesIO()
    torch.save(result.model.state_dict(), buffer)
    write_file(str(weights), buffer.getvalue())
    checkpoint.remove()
    return result.model


def _exported(model: TorchEmbedder, path: Path, sample: Pixels) -> Embed:
    export_onnx(model, path)
    check_parity(model, path, sample)
    return partial(embed_batches, OnnxEmbedder(path, model.preprocessing, os.cpu_count() or 1))
