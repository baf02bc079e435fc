from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.calibration import CalibratedModel, Elsewhere, calibrate
from discern.evaluation.cross_fitting import fit_promised_rule
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.metrics import measure
from discern.evaluation.probability_calibration import fit_calibrator
from discern.evaluation.queries import EmbeddedSplit, decode_gallery, decode_queries
from edge_runtime.core.embedder import OnnxEmbedder
from tests.discern import candidates, toy
from tests.edge_runtime import toy_release

AUTO = GalleryConfig(photos_per_class=2, splits=("validation", "test"), represent="auto", unknown_classes=False)
Splits = tuple[EmbeddedSplit, EmbeddedSplit, EmbeddedSplit]


@pytest.fixture(scope="module")
def splits(toy_version: DatasetVersion, tmp_path_factory: pytest.TempPathFactory) -> Splits:
    """Gallery, validation and test of the toy version, embedded by mean colour."""
    preprocessing = toy_release.PREPROCESSING
    onnx = toy_release.write_model(tmp_path_factory.mktemp("model") / "model.onnx")
    model = OnnxEmbedder(onnx, preprocessing)
    enrolled = (*toy.VALIDATION, *toy.TEST)
    return (
        decode_gallery(toy_version, AUTO, preprocessing).embed(model),
        decode_queries(toy_version, "validation", enrolled, preprocessing).embed(model),
        decode_queries(toy_version, "test", enrolled, preprocessing).embed(model),
    )


def test_calibrate_fits_on_validation_and_measures_test(splits: Splits) -> None:
    gallery, validation, test = splits
    calibrated = calibrate(gallery, validation, test, candidates.GALLERY, 0.25)
    fitted_on = validation.search(calibrated.gallery)
    assert calibrated.rule == fit_promised_rule(fitted_on, 0.25).rule
    assert calibrated.calibrator == fit_calibrator(fitted_on)
    assert calibrated.metrics == measure(
        test.search(calibrated.gallery, ranked=True), calibrated.rule, calibrated.calibrator
    )


def test_calibrate_does_not_see_the_test_queries(splits: Splits) -> None:
    """With the test queries in another order of vectors, rule and calibrator stay and only figures change."""
    gallery, validation, test = splits
    turned = replace(test, vectors=np.roll(test.vectors, 5, axis=0))
    before, after = (calibrate(gallery, validation, part, AUTO, 0.25) for part in (test, turned))
    assert (after.rule, after.calibrator, after.chosen.represent) == (
        before.rule,
        before.calibrator,
        before.chosen.represent,
    )
    assert after.metrics != before.metrics


def test_figures_begin_with_validation_where_they_are_of_the_validation_queries(splits: Splits) -> None:
    gallery, validation, test = splits
    calibrated: CalibratedModel = calibrate(gallery, validation, test, AUTO, 0.25)
    figures = calibrated.figures()
    of_test = {name: value for name, value in figures.items() if not name.startswith("validation_")}
    assert of_test == calibrated.metrics.figures()
    assert figures["validation_tpir_queries"] == 16
    assert figures["validation_fpir_queries"] == 12 + 16  # the enrolled ones are asked as unknowns too
    assert figures["validation_fpir_classes"] == 7
    assert {fitted.way for fitted in calibrated.tried} == {
        "prototype", "exemplars", "prototype_offsets", "exemplars_offsets",
    }  # fmt: skip
    for fitted in calibrated.tried:
        assert figures[f"validation_auroc_{fitted.way}"] == fitted.metrics.auroc
    (stated,) = calibrate(gallery, validation, test, candidates.GALLERY, 0.25).tried
    assert stated.represent == "exemplars"


def test_one_class_has_figures_without_an_auroc(splits: Splits) -> None:
    """Of one class no unknown can be asked; photos from elsewhere are what its rule refuses."""
    gallery, queries = (_of_one_class(part) for part in splits[:2])
    others = Elsewhere(splits[0].vectors[np.array(splits[0].labels) != toy.VALIDATION[0]])
    calibrated = calibrate(gallery, queries, queries, AUTO, 0.25, others)
    figures = calibrated.figures()
    assert len(calibrated.tried) == 2
    assert "validation_auroc_prototype" not in figures
    assert figures["validation_recall_at_1_prototype"] == 1


def _of_one_class(part: EmbeddedSplit) -> EmbeddedSplit:
    """The photos of one class, each asked once."""
    rows = np.flatnonzero(np.array(part.labels[: part.photos]) == toy.VALIDATION[0])
    return EmbeddedSplit(part.rows.take(rows.tolist()), part.vectors[rows])


def test_photos_from_elsewhere_of_every_kind_are_in_both_halves() -> None:
    """Kinds that follow each other in turns, as rendered ones do, would else be fitted on and measured apart."""
    kinds = Elsewhere(np.tile(np.arange(6, dtype=np.float32), 34)[:200, None])
    assert set(kinds.fitting[:, 0]) == set(kinds.measuring[:, 0]) == set(range(6))
    assert len(kinds.fitting) + len(kinds.measuring) == 200
