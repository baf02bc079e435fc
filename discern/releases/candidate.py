"""A release candidate: export the student, choose its numeric format, enrol, calibrate, measure, and build the release.

The gallery holds every class of the version, whatever its split: what is measured is what ships.

Embeddings, search and decision are `edge_runtime`'s, on the exported graph: what is measured is what ships. Each photo
is decoded once for the model, and embedded once by each numeric format.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import THUMBNAIL
from discern.evaluation.calibration import CalibratedModel, calibrate
from discern.evaluation.gallery import Gallery, GalleryConfig
from discern.evaluation.gallery_doctor import CurvePoint, photo_curve
from discern.evaluation.metrics import Metrics
from discern.evaluation.numeric_format import FormatChoice
from discern.evaluation.photo_limits import fit_photo_limits, known_photos
from discern.evaluation.queries import EmbeddedSplit, decode_gallery, decode_queries
from discern.learning.export import check_parity, export_onnx
from discern.learning.models import TorchEmbedder
from discern.releases.build import CatalogueClass, ReleaseParts, build_release
from discern.releases.config import PackagingConfig
from discern.releases.elsewhere import photos_from_elsewhere
from discern.releases.enrolment_data import EnrolledPhotos, EnrolmentData
from discern.releases.numeric_format_search import EmbeddedTrial, FormatTrial, choose_numeric_format
from edge_runtime.core.images import encode_jpeg, encode_png
from edge_runtime.core.photo_limits import PhotoLimits
from edge_runtime.core.release import GalleryEntry, Lineage, Release

PARITY_PHOTOS = 64  # on which the export must give the student's embeddings


@dataclass(frozen=True)
class CandidateInputs:
    """What a release candidate is built from.

    Attributes:
        name: of the release, as people call it.
        version: the photos; validation queries calibrate, test queries measure, training photos calibrate int8.
        student: the trained model, with its preprocessing.
        gallery: which photos are enrolled, and how a class is represented.
        packaging: calibration, numeric format, golden images.
        lineage: where the release comes from.
    """

    name: str
    version: DatasetVersion
    student: TorchEmbedder
    gallery: GalleryConfig
    packaging: PackagingConfig
    lineage: Lineage


@dataclass(frozen=True)
class Candidate:
    """A release candidate.

    Attributes:
        release: the release, built and tested.
        metrics: its figures on the test split.
        format_choice: the numeric format that it ships in, and why.
    """

    release: Release
    metrics: Metrics
    format_choice: FormatChoice


def build_candidate(folder: Path, inputs: CandidateInputs) -> Candidate:
    """Build a release candidate in `folder`, which is absent, and measure it.

    Raises:
        DataError: the version lacks gallery photos, validation queries, unknowns or test queries.
        TrainingError: the export differs from the student.
        PublicationError: the release cannot be built; nothing is left at `folder`.
    """
    version, packaging, preprocessing = inputs.version, inputs.packaging, inputs.student.preprocessing
    gallery = decode_gallery(version, inputs.gallery, preprocessing)
    enrolled = set(gallery.rows.labels)
    with tempfile.TemporaryDirectory(prefix="export-") as temporary:
        exported = Path(temporary) / "fp32.onnx"
        export_onnx(inputs.student, exported)
        check_parity(inputs.student, exported, gallery.pixels[:PARITY_PHOTOS])
        validation = decode_queries(version, "validation", enrolled, preprocessing)
        trial = FormatTrial(
            gallery=gallery,
            queries=validation,
            training=version.select(split="train"),
            preprocessing=preprocessing,
            gallery_config=inputs.gallery,
            fpir=packaging.fpir,
            elsewhere=photos_from_elsewhere(packaging.elsewhere, validation, preprocessing),
        )
        shipped, choice = choose_numeric_format(exported, trial, packaging.numeric_format)
        test = decode_queries(version, "test", enrolled, preprocessing).embed(shipped.model)
        calibrated = calibrate(
            shipped.gallery,
            shipped.queries,
            test,
            inputs.gallery,
            packaging.fpir,
            shipped.elsewhere,
            packaging.least_probability,
        )
        release = _build(folder, inputs, shipped, test, calibrated, choice)
    return Candidate(release, calibrated.metrics, choice)


def _build(
    folder: Path,
    inputs: CandidateInputs,
    shipped: EmbeddedTrial,
    test: EmbeddedSplit,
    calibrated: CalibratedModel,
    choice: FormatChoice,
) -> Release:
    enrolled = shipped.gallery.rows
    parts = ReleaseParts(
        name=inputs.name,
        onnx=shipped.onnx,
        preprocessing=inputs.student.preprocessing,
        vectors=calibrated.gallery.vectors,
        class_ids=calibrated.gallery.class_ids,
        classes=_catalogue(enrolled, calibrated.gallery),
        rule=calibrated.rule,
        golden=_golden(enrolled, inputs.packaging.golden_images),
        metrics=calibrated.figures(),
        lineage=inputs.lineage.model_copy(update={"numeric_format": choice.reason}),
        calibrator=calibrated.calibrator,
        gallery=GalleryEntry(
            represent=calibrated.chosen.represent,
            photos_per_class=inputs.gallery.photos_per_class,
            splits=inputs.gallery.splits,
            unknown_classes=inputs.gallery.unknown_classes,
            class_offsets=calibrated.gallery.offsets is not None,
        ),
        numeric_format=choice.numeric_format,
        photo_limits=_photo_limits(shipped, calibrated),
        counts=_counts(enrolled, test),
        enrolment=EnrolmentData(
            gallery=EnrolledPhotos(shipped.gallery.vectors, enrolled.column("label"), enrolled.photo_ids()),
            validation=shipped.queries.queries,
            test=test.queries,
            trained_answers=_answers(calibrated),
            elsewhere=shipped.elsewhere,
            curve=_curve(shipped, test, calibrated, inputs.packaging.fpir),
        ),
    )
    return build_release(folder, parts)


def _curve(
    shipped: EmbeddedTrial, test: EmbeddedSplit, calibrated: CalibratedModel, fpir: float
) -> tuple[CurvePoint, ...]:
    """Measure how TPIR grows with the photos of a class."""
    gallery, elsewhere = shipped.gallery, shipped.elsewhere
    fitting = None if elsewhere is None else elsewhere.fitting
    asked = shipped.queries.queries, test.queries
    return tuple(photo_curve(gallery.vectors, gallery.labels, calibrated.chosen.config, *asked, fpir, fitting))


def _answers(calibrated: CalibratedModel) -> list[str | None]:
    """Return the label that each test query gets, None for `unknown`."""
    results = calibrated.results
    labels = (*results.labels, None)  # -1 is the last one
    return [labels[number] for number in results.answers(calibrated.rule).tolist()]


def _photo_limits(shipped: EmbeddedTrial, calibrated: CalibratedModel) -> PhotoLimits:
    """Degrade known validation queries until the answers break."""
    queries = shipped.queries
    as_known = np.arange(len(queries.labels)) if queries.left_out is None else np.flatnonzero(~queries.left_out)
    known = known_photos(queries.rows.take(as_known.tolist()), calibrated.gallery.labels)
    return fit_photo_limits(shipped.model, calibrated.gallery, calibrated.rule, known)


def _counts(enrolled: DatasetVersion, test: EmbeddedSplit) -> dict[str, int]:
    """Count the classes that trained, and those whose test queries were asked as known and as unknown."""
    left_out = np.zeros(len(test.labels), dtype=bool) if test.left_out is None else test.left_out
    labels, shipped = np.array(test.labels), set(enrolled.labels)
    return {
        "trained_classes": len(shipped & test.trained),
        "classes_measured_as_known": len(shipped & set(labels[~left_out].tolist())),
        "classes_measured_as_unknown": len(set(labels[left_out].tolist())),
    }


def _catalogue(enrolled: DatasetVersion, gallery: Gallery) -> list[CatalogueClass]:
    """Show each class by its first enrolled photo."""
    first_row: dict[str, int] = {}
    for row, label in enumerate(enrolled.column("label")):
        first_row.setdefault(label, row)
    offsets = np.zeros(len(gallery.labels)) if gallery.offsets is None else gallery.offsets
    return [
        CatalogueClass(label, encode_jpeg(THUMBNAIL.apply(enrolled.pixels(first_row[label]))), float(offset))
        for label, offset in zip(gallery.labels, offsets, strict=True)
    ]


def _golden(enrolled: DatasetVersion, count: int) -> list[bytes]:
    """Encode photos spread over the gallery as PNG, which every machine decodes to the same pixels."""
    rows = np.unique(np.linspace(0, len(enrolled) - 1, count).astype(int))
    return [encode_png(enrolled.pixels(int(row))) for row in rows]
