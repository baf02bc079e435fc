from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import PhotoSet, load_photos
from discern.errors import DataError
from discern.evaluation.gallery import GalleryConfig, gallery_rows
from discern.evaluation.metrics import Metrics
from discern.evaluation.numeric_format import FormatChoice, FormatMeasurement, NumericFormatConfig, choose_format
from discern.learning.config import ModelConfig
from discern.learning.export import export_onnx
from discern.learning.models import TorchEmbedder, restored
from discern.learning.quantise import stamp
from discern.learning.recipes import train_teacher
from discern.releases.candidate import PackagingConfig, build_candidate, load_queries
from discern.releases.numeric_format_search import FormatTrial, choose_numeric_format
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import Preprocessing
from edge_runtime.core.release import MODEL_FILE, Release, open_release
from edge_runtime.core.selftest import run_selftest
from tests.discern import candidates, toy

LARGE = Preprocessing(96)  # where a dense net spends its time in convolutions, which int8 halves
# What is not about speed never refuses here.
LAX = NumericFormatConfig(
    variants=("int8",),
    recall_loss=0.99,
    tpir_loss=0.99,
    fpir_gain=0.99,
    least_agreement=0,
    least_queries=2,
    calibration_photos=12,
    repetitions=10,
)


def examination(
    version: DatasetVersion,
    preprocessing: Preprocessing = toy.PREPROCESSING,
    gallery: GalleryConfig = candidates.GALLERY,
) -> FormatTrial:
    photos = load_photos(version.take(gallery_rows(version, gallery)), preprocessing)
    queries = load_queries(version, "validation", set(photos.labels), preprocessing)
    return FormatTrial(photos, queries, version.select(split="train"), preprocessing, gallery, 0.25)


@pytest.fixture(scope="module")
def exam(toy_version: DatasetVersion) -> FormatTrial:
    return examination(toy_version)


@pytest.fixture
def fp32(toy_model: TorchEmbedder, tmp_path: Path) -> Path:
    export_onnx(toy_model, tmp_path / "fp32.onnx")
    return tmp_path / "fp32.onnx"


@pytest.fixture(scope="module")
def dense(toy_version: DatasetVersion) -> TorchEmbedder:
    """A net without depthwise convolutions, a little trained."""
    model = ModelConfig(backbone="resnet10t", embedding_dim=16)
    trained = train_teacher(toy_version, toy.PREPROCESSING, toy.config(model=model, steps=10)).model
    return restored(trained.config, LARGE, trained.state_dict())


@pytest.fixture(scope="module")
def quantised(
    toy_version: DatasetVersion, dense: TorchEmbedder, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Release, Metrics, FormatChoice]:
    config = candidates.CONFIG.model_copy(update={"precision": LAX})
    folder = tmp_path_factory.mktemp("quantised") / "release"
    return build_candidate(folder, "toy", toy_version, dense, candidates.GALLERY, config, candidates.LINEAGE)


def by_name(choice: FormatChoice) -> dict[str, FormatMeasurement]:
    return {each.precision: each for each in choice.measurements}


def test_int8_ships_where_it_is_faster_and_the_release_is_whole(
    quantised: tuple[Release, Metrics, FormatChoice],
) -> None:
    release, _, choice = quantised
    measured = by_name(choice)
    assert choice.precision == "int8", choice.reason
    assert (measured["int8"].latency_ms or 9) < (measured["fp32"].latency_ms or 0)
    assert release.manifest.lineage.numeric_format == choice.reason
    model = onnx.load(str(release.folder / MODEL_FILE))
    assert "QuantizeLinear" in {node.op_type for node in model.graph.node}
    assert stamp(release.folder / MODEL_FILE) == (8, {"": 17})
    run_selftest(release.folder, release.id)


def test_gallery_rule_and_golden_embeddings_are_those_of_what_ships(
    quantised: tuple[Release, Metrics, FormatChoice], toy_version: DatasetVersion, dense: TorchEmbedder, tmp_path: Path
) -> None:
    release, metrics, choice = quantised
    identifier = Identifier(open_release(release.folder, release.id))
    photos = examination(toy_version, LARGE).gallery
    by_class = np.argsort(photos.labels, kind="stable")
    np.testing.assert_allclose(identifier.index.vectors, identifier.model.embed(photos.pixels)[by_class], atol=1e-6)
    images, golden = release.golden()
    np.testing.assert_allclose(golden, identifier.embed(images), atol=1e-6)
    export_onnx(dense, tmp_path / "fp32.onnx")
    whole = OnnxEmbedder(tmp_path / "fp32.onnx", LARGE).embed(photos.pixels)[by_class]
    assert np.abs(identifier.index.vectors - whole).max() > 1e-4  # and they differ from fp32's
    accuracy = by_name(choice)["int8"].accuracy
    assert accuracy is not None
    assert accuracy.fpir <= 0.25
    assert release.manifest.metrics["validation_tpir"] == pytest.approx(accuracy.tpir)
    assert metrics.recall_at_1 is not None


