from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.errors import DataError, PublicationError, TrainingError
from discern.evaluation.cross_fitting import fit_promised_rule
from discern.evaluation.gallery import GalleryConfig, gallery_rows
from discern.evaluation.metrics import Metrics
from discern.evaluation.numeric_format import NumericFormatConfig
from discern.evaluation.probability_calibration import fit_calibrator
from discern.evaluation.queries import decode_queries
from discern.learning.models import TorchEmbedder
from discern.releases import numeric_format_search
from discern.releases.candidate import build_candidate
from discern.releases.config import PackagingConfig
from edge_runtime.core.identify import Answer, Identifier, right_probability
from edge_runtime.core.images import Pixels, decode
from edge_runtime.core.release import Release, Represent, open_release
from edge_runtime.core.selftest import run_selftest
from tests.discern import candidates, toy
from tests.discern.photo_counts import PhotoCounts

Candidate = tuple[Release, Metrics]


def answered(release: Release, version: DatasetVersion, split: str) -> list[tuple[str, Answer]]:
    """What a device with this release answers to the queries of a split: (true class, answer)."""
    identifier = Identifier(open_release(release.folder, release.id))
    queries = version.select(split=split, role="query")
    labels = queries.column("label")
    return [(labels[row], identifier.identify(queries.image_bytes(row))) for row in range(len(queries))]


def left_out(
    release: Release, version: DatasetVersion, split: str, labels: tuple[str, ...]
) -> list[tuple[bool, float, str]]:
    """What it would answer to the queries of `labels` if their class were not enrolled: (known, score, nearest)."""
    identifier = Identifier(open_release(release.folder, release.id))
    answers = []
    for label in labels:
        queries = version.select(split=split, role="query", labels={label})
        for row in range(len(queries)):
            cosines = identifier.index.vectors @ identifier.embed([queries.image_bytes(row)])[0]
            best = {
                other: float(cosines[identifier.index.classes == number].max())
                for number, other in enumerate(release.labels)
                if other != label
            }
            first, second = sorted(best.values(), reverse=True)[:2]
            rule = identifier.rule
            nearest = max(best, key=best.__getitem__)
            answers.append((first >= rule.threshold and first - second >= rule.margin, first, nearest))
    return answers


def test_the_release_is_whole_and_tests_itself(candidate: Candidate) -> None:
    release, _ = candidate
    again = open_release(release.folder, release.id)
    run_selftest(release.folder, release.id)
    assert again.manifest.name == candidates.NAME
    assert again.manifest.lineage.model_copy(update={"numeric_format": None}) == candidates.LINEAGE
    assert again.manifest.lineage.numeric_format == "fp32: nothing else was tried"
    assert again.preprocessing == toy.PREPROCESSING
    assert again.dim == 16
    assert again.manifest.counts.golden == 3
    assert again.manifest.represent == "exemplars"


def test_what_is_evaluated_is_what_ships(candidate: Candidate, toy_version: DatasetVersion) -> None:
    """The figures of the candidate are those of the release's own answers, counted by hand."""
    release, metrics = candidate
    answers = answered(release, toy_version, "test")
    enrolled = [(truth, answer) for truth, answer in answers if truth in release.labels]
    unknowns = [(answer.known, answer.score) for truth, answer in answers if truth not in release.labels]
    again = [(known, score) for known, score, _ in left_out(release, toy_version, "test", toy.TEST)]
    unknowns += again
    nearest = [answer.matches[0].label == truth for truth, answer in enrolled]
    right = [answer.known and answer.label == truth for truth, answer in enrolled]
    refused = [not known for known, _ in unknowns]
    assert metrics.recall_at_1 == metrics.unseen_recall_at_1 == pytest.approx(np.mean(nearest))
    assert metrics.tpir == metrics.unseen_tpir == pytest.approx(np.mean(right))
    assert metrics.recall == pytest.approx(np.mean(right))  # as many queries a class
    assert metrics.tnir == pytest.approx(np.mean(refused))
    assert metrics.accuracy == pytest.approx(np.mean(right + refused))
    assert metrics.left_out_tnir == pytest.approx(np.mean([not known for known, _ in again]))
    assert (metrics.enrolled_queries, metrics.unknown_queries) == (16, 8 + 16)
    wins = [np.sign(a.score - score) / 2 + 0.5 for _, a in enrolled for _, score in unknowns]
    assert metrics.auroc == pytest.approx(np.mean(wins))
    # The case shows something: neither everything nor nothing is right.
    assert 0.2 < metrics.accuracy < 1


def test_the_manifest_carries_the_same_figures(candidate: Candidate) -> None:
    release, metrics = candidate
    travelling = release.manifest.metrics
    assert {name: value for name, value in travelling.items() if "validation" not in name} == metrics.figures()


