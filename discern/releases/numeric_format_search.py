"""Build the precisions of an export, examine each as it would ship, and take the fastest inside the gate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import PhotoSet, load_photos
from discern.errors import TrainingError
from discern.evaluation.gallery import GalleryConfig, Vectors, embed_batches
from discern.evaluation.gallery_fit import FittedGallery, Queries, fit_galleries
from discern.evaluation.latency import median_latency_ms
from discern.evaluation.numeric_format import (
    FormatChoice,
    FormatMeasurement,
    NumericFormat,
    NumericFormatConfig,
    choose_format,
    compare_answers,
)
from discern.learning.quantise import FP16_PROVIDERS, to_fp16, to_int8
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Pixels, Preprocessing
from edge_runtime.errors import UserError


@dataclass(frozen=True)
class FormatTrial:
    """What every precision is examined on, decoded once.

    Attributes:
        gallery: the photos that are enrolled.
        queries: validation queries, unknowns among them.
        training: rows of the training split, which calibrate int8.
        preprocessing: as in training.
        gallery_config: how classes are represented.
        fpir: the false-identification rate that a rule is fitted for.
    """

    gallery: PhotoSet
    queries: PhotoSet
    training: DatasetVersion
    preprocessing: Preprocessing
    gallery_config: GalleryConfig
    fpir: float

    def sit(self, model: OnnxEmbedder, gallery_config: GalleryConfig) -> tuple[FittedGallery, Vectors]:
        """The gallery of `model` with its rule and outcomes, and the embeddings [q, d] of the queries.

        Raises:
            DataError: as `fit_galleries`.
            ReleaseError: the model fails.
        """
        vectors = embed_batches(model, self.queries.pixels)
        queries = Queries(vectors, self.queries.labels, frozenset(self.training.column("label")))
        gallery = embed_batches(model, self.gallery.pixels)
        return fit_galleries(gallery, list(self.gallery.labels), gallery_config, queries, self.fpir)[0], vectors


def choose_numeric_format(
    fp32: Path, examination: FormatTrial, config: NumericFormatConfig
) -> tuple[Path, FormatChoice]:
    """Build what `config` tries besides fp32, measure all on this machine's execution provider, and choose.

    A precision that cannot be built or measured is refused, with the reason.

    Args:
        fp32: the export; the others are written beside it.
        examination: photos, and how they are judged.
        config: what is tried, and the gate.

    Returns:
        The file that ships, and why.

    Raises:
        DataError: fp32 itself cannot be examined on these photos.
        ReleaseError: nor can it be run.
    """
    if not config.variants:
        return fp32, choose_format([FormatMeasurement(precision="fp32")], config)
    reference = OnnxEmbedder(fp32, examination.preprocessing)
    paths: dict[NumericFormat, Path] = {"fp32": fp32}
    models: dict[str, OnnxEmbedder] = {"fp32": reference}
    refused: list[FormatMeasurement] = []
    for variant in dict.fromkeys(config.variants):
        path = fp32.with_name(f"{variant}.onnx")
        try:
            _build(variant, fp32, path, reference.provider, examination, config)
            model = OnnxEmbedder(path, examination.preprocessing)
            model.embed(examination.queries.pixels[:1])
            models[variant], paths[variant] = model, path
        except UserError as error:
            refused.append(FormatMeasurement(precision=variant, refused=str(error)))
    measurements = _measure(models, paths, examination, config)
    choice = choose_format([*measurements, *refused], config)
    return paths[choice.precision], choice


def _build(
    variant: NumericFormat, fp32: Path, path: Path, provider: str, examination: FormatTrial, config: NumericFormatConfig
) -> None:
    if variant == "int8":
        to_int8(fp32, path, _calibration(examination, config.calibration_photos))
    elif provider in FP16_PROVIDERS:
        to_fp16(fp32, path)
    else:
        raise TrainingError(f"{provider} does not compute in fp16")


def _calibration(examination: FormatTrial, count: int) -> Pixels:
    """Photos spread over the training split, whose rows stand class by class."""
    training = examination.training
    chosen = training.take(range(0, len(training), max(1, -(-len(training) // count))))
    return load_photos(chosen, examination.preprocessing, "decoding photos for int8").pixels


def _measure(
    models: dict[str, OnnxEmbedder],
    paths: dict[NumericFormat, Path],
    examination: FormatTrial,
    config: NumericFormatConfig,
) -> list[FormatMeasurement]:
    latency = median_latency_ms(models, examination.queries.pixels, config.repetitions)
    reference, vectors = examination.sit(models["fp32"], examination.gallery_config)
    # Thresholds are comparable only where a class is represented in one way.
    same_way = examination.gallery_config.represented(reference.represent)
    measurements = []
    for precision, path in paths.items():
        try:
            fitted, others = (
                (reference, vectors) if precision == "fp32" else examination.sit(models[precision], same_way)
            )
        except UserError as error:
            measurements.append(FormatMeasurement(precision=precision, refused=str(error)))
            continue
        cosines = (vectors * others).sum(axis=1)
        measurements.append(
            FormatMeasurement(
                precision=precision,
                latency_ms=latency[precision],
                size_mb=path.stat().st_size / 1e6,
                accuracy=compare_answers(fitted.outcomes, fitted.rule, reference.outcomes, reference.rule, cosines),
            )
        )
    return measurements
