"""The common part of the learning benchmarks: a recipe, its trainings, and embeddings by the device's runtime.

A training leaves its log, its checkpoint and its model in the work folder: run again, a benchmark goes on where it was
stopped, and trains nothing twice.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, TypeAdapter

from benchmarks.results import REPOSITORY
from benchmarks.run import BenchmarkParser, Run, positive_int
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.datasets.splits.config import SplitConfig
from discern.evaluation.cross_fitting import cross_fitted_rates
from discern.evaluation.gallery import Gallery, GalleryConfig, Vectors, embed_batches
from discern.evaluation.metrics import unknown_auroc
from discern.evaluation.openset import tpir_at_fpir
from discern.evaluation.retrieval import Queries, SearchResults
from discern.learning.checkpoints import Checkpoint, training_fingerprint
from discern.learning.config import DistillConfig, ImageConfig, LoopConfig, ModelConfig, TrainingConfig
from discern.learning.device import mixed_precision
from discern.learning.export import check_parity, export_onnx
from discern.learning.models import TorchEmbedder, count_multiply_adds, restored, weights_fingerprint
from discern.learning.ports import Log
from discern.learning.recipes import distil_student, train_on_labels
from discern.learning.safe_load import load_tensors
from discern.learning.trainer import TrainingResult
from discern.progress import bar
from discern.releases.config import PackagingConfig
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
    """The photos, the two trainings and the release of `configs/USE_CASE/{data,training}.yaml`."""

    model_config = ConfigDict(frozen=True)

    source: SourceConfig
    splits: SplitConfig = SplitConfig()
    cleaning: CleaningConfig = CleaningConfig()
    image: ImageConfig
    teacher: TrainingConfig | Literal["none"]
    student: TrainingConfig
    distillation: DistillConfig = DistillConfig()
    gallery: GalleryConfig = GalleryConfig()
    packaging: PackagingConfig = PackagingConfig()

    def with_trainings(self, **changes: Any) -> Recipe:
        """The same with changes to both trainings, such as their seed; what is None changes nothing."""
        update = {key: value for key, value in changes.items() if value is not None}
        return self.changed(lambda config: config.model_copy(update=update))

    def changed(self, change: Callable[[TrainingConfig], TrainingConfig]) -> Recipe:
        """The same with each training as `change` returns it."""
        return self.model_copy(update={str(part): change(config) for part, config in self.trainings.items()})

    @property
    def trainings(self) -> dict[Part, TrainingConfig]:
        """Those of the recipe: the student's, and before it the teacher's where there is one."""
        student: dict[Part, TrainingConfig] = {"student": self.student}
        return student if self.teacher == "none" else {"teacher": self.teacher, **student}


@dataclass(frozen=True)
class Models:
    """A teacher and its student, exported, or a student alone.

    Attributes:
        student: photos [n, size, size, 3] uint8 to embeddings [n, d], by the device's runtime.
        teacher: as well; None where there is none.
        macs_ratio: multiply-adds of the teacher over the student's; 1 where there is none.
    """

    student: Embed
    teacher: Embed | None = None
    macs_ratio: float = 1.0

    def parts(self) -> dict[Part, Embed]:
        """Those there are by name, the teacher first."""
        return {"student": self.student} if self.teacher is None else {"teacher": self.teacher, "student": self.student}


class LearningParser(BenchmarkParser):
    """The command line of a learning benchmark.

    Args:
        name: of the benchmark.
        description: its docstring.
        use_cases: whose recipes it trains.
        photos: what `--photos` wants; without it there is no such option.
        seeds: whether the training can be repeated with other seeds.
        development: what `--development` measures in place of the test; without it there is no such option.
    """

    def __init__(
        self,
        name: str,
        description: str | None,
        *,
        use_cases: Sequence[str],
        photos: str = "",
        seeds: bool = False,
        development: str = "",
    ) -> None:
        super().__init__(name, description, use_cases=use_cases)
        if photos:
            self.add_place("--photos", photos)
        self.set_defaults(seeds=1, development=False)
        if seeds:
            self.add_argument("--seeds", type=positive_int, help="trainings that differ by their seed")
        if development:
            self.add_trial("--development", action="store_true", help=f"to choose settings by: {development}")
        self.add_trial("--steps", type=positive_int, help="of each training, to try the benchmark itself")


def keep(run: Run, figures: Mapping[str, float | int | None], recipe: Recipe | None = None) -> None:
    """Save rounded figures of the models of `recipe`, if they are of some. One training has no spread."""
    rounded = {key: _rounded(value) for key, value in figures.items()}
    rounded = {key: value for key, value in rounded.items() if value is not None or not key.endswith("_spread")}
    precision = None if recipe is None else precision_of(*recipe.trainings.values())
    run.save(rounded, seeds=run.options.seeds, precision=precision)


def precision_of(*trainings: LoopConfig) -> str:
    """Return the numbers that trainings compute with on this machine: `float32`, or what they are mixed with."""
    used = dict.fromkeys(mixed_precision(config) for config in trainings)
    return ", ".join("float32" if short == "no" else short for short in used)


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
    """Train the recipe's models, or take them from the work folder, and export them."""
    models = train(recipe, version, work)
    student, teacher = models["student"], models.get("teacher")
    size = student.preprocessing.size
    sample = load_photos(version.take(range(min(PARITY_PHOTOS, len(version)))), student.preprocessing).pixels
    light = _exported(student, work / "student.onnx", sample)
    if teacher is None:
        return Models(light)
    ratio = count_multiply_adds(teacher, size) / count_multiply_adds(student, size)
    return Models(light, _exported(teacher, work / "teacher.onnx", sample), ratio)