def test_the_choice_follows_from_its_measurements(fp32: Path, exam: FormatTrial) -> None:
    path, choice = choose_numeric_format(fp32, exam, LAX)
    assert choose_format(choice.measurements, LAX) == choice
    assert path == fp32.with_name(f"{choice.precision}.onnx")
    measured = by_name(choice)
    assert list(measured) == ["fp32", "int8"]
    for each in measured.values():
        assert each.latency_ms is not None
        assert each.latency_ms > 0
        assert each.size_mb == (fp32.with_name(f"{each.precision}.onnx")).stat().st_size / 1e6
    whole, eighth = measured["fp32"].accuracy, measured["int8"].accuracy
    assert whole is not None
    assert eighth is not None
    assert (whole.agreement, whole.recall_gap and whole.recall_gap.difference) == (1.0, 0.0)
    assert eighth.recall_gap is not None
    assert eighth.recall_gap.pairs == 16
    assert eighth.recall_at_1 - whole.recall_at_1 == pytest.approx(eighth.recall_gap.difference)
    assert whole.cosine_min == pytest.approx(1, abs=1e-6)
    assert eighth.cosine_min < 0.9999


def test_on_a_processor_without_fp16_it_is_skipped_and_the_reason_told(fp32: Path, exam: FormatTrial) -> None:
    _, choice = choose_numeric_format(fp32, exam, LAX.model_copy(update={"variants": ("fp16",)}))
    assert choice.precision == "fp32"
    assert choice.refused == {"fp16": "CPUExecutionProvider does not compute in fp16"}
    assert not fp32.with_name("fp16.onnx").exists()


def test_by_default_so_few_queries_tell_nothing_and_fp32_ships(fp32: Path, exam: FormatTrial) -> None:
    path, choice = choose_numeric_format(fp32, exam, NumericFormatConfig())
    assert (path, choice.precision) == (fp32, "fp32")
    assert set(choice.refused) == {"fp16", "int8"}
    assert "16 queries cannot tell recall@1: 50 are needed" in choice.refused["int8"]


def test_nothing_else_is_built_where_nothing_is_to_be_tried(fp32: Path, exam: FormatTrial) -> None:
    path, choice = choose_numeric_format(fp32, exam, NumericFormatConfig(variants=()))
    assert (path, choice.reason) == (fp32, "fp32: nothing else was tried")
    assert [each.name for each in fp32.parent.iterdir()] == ["fp32.onnx"]


def test_without_training_photos_int8_is_refused_with_the_reason(
    fp32: Path, exam: FormatTrial, toy_version: DatasetVersion
) -> None:
    empty = dataclasses.replace(exam, training=toy_version.select(labels=set()))
    path, choice = choose_numeric_format(fp32, empty, LAX)
    assert path == fp32
    assert "cannot be calibrated without training photos" in choice.refused["int8"]
    assert by_name(choice)["int8"].accuracy is None


def test_photos_of_validation_and_test_calibrate_nothing(
    fp32: Path, exam: FormatTrial, toy_version: DatasetVersion, tmp_path: Path
) -> None:
    """With other validation and test photos, the same int8 file comes out."""
    choose_numeric_format(fp32, exam, LAX)
    before = fp32.with_name("int8.onnx").read_bytes()
    others = PhotoSet(exam.queries.pixels[:, ::-1], exam.queries.labels)
    choose_numeric_format(fp32, dataclasses.replace(exam, queries=others), LAX)
    assert fp32.with_name("int8.onnx").read_bytes() == before
    assert set(exam.training.labels) == set(toy.TRAINED)


def test_how_many_photos_calibrate_is_in_the_config(fp32: Path, exam: FormatTrial) -> None:
    choose_numeric_format(fp32, exam, LAX)
    twelve = fp32.with_name("int8.onnx").read_bytes()
    choose_numeric_format(fp32, exam, LAX.model_copy(update={"calibration_photos": 1}))
    assert fp32.with_name("int8.onnx").read_bytes() != twelve


def test_a_representation_that_is_chosen_is_the_same_for_all(fp32: Path, exam: FormatTrial) -> None:
    auto = dataclasses.replace(exam, gallery_config=candidates.GALLERY.model_copy(update={"represent": "auto"}))
    _, choice = choose_numeric_format(fp32, auto, LAX)
    whole = by_name(choice)["fp32"].accuracy
    assert whole is not None
    assert whole.agreement == 1


def test_what_fp32_cannot_be_examined_on_is_an_error(fp32: Path, exam: FormatTrial) -> None:
    enrolled = np.isin(exam.queries.labels, list(exam.gallery.labels))
    lone = PhotoSet(exam.queries.pixels[enrolled], tuple(np.array(exam.queries.labels)[enrolled]))
    with pytest.raises(DataError, match="0 unknown queries"):
        choose_numeric_format(fp32, dataclasses.replace(exam, queries=lone), LAX)


def test_the_config_of_a_candidate_tries_int8_by_default() -> None:
    assert PackagingConfig().precision.variants == ("fp16", "int8")
    assert PackagingConfig.model_validate({"precision": {"variants": []}}).precision.variants == ()
