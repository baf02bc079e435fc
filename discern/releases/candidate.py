"""A release candidate: the student exported and, where it pays, quantised; classes enrolled, the rule calibrated, the
test split measured.

Embeddings, search and decision are `edge_runtime`'s, on the exported graph: what is measured is what ships.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import PhotoSet, load_photos
from discern.errors import DataError
from discern.evaluation.gallery import Gallery, GalleryConfig, Vectors, embed_batches, enrol, gallery_rows
from discern.evaluation.gallery_fit import DECIDING, FittedGallery, Queries, fit_galleries
from discern.evaluation.metrics import Metrics, measure
from discern.evaluation.numeric_format import FormatChoice, NumericFormatConfig
from discern.evaluation.probability_calibration import fit_calibrator
from discern.evaluation.threshold_calibration import check_fitting
from discern.learning.export import check_parity, export_onnx
from discern.learning.models import TorchEmbedder
from discern.releases.build import CatalogueClass, ReleaseParts, build_release
from discern.releases.numeric_format_search import FormatTrial, choose_numeric_format
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Calibrator, DecisionRule
from edge_runtime.core.images import Preprocessing, encode_jpeg, encode_png
from edge_runtime.core.release import GalleryEntry, Lineage, Release

THUMBNAIL = Preprocessing(size=96)
PARITY_PHOTOS = 64


class PackagingConfig(BaseModel):
    """How a candidate is calibrated and packed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fpir: float = Field(default=0.05, gt=0, lt=1, description="false-identification rate the threshold is fitted for")
    golden_images: int = Field(default=8, ge=1, le=64)
    precision: NumericFormatConfig = Field(default=NumericFormatConfig(), description="what may ship in place of fp32")


def build_candidate(
    folder: Path,
    name: str,
    version: DatasetVersion,
    student: TorchEmbedder,
    gallery_config: GalleryConfig,
    config: PackagingConfig,
    lineage: Lineage,
) -> tuple[Release, Metrics, FormatChoice]:
    """Build a candidate from a trained student and measure it.

    Args:
        folder: where the release goes; absent.
        name: what people call it.
        version: the photos; validation queries calibrate, test queries measure.
        student: the trained model, with its preprocessing.
        gallery_config: which photos are enrolled and how.
        config: calibration and packing.
        lineage: where it comes from.

    Returns:
        The release, its figures on the test split, and why it ships in this precision.

    Raises:
        DataError: as `calibrate`.
        TrainingError: the export differs from the model.
        PublicationError: the release cannot be built.
    """
    preprocessing = student.preprocessing
    with tempfile.TemporaryDirectory(prefix="export-") as temporary:
        exported = Path(temporary) / "fp32.onnx"
        export_onnx(student, exported)
        enrolled = version.take(gallery_rows(version, gallery_config))
        photos = load_photos(enrolled, preprocessing, "decoding gallery")
        check_parity(student, exported, photos.pixels[:PARITY_PHOTOS])
        examination = FormatTrial(
            photos,
            load_queries(version, "validation", set(photos.labels), preprocessing),
            version.select(split="train"),
            preprocessing,
            gallery_config,
            config.fpir,
        )
        onnx, choice = choose_numeric_format(exported, examination, config.precision)
        model = OnnxEmbedder(onnx, preprocessing)
        measured = calibrate(model, version, preprocessing, gallery_config, config.fpir)
        parts = ReleaseParts(
            name=name,
            onnx=onnx,
            preprocessing=preprocessing,
            vectors=measured.gallery.vectors,
            class_ids=measured.gallery.class_ids,
            classes=_catalogue(enrolled, measured.gallery.labels),
            rule=measured.rule,
            golden=_golden(enrolled, config.golden_images),
            metrics=measured.figures(),
            lineage=lineage.model_copy(update={"numeric_format": choice.reason}),
            calibrator=measured.calibrator,
            gallery=GalleryEntry(
                represent=measured.chosen.represent,
                photos_per_class=gallery_config.photos_per_class,
                splits=gallery_config.splits,
            ),
            numeric_format=choice.precision,
        )
        release = build_release(folder, parts)
    return release, measured.metrics, choice


@dataclass(frozen=True)
class Measured:
    """A model on a dataset version.

    Attributes:
        enrolled: the rows that make the gallery.
        tried: the representations that were tried, each with its rule, fitted on the validation queries; best first.
        calibrator: of the first one, fitted on the same queries; None where it could not be.
        metrics: of the test queries under the first one's rule.
    """

    enrolled: DatasetVersion
    tried: tuple[FittedGallery, ...]
    calibrator: Calibrator | None
    metrics: Metrics

    @property
    def chosen(self) -> FittedGallery:
        """The representation that is taken."""
        return self.tried[0]

    @property
    def gallery(self) -> Gallery:
        """The embeddings of `enrolled`."""
        return self.chosen.gallery

    @property
    def rule(self) -> DecisionRule:
        """The decision rule."""
        return self.chosen.rule

    def figures(self) -> dict[str, float]:
        """What travels with a release: of the test queries, of the validation queries, and of what was chosen from."""
        validation = self.chosen.rates.figures()
        if len(self.tried) > 1:
            validation |= {
                f"{name}_{fitted.represent}": fitted.metrics.figures()[name]
                for fitted in self.tried
                for name in DECIDING
            }
        return self.metrics.figures() | {f"validation_{name}": value for name, value in validation.items()}