def test_the_manifest_carries_the_rates_of_such_a_rule_on_classes_that_it_did_not_see(
    candidate: Candidate, toy_version: DatasetVersion
) -> None:
    release, _ = candidate
    identifier = Identifier(release)
    queries = decode_queries(toy_version, "validation", release.labels, release.preprocessing).embed(identifier.model)
    results = queries.queries.search_index(identifier.index, release.labels)
    rates = fit_promised_rule(results, candidates.CONFIG.fpir).rates
    assert rates.classes == len(toy.VALIDATION) + len(toy.VALIDATION_UNKNOWNS)
    stated = release.manifest.metrics
    for name, value in rates.figures().items():
        assert stated[f"validation_{name}"] == pytest.approx(value, abs=1e-6)
    assert (stated["validation_tpir_queries"], stated["validation_fpir_queries"]) == (16, 12 + 16)


def test_the_probability_is_fitted_on_validation_and_judged_on_test(
    candidate: Candidate, toy_version: DatasetVersion
) -> None:
    release, metrics = candidate
    identifier = Identifier(release)
    of_split = {}
    for split in ("validation", "test"):
        asked = decode_queries(toy_version, split, release.labels, release.preprocessing)
        of_split[split] = asked.embed(identifier.model).queries.search_index(identifier.index, release.labels)
    expected = fit_calibrator(of_split["validation"])
    assert identifier.calibrator is not None
    assert expected is not None
    assert vars(identifier.calibrator) == pytest.approx(vars(expected), rel=1e-3)
    tested = of_split["test"]
    squares = (right_probability(tested.scores, identifier.calibrator) - tested.retrieved) ** 2
    assert metrics.brier_score == pytest.approx(squares.mean(), rel=1e-4)
    stated = [answer.probability or 0 for _, answer in answered(release, toy_version, "test")]
    np.testing.assert_allclose(
        stated, right_probability(tested.scores[: len(stated)], identifier.calibrator), atol=1e-4
    )


@pytest.mark.parametrize("photos", [1, 2])
def test_what_validation_prefers_is_enrolled_and_said(
    toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path, photos: int
) -> None:
    auto = GalleryConfig(
        photos_per_class=photos, splits=("validation", "test"), represent="auto", unknown_classes=False
    )
    release, metrics = _build(tmp_path / "auto", toy_version, toy_model, gallery=auto)
    chosen, travelling = release.manifest.represent, release.manifest.metrics
    assert chosen is not None
    again, same = _build(tmp_path / "again", toy_version, toy_model, gallery=auto.decided(chosen, class_offsets=False))
    assert same == metrics
    assert again.manifest.decision == release.manifest.decision
    assert again.catalogue == release.catalogue
    both = {name for name in travelling if name.endswith(("_prototype", "_exemplars"))}
    if photos == 1:
        assert (chosen, both) == ("exemplars", set())
        return
    assert both == {
        f"validation_{name}_{way}" for name in ("tpir", "auroc", "recall_at_1") for way in get_args(Represent)
    }
    (other,) = set(get_args(Represent)) - {chosen}
    assert travelling[f"validation_tpir_{other}"] <= 1


