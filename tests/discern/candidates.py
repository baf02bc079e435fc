"""Two real candidates over one toy dataset version: a trained net, and one that embeds a photo by its mean colour."""

from __future__ import annotations

import tempfile
from pathlib import Path

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.numeric_format import NumericFormatConfig
from discern.evaluation.queries import decode_gallery
from discern.learning.models import TorchEmbedder
from discern.releases.build import CatalogueClass, ReleaseParts, build_release
from discern.releases.candidate import CandidateInputs
from discern.releases.config import PackagingConfig
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import DecisionRule
from edge_runtime.core.images import encode_jpeg, encode_png
from edge_runtime.core.release import Lineage, Release
from tests.discern import toy
from tests.edge_runtime import toy_release

NAME = "toy <pills>"
GALLERY = GalleryConfig(photos_per_class=2, splits=("validation", "test"), unknown_classes=False, class_offsets=False)
CONFIG = PackagingConfig(fpir=0.6, golden_images=3, numeric_format=NumericFormatConfig(variants=()))
LINEAGE = Lineage(dataset_version="0123456789abcdef", git_commit="c0ffee", pipeline_run="run <1>")


def inputs(
    version: DatasetVersion,
    student: TorchEmbedder,
    *,
    gallery: GalleryConfig = GALLERY,
    packaging: PackagingConfig = CONFIG,
) -> CandidateInputs:
    """Inputs of a candidate of a toy model."""
    return CandidateInputs(NAME, version, student, gallery, packaging, LINEAGE)


def by_colour(folder: Path, version: DatasetVersion) -> Release:
    """A release of another net, another preprocessing and another embedding length than the trained one's."""
    with tempfile.TemporaryDirectory() as temporary:
        onnx = toy_release.write_model(Path(temporary) / "model.onnx")
        model = OnnxEmbedder(onnx, toy_release.PREPROCESSING)
        gallery = decode_gallery(version, GALLERY, toy_release.PREPROCESSING).embed(model).enrol(GALLERY)
        parts = ReleaseParts(
            name=NAME,
            onnx=onnx,
            preprocessing=toy_release.PREPROCESSING,
            vectors=gallery.vectors,
            class_ids=gallery.class_ids,
            classes=[CatalogueClass(label, encode_jpeg(toy.disc(label, 0))) for label in gallery.labels],
            rule=DecisionRule(threshold=0.99, margin=0.0, fpir=0.25),
            golden=[encode_png(toy.disc(label, 0)) for label in gallery.labels[:2]],
            metrics={},
            lineage=LINEAGE,
        )
        return build_release(folder, parts)
