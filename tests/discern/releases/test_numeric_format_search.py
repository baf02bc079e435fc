from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.errors import DataError
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.numeric_format import FormatChoice, FormatMeasurement, NumericFormatConfig, choose_format
from discern.evaluation.queries import DecodedSplit, decode_gallery, decode_queries
from discern.learning.config import ModelConfig
from discern.learning.export import export_onnx
from discern.learning.models import TorchEmbedder, restored
from discern.learning.quantise import stamp
from discern.learning.recipes import train_on_labels
from discern.releases.candidate import Candidate, build_candidate
from discern.releases.config import PackagingConfig
from discern.releases.numeric_format_search import FormatTrial, choose_numeric_format
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import Preprocessing
from edge_runtime.core.release import MODEL_FILE, open_release
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


def trial_of(
    version: DatasetVersion,
    preprocessing: Preprocessing = toy.PREPROCESSING,
    gallery: GalleryConfig = candidates.GALLERY,
) -> FormatTrial:
    photos = decode_gallery(version, gallery, preprocessing)
    queries = decode_queries(version, "validation", set(photos.rows.labels), preprocessing)
    return FormatTrial(photos, queries, version.select(split="train"), preprocessing, gallery, 0.25)


@pytest.fixture(scope="module")
def trial(toy_version: DatasetVersion) -> FormatTrial:
    return trial_of(toy_version)


@pytest.fixture
def fp32(toy_model: TorchEmbedder, tmp_path: Path) -> Path:
    export_onnx(toy_model, tmp_path / "fp32.onnx")
    return tmp_path / "fp32.onnx"


@pytest.fixture(scope="module")
def dense(toy_version: DatasetVersion) -> TorchEmbedder:
    """A net without depthwise convolutions, a little trained."""
    model = ModelConfig(backbone="resnet10t", embedding_dim=16)
    trained = train_on_labels(toy_version, toy.PREPROCESSING, toy.config(model=model, steps=10)).model
    return restored(trained.config, LARGE, trained.state_dict())


