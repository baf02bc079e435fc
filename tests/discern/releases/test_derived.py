from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from discern.errors import PublicationError
from discern.evaluation.gallery import Gallery
from discern.evaluation.retrieval import Queries
from discern.releases import derived
from discern.releases.derived import DerivedParts, build_derived
from discern.releases.enrolment_data import EnrolledPhotos, EnrolmentData
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import decode, encode_jpeg
from edge_runtime.core.index import ADDED_FILE, GRAPH_FILE, VECTORS_FILE
from edge_runtime.core.release import (
    ADDED_THUMBNAILS_FILE,
    CATALOGUE_FILE,
    ENROLMENT_FILE,
    GOLDEN_IMAGES_FILE,
    GOLDEN_VECTORS_FILE,
    MODEL_FILE,
    THUMBNAILS_FILE,
    Lineage,
    Release,
)
from edge_runtime.core.selftest import check_release
from tests.edge_runtime.toy_release import CALIBRATOR, COLOURS, PREPROCESSING, RULE, embed, photo, square

Colour = tuple[int, int, int]
NEW: Mapping[str, Colour] = {"purple": (120, 20, 160), "black": (20, 20, 20), "green": (120, 220, 120)}
KEPT = (MODEL_FILE, VECTORS_FILE, GRAPH_FILE, THUMBNAILS_FILE, GOLDEN_IMAGES_FILE, GOLDEN_VECTORS_FILE)


def parts(base: Release, colours: Mapping[str, Colour], unchanged: Sequence[str]) -> DerivedParts:
    """The parts of a gallery of two pictures of each of `colours`, but the base's own items of unchanged classes."""
    identifier = Identifier(base)
    model = OnnxEmbedder(base.embedding_model, PREPROCESSING)
    labels = sorted({*colours, *unchanged})
    items = {
        label: identifier.index.vectors[identifier.index.classes == base.labels.index(label)]
        if label in unchanged
        else embed(model, [square(colours[label], seed) for seed in range(2)])
        for label in labels
    }
    vectors = np.concatenate([items[label] for label in labels])
    ids = np.repeat(np.arange(len(labels)), [len(items[label]) for label in labels])
    names = [labels[number] for number in ids]
    queries = Queries(vectors, names)
    return DerivedParts(
        gallery=Gallery(vectors, ids, tuple(labels)),
        unchanged=frozenset(unchanged),
        thumbnails={label: encode_jpeg(square(colours[label])) for label in labels if label not in unchanged},
        rule=replace(RULE, margin=0.004),
        calibrator=CALIBRATOR,
        metrics={"recall_at_1": 0.5},
        counts={"trained_classes": 1},
        enrolment=EnrolmentData(EnrolledPhotos(vectors, names, ["0" * 64] * len(names)), queries, queries, [*names]),
        lineage=Lineage(enrolled_into=base.id),
    )


def test_what_devices_have_stays_byte_for_byte(toy_release: Release, tmp_path: Path) -> None:
    release = build_derived(tmp_path / "new", toy_release, parts(toy_release, NEW, ["red", "blue", "white"]))
    assert release.labels == ("black", "blue", "green", "purple", "red", "white")
    for name in KEPT:
        assert release.manifest.files[name] == toy_release.manifest.files[name]
    assert set(release.manifest.files) == {*KEPT, CATALOGUE_FILE, ADDED_FILE, ADDED_THUMBNAILS_FILE}
    assert release.manifest.enrolment is not None
    assert (release.folder / ENROLMENT_FILE).stat().st_size == release.manifest.enrolment.bytes
    assert np.load(release.folder / ADDED_FILE).shape == (6, 8)
    check_release(release)


def test_it_answers_by_the_new_gallery_and_shows_its_pictures(toy_release: Release, tmp_path: Path) -> None:
    release = build_derived(tmp_path / "new", toy_release, parts(toy_release, NEW, ["red", "blue", "white"]))
    expected = {**{label: COLOURS[label] for label in ("red", "blue", "white")}, **NEW}
    identifier = Identifier(release)
    for number, label in enumerate(release.labels):
        assert identifier.identify(photo(expected[label], 9)).label == label
        assert abs(decode(release.thumbnail(number)).mean(axis=(0, 1)) - expected[label]).max() < 6
    assert identifier.identify(photo(COLOURS["yellow"], 9)).label is None
    assert identifier.rule.margin == pytest.approx(0.004)
    assert release.manifest.metrics == {"recall_at_1": 0.5}
    assert release.manifest.counts.model_dump()["trained_classes"] == 1
    assert release.manifest.lineage.enrolled_into == toy_release.id


def test_one_derives_from_another(toy_release: Release, tmp_path: Path) -> None:
    first = build_derived(tmp_path / "1", toy_release, parts(toy_release, NEW, ["red", "blue", "white"]))
    more = {"orange": (240, 130, 20)}
    second = build_derived(tmp_path / "2", first, parts(first, more, ["red", "blue", "green", "purple"]))
    assert second.labels == ("blue", "green", "orange", "purple", "red")
    assert second.manifest.files[VECTORS_FILE] == toy_release.manifest.files[VECTORS_FILE]
    assert np.load(second.folder / ADDED_FILE).shape == (6, 8)
    colours = {**COLOURS, **NEW, **more}
    for number, label in enumerate(second.labels):
        assert Identifier(second).identify(photo(colours[label], 9)).label == label
        assert abs(decode(second.thumbnail(number)).mean(axis=(0, 1)) - colours[label]).max() < 6


def test_retiring_alone_adds_no_file(toy_release: Release, tmp_path: Path) -> None:
    release = build_derived(tmp_path / "new", toy_release, parts(toy_release, {}, ["red", "blue"]))
    assert set(release.manifest.files) == {*KEPT, CATALOGUE_FILE}
    assert Identifier(release).identify(photo(COLOURS["white"], 9)).label is None


def test_where_much_lies_beside_the_graph_it_is_built_anew(
    toy_release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived, "FEW_ROWS", 5)
    release = build_derived(tmp_path / "new", toy_release, parts(toy_release, NEW, ["red", "blue", "white"]))
    assert set(release.manifest.files) == {*KEPT, CATALOGUE_FILE}
    assert release.manifest.files[MODEL_FILE] == toy_release.manifest.files[MODEL_FILE]
    assert release.gallery_layout.rows is None
    assert len(np.load(release.folder / VECTORS_FILE)) == 15
    assert abs(decode(release.thumbnail(3)).mean(axis=(0, 1)) - NEW["purple"]).max() < 6
    check_release(release)


def test_what_cannot_be_built_leaves_nothing(toy_release: Release, tmp_path: Path) -> None:
    with pytest.raises(PublicationError, match="exists already"):
        build_derived(toy_release.folder, toy_release, parts(toy_release, NEW, ["red"]))
    broken = replace(parts(toy_release, NEW, ["red"]), metrics={"recall_at_1": float("nan")})
    with pytest.raises(ValueError, match="Out of range float"):
        build_derived(tmp_path / "new", toy_release, broken)
    assert list(tmp_path.iterdir()) == []