def train(recipe: Recipe, version: DatasetVersion, work: Path) -> dict[Part, TorchEmbedder]:
    """Train the recipe's models, or take them from the work folder."""
    if recipe.teacher == "none":
        return {"student": _on_labels("student", recipe.student, recipe, version, work)}
    teacher = _on_labels("teacher", recipe.teacher, recipe, version, work)
    return {"teacher": teacher, "student": _distil(recipe, version, teacher, work)}


def open_set_figures(results: SearchResults, groups: Sequence[str] | None = None) -> dict[str, float]:
    """Return the open-set figures; not a number where one cannot be computed.

    `tpir_at_fpir_1` is that of rules, of threshold and margin, which saw no query of the same group and were fitted for
    a FPIR of 1 % of all unknowns, also of the classes that were left out; `fpir_at_1` is the FPIR that they met. AUROC
    and `tpir_at_fpir_1_by_score`, whose threshold is found on these very unknowns, leave the left-out classes aside.

    Args:
        results: of queries, those of enrolled classes asked both ways.
        groups: q groups, such as families of classes; without them the classes.
    """
    as_asked = results.take(~results.left_out)
    enrolled = as_asked.enrolled
    labels = results.query_labels if groups is None else tuple(groups)
    rates = cross_fitted_rates(replace(results, query_labels=labels), FPIR)
    return {
        "recall_at_1": float(as_asked.retrieved[enrolled].mean()) if enrolled.any() else np.nan,
        "auroc": or_nan(unknown_auroc(as_asked)),
        "tpir_at_fpir_1": np.nan if rates.tpir is None else rates.tpir.value,
        "fpir_at_1": np.nan if rates.fpir is None else rates.fpir.value,
        "tpir_at_fpir_1_by_score": or_nan(tpir_at_fpir(as_asked, FPIR)),
    }


def search_both_ways(gallery: Gallery, queries: Vectors, labels: Sequence[str]) -> SearchResults:
    """Search queries, and those of enrolled classes once more as if their class were not enrolled.

    Args:
        gallery: the enrolled classes.
        queries: [q, d] unit length.
        labels: q labels of the true classes.
    """
    again = [row for row, label in enumerate(labels) if label in set(gallery.labels)]
    order = [*range(len(labels)), *again]
    left_out = np.arange(len(order)) >= len(labels)
    return Queries(queries[order], [labels[row] for row in order], left_out=left_out).search(gallery)


def or_nan(figure: float | None) -> float:
    """Not a number for what could not be computed, so that no mean over it can be computed either."""
    return np.nan if figure is None else figure


def sample_std(values: list[float]) -> float:
    """Sample standard deviation of `values`; of a single one there is none."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def _rounded(value: float | int | None) -> float | int | None:
    """Five digits; what is not finite could not be computed."""
    if value is None or isinstance(value, int):
        return value
    return round(value, 5) if np.isfinite(value) else None


def _on_labels(
    part: Part, training: TrainingConfig, recipe: Recipe, version: DatasetVersion, work: Path
) -> TorchEmbedder:
    config, preprocessing = _as_computed(training), recipe.image.preprocessing
    fingerprint = training_fingerprint(
        config, version.id, preprocessing, weights_fingerprint(config.model), code_fingerprint(LEARNING, REPOSITORY)
    )

    def train(checkpoint: Checkpoint, log: Log) -> TrainingResult[TorchEmbedder]:
        return train_on_labels(version, preprocessing, config, name=part, log=log, checkpoint=checkpoint)

    return _trained_once(part, fingerprint, config.model, preprocessing, work, train)


def _as_computed(config: TrainingConfig) -> TrainingConfig:
    """Say the precision that `auto` comes to here: a model of another machine's is not taken for one of this."""
    return config.model_copy(update={"mixed_precision": mixed_precision(config)})


def _distil(recipe: Recipe, version: DatasetVersion, teacher: TorchEmbedder, work: Path) -> TorchEmbedder:
    config, distillation = _as_computed(recipe.student), recipe.distillation
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