def test_the_rule_keeps_the_rate_on_the_validation_unknowns(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, _ = candidate
    answers = answered(release, toy_version, "validation")
    named = [answer.known for truth, answer in answers if truth in toy.VALIDATION_UNKNOWNS]
    named += [known for known, *_ in left_out(release, toy_version, "validation", toy.VALIDATION)]
    assert len(named) == 12 + 16
    assert np.mean(named) <= candidates.CONFIG.fpir == release.manifest.decision.fpir
    detected = [answer.label == truth for truth, answer in answers if truth in toy.VALIDATION]
    assert sum(detected) > 0


def test_every_class_is_enrolled_with_a_picture_of_its_own(candidate: Candidate) -> None:
    release, _ = candidate
    assert release.labels == tuple(sorted((*toy.VALIDATION, *toy.TEST)))
    assert [entry.items for entry in release.catalogue] == [2] * len(release.labels)
    for number, label in enumerate(release.labels):
        thumbnail = decode(release.thumbnail(number)).astype(int)
        first = toy.disc(label, 0).astype(int)
        assert thumbnail.shape == (96, 96, 3)
        assert np.abs(thumbnail[48, 48] - first[20, 20]).max() < 25
        assert np.abs(thumbnail[2, 2] - first[1, 1]).max() < 25


def test_prototypes_ship_one_row_a_class(toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path) -> None:
    config = candidates.GALLERY.model_copy(update={"represent": "prototype"})
    release, metrics = _build(tmp_path / "release", toy_version, toy_model, gallery=config)
    assert [entry.items for entry in release.catalogue] == [1] * len(release.labels)
    right = [answer.matches[0].label == truth for truth, answer in answered(release, toy_version, "test")]
    assert metrics.recall_at_1 == pytest.approx(sum(right) / metrics.enrolled_queries)


def test_a_version_without_what_is_needed_is_an_error_and_leaves_nothing(
    toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path
) -> None:
    everything = set(toy.LABELS)
    lacking = {
        "no gallery photo": toy_version.select(role="query"),
        "validation split has no query": toy_version.take(
            [row for row, split in enumerate(toy_version.column("split")) if split != "validation"]
        ),
        "test split has no query": toy_version.take(
            [row for row, split in enumerate(toy_version.column("split")) if split != "test"]
        ),
        "test split has no query of an enrolled class": toy_version.select(labels=everything - set(toy.TEST)),
    }
    for message, version in lacking.items():
        with pytest.raises(DataError, match=message):
            _build(tmp_path / "release", version, toy_model)
        assert list(tmp_path.iterdir()) == []


def test_every_class_ships_and_the_counts_say_what_was_measured_on_which(
    toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path
) -> None:
    release, metrics = _build(tmp_path / "release", toy_version, toy_model, gallery=GalleryConfig(photos_per_class=2))
    assert release.labels == tuple(sorted(toy.LABELS))
    assert metrics.gallery_classes == len(toy.LABELS)
    assert release.manifest.counts.model_dump() == {
        "classes": len(toy.LABELS),
        "gallery": 2 * len(toy.LABELS),
        "golden": 3,
        "trained_classes": len(toy.TRAINED),
        "classes_measured_as_known": len(toy.TEST),
        "classes_measured_as_unknown": len(toy.TEST) + len(toy.TEST_UNKNOWNS),
    }


def test_a_rate_that_the_unknowns_cannot_resolve_is_said_by_its_interval(
    toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path
) -> None:
    config = candidates.CONFIG.model_copy(update={"fpir": 0.01})
    release, _ = _build(tmp_path / "release", toy_version, toy_model, config=config)
    known = [answer.known for truth, answer in answered(release, toy_version, "validation") if "unknown" in truth]
    assert not any(known)
    assert release.manifest.metrics["validation_fpir_high"] > 0.1


def test_photos_from_elsewhere_are_refused_too(
    toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path
) -> None:
    config = candidates.CONFIG.model_copy(update={"elsewhere": "built-in"})
    release, metrics = _build(tmp_path / "release", toy_version, toy_model, config=config)
    assert metrics.elsewhere_tnir is not None
    assert metrics.elsewhere_tnir >= 1 - 2 * config.fpir
    assert release.manifest.metrics["elsewhere_tnir"] == metrics.elsewhere_tnir


def test_build_candidate_decodes_a_photo_once_a_size_and_embeds_it_once_a_format(
    toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    int8 = NumericFormatConfig(variants=("int8",), calibration_photos=12, repetitions=10)
    config = candidates.CONFIG.model_copy(update={"numeric_format": int8})
    counts = PhotoCounts(monkeypatch)
    _build(tmp_path / "release", toy_version, toy_model, config=config)
    gallery = toy_version.take(gallery_rows(toy_version, candidates.GALLERY))
    # Validation queries of enrolled classes once more, to be degraded at their full size.
    assert counts.most_decodes(toy_version.select(labels=toy.VALIDATION, role="query")) == 2
    assert counts.most_decodes(toy_version.select(labels=toy.VALIDATION_UNKNOWNS)) == 1
    assert counts.most_decodes(toy_version.select(split="test", role="query")) == 1
    # For the model, as a class's thumbnail, as a golden image.
    thumbnails_and_golden = len(set(gallery.labels)) + config.golden_images
    assert sum(counts.decoded[sha256] for sha256 in gallery.column("sha256")) == len(gallery) + thumbnails_and_golden
    training = toy_version.select(split="train").column("sha256")
    assert 0 < sum(counts.decoded[sha256] for sha256 in training) <= 12
    assert set(counts.embedded.values()) == {1}
    # Gallery and validation queries by both formats, test queries by the one that ships.
    assert sorted(counts.photos_of_each_model()) == [16 + 28, 16 + 28 + 24]


def test_build_candidate_calibrates_int8_on_training_photos_alone(
    toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrating: list[Pixels] = []

    def refuse(source: Path, target: Path, photos: Pixels) -> None:
        calibrating.extend(photos)
        raise TrainingError("int8 is not built here")

    monkeypatch.setattr(numeric_format_search, "to_int8", refuse)
    int8 = NumericFormatConfig(variants=("int8",), calibration_photos=1000, repetitions=10)
    _build(
        tmp_path / "release",
        toy_version,
        toy_model,
        config=candidates.CONFIG.model_copy(update={"numeric_format": int8}),
    )
    training = load_photos(toy_version.select(split="train"), toy.PREPROCESSING).pixels
    np.testing.assert_array_equal(calibrating, training)


def test_a_release_is_not_written_over(
    candidate: Candidate, toy_version: DatasetVersion, toy_model: TorchEmbedder
) -> None:
    release, _ = candidate
    with pytest.raises(PublicationError, match="exists already"):
        _build(release.folder, toy_version, toy_model)
    open_release(release.folder, release.id)


@pytest.mark.parametrize("setting", [{"fpir": 0}, {"fpir": 1}, {"golden_images": 0}, {"golden": 3}])
def test_a_setting_that_means_nothing_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        PackagingConfig.model_validate(setting)


def _build(
    folder: Path,
    version: DatasetVersion,
    model: TorchEmbedder,
    *,
    gallery: GalleryConfig = candidates.GALLERY,
    config: PackagingConfig = candidates.CONFIG,
) -> Candidate:
    built = build_candidate(folder, candidates.inputs(version, model, gallery=gallery, packaging=config))
    return built.release, built.metrics
