"""Build the numeric formats of an export, try each as it would ship, and take the fastest inside the gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.errors import TrainingError
from discern.evaluation.calibration import Elsewhere
from discern.evaluation.gallery import GalleryConfig, embed_batches
from discern.evaluation.gallery_fit import FittedGallery, fit_galleries
from discern.evaluation.latency import median_latency_ms
from discern.evaluation.numeric_format import (
    Accuracy,
    FormatChoice,
    FormatMeasurement,
    NumericFormat,
    NumericFormatConfig,
    choose_format,
    compare_answers,
)
from discern.evaluation.queries import DecodedSplit, EmbeddedSplit
from discern.learning.quantise import FP16_PROVIDERS, to_fp16, to_int8
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Pixels, Preprocessing
from edge_runtime.errors import UserError

Made = TypeVar("Made")


@dataclass(frozen=True)
class FormatTrial:
    """The photos that every numeric format is tried on, decoded once.

    Attributes:
        gallery: the photos that are enrolled.
        queries: validation queries, unknowns among them.
        training: rows of the training split, which calibrate int8: what measures a format must not calibrate it.
        preprocessing: as in training.
        gallery_config: how classes are represented.
        fpir: the false-identification rate that a rule is fitted for.
        elsewhere: [n, size, size, 3] photos of other things; None where the rule needs none.
    """

    gallery: DecodedSplit
    queries: DecodedSplit
    training: DatasetVersion
    preprocessing: Preprocessing
    gallery_config: GalleryConfig
    fpir: float
    elsewhere: Pixels | None = None

    def embed(self, onnx: Path, model: OnnxEmbedder) -> EmbeddedTrial:
        """Embed gallery, queries and photos from elsewhere.

        Raises:
            ReleaseError: the model fails.
        """
        elsewhere = None if self.elsewhere is None else Elsewhere(embed_batches(model, self.elsewhere))
        return EmbeddedTrial(onnx, model, self.gallery.embed(model), self.queries.embed(model), elsewhere)

    def fit(self, onnx: Path, model: OnnxEmbedder, config: GalleryConfig) -> FittedTrial:
        """Embed gallery and queries, and fit gallery and rule to them.

        Raises:
            DataError: as `fit_galleries`.
            ReleaseError: the model fails.
        """
        embedded = self.embed(onnx, model)
        gallery, queries = embedded.gallery, embedded.queries.queries
        foreign = None if embedded.elsewhere is None else embedded.elsewhere.fitting
        fitted = fit_galleries(gallery.vectors, gallery.labels, config, queries, self.fpir, foreign)
        return FittedTrial(embedded, fitted[0])

    def calibration_photos(self, count: int) -> Pixels:
        """Decode about `count` photos spread over the training split, whose rows stand class by class."""
        step = max(1, -(-len(self.training) // count))
        spread = self.training.take(range(0, len(self.training), step))
        return load_photos(spread, self.preprocessing, "decoding photos for int8").pixels


@dataclass(frozen=True)
class EmbeddedTrial:
    """One numeric format with its embeddings of the trial's photos.

    Attributes:
        onnx: the model's file.
        model: the same, loaded.
        gallery: the enrolled photos.
        queries: the validation queries.
        elsewhere: the photos from elsewhere; None where there are none.
    """

    onnx: Path
    model: OnnxEmbedder
    gallery: EmbeddedSplit
    queries: EmbeddedSplit
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True)
class FittedTrial:
    """A numeric format with the gallery and the rule that are fitted to its embeddings."""

    embedded: EmbeddedTrial
    fitted: FittedGallery


def choose_numeric_format(
    fp32: Path, trial: FormatTrial, config: NumericFormatConfig
) -> tuple[EmbeddedTrial, FormatChoice]:
    """Build what `config` tries besides fp32, measure all on this machine's execution provider, and choose.

    A format that cannot be built or measured is refused, with the reason.

    Args:
        fp32: the export; the rest is written beside it.
        trial: photos, and how answers are judged.
        config: what is tried, and the gate.

    Returns:
        The format that ships with its embeddings of the trial's photos, and why it ships.

    Raises:
        DataError: fp32 itself cannot be measured on these photos.
        ReleaseError: fp32 cannot be run.
    """
    models: dict[NumericFormat, OnnxEmbedder] = {"fp32": OnnxEmbedder(fp32, trial.preprocessing)}
    if not config.variants:
        return trial.embed(fp32, models["fp32"]), choose_format([FormatMeasurement(numeric_format="fp32")], config)
    refused = []
    for variant in dict.fromkeys(config.variants):
        model = _attempt(partial(_build, variant, fp32, models["fp32"].provider, trial, config))
        if isinstance(model, str):
            refused.append(FormatMeasurement(numeric_format=variant, refused=model))
        else:
            models[variant] = model
    latency = median_latency_ms(models, trial.queries.pixels, config.repetitions)
    reference = trial.fit(fp32, models.pop("fp32"), trial.gallery_config)
    # Thresholds are comparable only where classes are enrolled in one way.
    same_way = reference.fitted.config
    fitted: dict[NumericFormat, FittedTrial] = {"fp32": reference}
    for name, model in models.items():
        tried = _attempt(partial(trial.fit, _path(fp32, name), model, same_way))
        if isinstance(tried, str):
            refused.append(FormatMeasurement(numeric_format=name, refused=tried))
        else:
            fitted[name] = tried
    measurements = [_measurement(name, tried, reference, latency[name]) for name, tried in fitted.items()]
    choice = choose_format([*measurements, *refused], config)
    return fitted[choice.numeric_format].embedded, choice


def _attempt(make: Callable[[], Made]) -> Made | str:
    """Return the result of `make`, or the reason why a format cannot be built or measured."""
    try:
        return make()
    except UserError as error:
        return str(error)


def _path(fp32: Path, numeric_format: NumericFormat) -> Path:
    return fp32 if numeric_format == "fp32" else fp32.with_name(f"{numeric_format}.onnx")


def _build(
    variant: NumericFormat, fp32: Path, provider: str, trial: FormatTrial, config: NumericFormatConfig
) -> OnnxEmbedder:
    """Write a variant beside fp32, and load it."""
    path = _path(fp32, variant)
    if variant == "int8":
        to_int8(fp32, path, trial.calibration_photos(config.calibration_photos))
    elif provider in FP16_PROVIDERS:
        to_fp16(fp32, path)
    else:
        raise TrainingError(f"{provider} does not compute in fp16")
    model = OnnxEmbedder(path, trial.preprocessing)
    model.embed(trial.queries.pixels[:1])  # a graph may load and still not run
    return model


def _measurement(
    name: NumericFormat, tried: FittedTrial, reference: FittedTrial, latency_ms: float
) -> FormatMeasurement:
    return FormatMeasurement(
        numeric_format=name,
        latency_ms=latency_ms,
        size_mb=tried.embedded.onnx.stat().st_size / 1e6,
        accuracy=_accuracy(tried, reference),
    )


def _accuracy(tried: FittedTrial, reference: FittedTrial) -> Accuracy | None:
    """Compare the answers with fp32's; None where the queries lack enrolled ones, or unknowns as those of one class."""
    enrolled = reference.fitted.results.enrolled
    if enrolled.all() or not enrolled.any():
        return None
    cosines = (reference.embedded.queries.vectors * tried.embedded.queries.vectors).sum(axis=1)
    return compare_answers(
        tried.fitted.results, tried.fitted.rule, reference.fitted.results, reference.fitted.rule, cosines
    )