def calibrate(
    model: OnnxEmbedder,
    version: DatasetVersion,
    preprocessing: Preprocessing,
    gallery_config: GalleryConfig,
    fpir: float,
) -> Measured:
    """Enrol the gallery of `version`, fit rule and calibrator on its validation queries, measure its test queries.

    Raises:
        DataError: the version lacks gallery photos, validation queries, unknowns or test queries.
    """
    enrolled, vectors = _embed_photos(model, version, preprocessing, gallery_config)
    labels = enrolled.column("label")
    validation = embed_queries(model, version, "validation", set(labels), preprocessing)
    tried = fit_galleries(vectors, labels, gallery_config, validation, fpir)
    chosen = tried[0]
    calibrator = fit_calibrator(chosen.outcomes)
    test = embed_queries(model, version, "test", set(labels), preprocessing)
    return Measured(enrolled, tried, calibrator, measure(test.search(chosen.gallery), chosen.rule, calibrator))


def embed_gallery(
    model: OnnxEmbedder, version: DatasetVersion, preprocessing: Preprocessing, config: GalleryConfig
) -> tuple[DatasetVersion, Gallery]:
    """The rows of `version` that are enrolled, and the gallery that `model` makes of them.

    Raises:
        DataError: no row is.
    """
    enrolled, vectors = _embed_photos(model, version, preprocessing, config)
    return enrolled, enrol(vectors, enrolled.column("label"), config)


def embed_queries(
    model: OnnxEmbedder,
    version: DatasetVersion,
    split: str,
    enrolled: Collection[str],
    preprocessing: Preprocessing,
) -> Queries:
    """Embed the queries of one split, where the classes `enrolled` are in the gallery.

    Raises:
        DataError: the split has no query of an enrolled class.
    """
    photos = load_queries(version, split, enrolled, preprocessing)
    trained = frozenset(version.select(split="train").column("label"))
    return Queries(embed_batches(model, photos.pixels), photos.labels, trained)


def load_queries(
    version: DatasetVersion, split: str, enrolled: Collection[str], preprocessing: Preprocessing
) -> PhotoSet:
    """Decode the queries of one split, as `asked` tells them.

    Raises:
        DataError: the split has no query of an enrolled class.
    """
    return load_photos(_some_asked(version, split, enrolled), preprocessing, f"decoding {split} queries")


def check_calibratable(version: DatasetVersion, gallery_config: GalleryConfig, fpir: float) -> None:
    """Refuse, before hours of training, a version of which no release could be calibrated and measured.

    Raises:
        DataError: as `calibrate`.
    """
    enrolled = set(version.take(gallery_rows(version, gallery_config)).labels)
    validation = _some_asked(version, "validation", enrolled).column("label")
    known = sum(label in enrolled for label in validation)
    check_fitting(known, len(validation) - known, fpir)
    _some_asked(version, "test", enrolled)


def asked(version: DatasetVersion, split: str, enrolled: Collection[str]) -> DatasetVersion:
    """The queries of one split, in the manifest's order: of enrolled classes, and of unknowns.

    A class that trained but is not enrolled is neither: the model knows it, so it would flatter or spoil the figures of
    the unknowns.
    """
    left_out = set(version.select(split="train").labels) - set(enrolled)
    queries = version.select(split=split, role="query")
    return queries.select(labels=set(queries.labels) - left_out)


def _some_asked(version: DatasetVersion, split: str, enrolled: Collection[str]) -> DatasetVersion:
    queries = asked(version, split, enrolled)
    if not set(queries.labels) & set(enrolled):
        raise DataError(
            f"The {split} split has no query of an enrolled class: hold out classes for it that have more photos than "
            "are enrolled."
        )
    return queries


def _embed_photos(
    model: OnnxEmbedder, version: DatasetVersion, preprocessing: Preprocessing, config: GalleryConfig
) -> tuple[DatasetVersion, Vectors]:
    """The rows of `version` that are enrolled, and their embeddings [n, d]."""
    enrolled = version.take(gallery_rows(version, config))
    photos = load_photos(enrolled, preprocessing, "decoding gallery")
    return enrolled, embed_batches(model, photos.pixels)


def _catalogue(enrolled: DatasetVersion, labels: Sequence[str]) -> list[CatalogueClass]:
    """Each class with its first enrolled photo."""
    column = enrolled.column("label")
    first = {label: row for row, label in reversed(list(enumerate(column)))}
    return [CatalogueClass(label, encode_jpeg(THUMBNAIL.apply(enrolled.pixels(first[label])))) for label in labels]


def _golden(enrolled: DatasetVersion, count: int) -> list[bytes]:
    """Photos spread over the catalogue, as PNG, which every machine decodes to the same pixels."""
    rows = np.unique(np.linspace(0, len(enrolled) - 1, count).astype(int))
    return [encode_png(enrolled.pixels(int(row))) for row in rows]