@pytest.fixture(scope="module")
def quantised(toy_version: DatasetVersion, dense: TorchEmbedder, tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    config = candidates.CONFIG.model_copy(update={"numeric_format": LAX})
    folder = tmp_path_factory.mktemp("quantised") / "release"
    return build_candidate(folder, candidates.inputs(toy_version, dense, packaging=config))


def by_name(choice: FormatChoice) -> dict[str, FormatMeasurement]:
    return {each.numeric_format: each for each in choice.measurements}


def test_int8_ships_where_it_is_faster_and_the_release_is_whole(
    quantised: Candidate,
) -> None:
    release, choice = quantised.release, quantised.format_choice
    measured = by_name(choice)
    assert choice.numeric_format == "int8", choice.reason
    assert (measured["int8"].latency_ms or 9) < (measured["fp32"].latency_ms or 0)
    assert release.manifest.lineage.numeric_format == choice.reason
    model = onnx.load(str(release.folder / MODEL_FILE))
    assert "QuantizeLinear" in {node.op_type for node in model.graph.node}
    assert stamp(release.folder / MODEL_FILE) == (8, {"": 17})
    run_selftest(release.folder, release.id)


def test_gallery_rule_and_golden_embeddings_are_those_of_what_ships(
    quantised: Candidate, toy_version: DatasetVersion, dense: TorchEmbedder, tmp_path: Path
) -> None:
    release, choice = quantised.release, quantised.format_choice
    identifier = Identifier(open_release(release.folder, release.id))
    photos = trial_of(toy_version, LARGE).gallery
    by_class = np.argsort(photos.rows.column("label"), kind="stable")
    np.testing.assert_allclose(identifier.index.vectors, identifier.model.embed(photos.pixels)[by_class], atol=1e-6)
    images, golden = release.golden()
    np.testing.assert_allclose(golden, identifier.embed(images), atol=1e-6)
    export_onnx(dense, tmp_path / "fp32.onnx")
    whole = OnnxEmbedder(tmp_path / "fp32.onnx", LARGE).embed(photos.pixels)[by_class]
    assert np.abs(identifier.index.vectors - whole).max() > 1e-4  # and they differ from fp32's
    accuracy = by_name(choice)["int8"].accuracy
    assert accuracy is not None
    assert accuracy.fpir <= candidates.CONFIG.fpir
    asked = trial_of(toy_version, LARGE).queries.embed(identifier.model).queries
    results = asked.search_index(identifier.index, release.labels)
    assert accuracy.tpir == pytest.approx(results.right(identifier.rule)[results.enrolled].mean())
    assert quantised.metrics.recall_at_1 is not None


def test_one_class_has_no_unknowns_to_measure_a_format_by_and_ships_as_fp32(fp32: Path, trial: FormatTrial) -> None:
    label = min(set(trial.gallery.rows.labels) & set(trial.queries.rows.labels))

    def only(split: DecodedSplit) -> DecodedSplit:
        rows = [row for row, one in enumerate(split.rows.column("label")) if one == label]
        return DecodedSplit(split.rows.take(rows), split.pixels[rows])

    noise = np.random.default_rng(0).integers(0, 256, (20, *trial.gallery.pixels.shape[1:])).astype(np.uint8)
    alone = dataclasses.replace(trial, gallery=only(trial.gallery), queries=only(trial.queries), elsewhere=noise)
    _, choice = choose_numeric_format(fp32, alone, LAX)
    assert choice.numeric_format == "fp32"
    assert "needs queries of enrolled classes and of unknowns" in choice.refused["int8"]


def test_the_choice_follows_from_its_measurements(fp32: Path, trial: FormatTrial) -> None:
    shipped, choice = choose_numeric_format(fp32, trial, LAX)
    assert choose_format(choice.measurements, LAX) == choice
    assert shipped.onnx == fp32.with_name(f"{choice.numeric_format}.onnx")
    measured = by_name(choice)
    assert list(measured) == ["fp32", "int8"]
    for each in measured.values():
        assert each.latency_ms is not None
        assert each.latency_ms > 0
        assert each.size_mb == (fp32.with_name(f"{each.numeric_format}.onnx")).stat().st_size / 1e6
    whole, eighth = measured["fp32"].accuracy, measured["int8"].accuracy
    assert whole is not None
    assert eighth is not None
    assert (whole.agreement, whole.recall_gap and whole.recall_gap.difference) == (1.0, 0.0)
    assert eighth.recall_gap is not None
    assert eighth.recall_gap.pairs == 16
    assert eighth.recall_at_1 - whole.recall_at_1 == pytest.approx(eighth.recall_gap.difference)
    assert whole.cosine_min == pytest.approx(1, abs=1e-6)
    assert eighth.cosine_min < 0.9999


def test_on_a_processor_without_fp16_it_is_skipped_and_the_reason_told(fp32: Path, trial: FormatTrial) -> None:
    _, choice = choose_numeric_format(fp32, trial, LAX.model_copy(update={"variants": ("fp16",)}))
    assert choice.numeric_format == "fp32"
    assert choice.refused == {"fp16": "CPUExecutionProvider does not compute in fp16"}
    assert not fp32.with_name("fp16.onnx").exists()


def test_by_default_so_few_queries_tell_nothing_and_fp32_ships(fp32: Path, trial: FormatTrial) -> None:
    shipped, choice = choose_numeric_format(fp32, trial, NumericFormatConfig())
    assert (shipped.onnx, choice.numeric_format) == (fp32, "fp32")
    assert set(choice.refused) == {"fp16", "int8"}
    assert "16 queries are too few to judge recall@1: 50 are needed" in choice.refused["int8"]


def test_nothing_else_is_built_where_nothing_is_to_be_tried(fp32: Path, trial: FormatTrial) -> None:
    shipped, choice = choose_numeric_format(fp32, trial, NumericFormatConfig(variants=()))
    assert (shipped.onnx, choice.reason) == (fp32, "fp32: nothing else was tried")
    assert [each.name for each in fp32.parent.iterdir()] == ["fp32.onnx"]


def test_without_training_photos_int8_is_refused_with_the_reason(
    fp32: Path, trial: FormatTrial, toy_version: DatasetVersion
) -> None:
    empty = dataclasses.replace(trial, training=toy_version.select(labels=set()))
    shipped, choice = choose_numeric_format(fp32, empty, LAX)
    assert shipped.onnx == fp32
    assert "cannot be calibrated without training photos" in choice.refused["int8"]
    assert by_name(choice)["int8"].accuracy is None


def test_photos_of_validation_and_test_calibrate_nothing(
    fp32: Path, trial: FormatTrial, toy_version: DatasetVersion, tmp_path: Path
) -> None:
    """With other validation and test photos, the same int8 file comes out."""
    choose_numeric_format(fp32, trial, LAX)
    before = fp32.with_name("int8.onnx").read_bytes()
    upside_down = dataclasses.replace(trial.queries, pixels=trial.queries.pixels[:, ::-1])
    choose_numeric_format(fp32, dataclasses.replace(trial, queries=upside_down), LAX)
    assert fp32.with_name("int8.onnx").read_bytes() == before
    assert set(trial.training.labels) == set(toy.TRAINED)


def test_how_many_photos_calibrate_is_in_the_config(fp32: Path, trial: FormatTrial) -> None:
    choose_numeric_format(fp32, trial, LAX)
    twelve = fp32.with_name("int8.onnx").read_bytes()
    choose_numeric_format(fp32, trial, LAX.model_copy(update={"calibration_photos": 1}))
    assert fp32.with_name("int8.onnx").read_bytes() != twelve


def test_a_representation_that_is_chosen_is_the_same_for_all(fp32: Path, trial: FormatTrial) -> None:
    auto = dataclasses.replace(trial, gallery_config=candidates.GALLERY.model_copy(update={"represent": "auto"}))
    _, choice = choose_numeric_format(fp32, auto, LAX)
    whole = by_name(choice)["fp32"].accuracy
    assert whole is not None
    assert whole.agreement == 1


def test_what_fp32_cannot_be_examined_on_is_an_error(fp32: Path, trial: FormatTrial) -> None:
    enrolled = np.flatnonzero(np.isin(trial.queries.rows.column("label"), trial.gallery.rows.labels))
    known = DecodedSplit(trial.queries.rows.take(enrolled.tolist()), trial.queries.pixels[enrolled])
    with pytest.raises(DataError, match="0 unknown queries"):
        choose_numeric_format(fp32, dataclasses.replace(trial, queries=known), LAX)


def test_the_config_of_a_candidate_tries_int8_by_default() -> None:
    assert PackagingConfig().numeric_format.variants == ("fp16", "int8")
    assert PackagingConfig.model_validate({"numeric_format": {"variants": []}}).numeric_format.variants == ()
