from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import THUMBNAIL
from discern.errors import ConfigError, DataError
from discern.evaluation.gallery import gallery_rows
from discern.evaluation.metrics import Metrics
from discern.evaluation.plots.embedding_map import EmbeddingMap, MapPoints, embedding_map
from discern.evaluation.plots.retrieval_grid import GridRow
from discern.reports import candidate_plots
from discern.reports.candidate_plots import NO_QUERIES, Depiction, _Embeddings, _suspects, depict_release
from discern.reports.thumbnails import Thumbnails
from edge_runtime.core.identify import Answer, Identifier
from edge_runtime.core.images import Pixels
from edge_runtime.core.release import Release
from tests.discern import candidates, toy
from tests.discern.photo_counts import PhotoCounts

Candidate = tuple[Release, Metrics]
NAMES = {"retrieval_grid", "confusion_pairs", "embedding_map", "reliability"}


@pytest.fixture(scope="module")
def seen(candidate: Candidate, toy_version: DatasetVersion) -> Depiction:
    return depict_release(candidate[0], toy_version)


@pytest.fixture
def answers(candidate: Candidate, toy_version: DatasetVersion) -> list[tuple[str, Answer]]:
    """What a device answers to the test queries: (true class, answer)."""
    identifier, queries = Identifier(candidate[0]), toy_version.select(split="test", role="query")
    return [(label, identifier.identify(queries.image_bytes(row))) for row, label in enumerate(queries.column("label"))]


def without(version: DatasetVersion, *, queries: bool = False, unknowns: bool = False) -> DatasetVersion:
    """The version without its test queries, or without unknowns in the test split."""
    left_out = [
        split == "test" and role == "query" and (queries or (unknowns and label in toy.TEST_UNKNOWNS))
        for split, role, label in zip(*(version.column(name) for name in ("split", "role", "label")), strict=True)
    ]
    return version.take(np.flatnonzero(~np.array(left_out)).tolist())


def test_every_picture_is_made_and_bounded(seen: Depiction) -> None:
    assert set(seen.pictures) == NAMES
    assert seen.missing == {}
    assert all(200 < side < 5000 for picture in seen.pictures.values() for side in picture.size)


def test_the_same_again_gives_the_same_pixels(
    seen: Depiction, candidate: Candidate, toy_version: DatasetVersion
) -> None:
    again = depict_release(candidate[0], toy_version)
    for name, picture in seen.pictures.items():
        assert np.array_equal(np.asarray(picture), np.asarray(again.pictures[name])), name
    assert again.confusions == seen.confusions


def test_confusions_are_counted_from_the_answers_of_the_device(
    seen: Depiction, answers: list[tuple[str, Answer]]
) -> None:
    assert seen.confusions is not None
    named = Counter((truth, answer.label) for truth, answer in answers if answer.known and answer.label != truth)
    counted: Counter[tuple[str, str | None]] = Counter()
    for pair in seen.confusions.pairs:
        if pair.unknown and pair.first in toy.TEST:  # asked as if it were not enrolled, which no device can do
            continue
        counted[pair.first, pair.second] += pair.first_named_second
        counted[pair.second, pair.first] += pair.second_named_first
    assert +counted == named
    assert named, "the case shows something"


@pytest.fixture
def rows(seen: Depiction) -> tuple[GridRow, ...]:
    return seen.grid


def test_the_grid_shows_what_the_device_answers(rows: tuple[GridRow, ...], answers: list[tuple[str, Answer]]) -> None:
    told = [(truth, "unknown" if answer.label is None else answer.label, answer) for truth, answer in answers]
    assert len(rows) == candidate_plots.ROWS
    again = [row for row in rows if "as if not enrolled" in row.caption[0]]
    assert again, "the case shows something"
    assert not any(near.own for row in again for near in row.neighbours)
    for row in rows:
        if row in again:
            continue
        truth, said, best, *_ = row.caption
        key, nearest = (truth.removesuffix(" (unknown)"), said.removeprefix("answer: ")), row.neighbours[0]
        match = min((one for one in told if one[:2] == key), key=lambda one: abs(one[2].score - nearest.score))
        told.remove(match)
        assert float(best.split()[1].rstrip(",")) == pytest.approx(nearest.score, abs=5.1e-4)
        assert [(one.label, pytest.approx(one.score, abs=1e-5)) for one in row.neighbours] == [
            (one.label, one.score) for one in match[2].matches
        ]
        assert [one.own for one in row.neighbours] == [one.label == key[0] for one in row.neighbours]
        assert (" (unknown)" in truth) == (key[0] in toy.TEST_UNKNOWNS)
        assert f"right with probability {match[2].probability:.2f}" in row.caption
    assert len(told) == len(answers) - len(rows) + len(again)


def embedded(identifier: Identifier, photos: Sequence[Pixels]) -> NDArray[np.float32]:
    apply = identifier.release.preprocessing.apply
    return identifier.model.embed(np.stack([apply(photo) for photo in photos]))


def test_a_neighbour_is_shown_by_its_photo_that_is_nearest(
    rows: tuple[GridRow, ...], candidate: Candidate, toy_version: DatasetVersion
) -> None:
    identifier, enrolled = Identifier(candidate[0]), toy_version.take(gallery_rows(toy_version, candidates.GALLERY))
    asked = toy_version.select(split="test", role="query")
    photos_asked = [asked.pixels(number) for number in range(len(asked))]
    not_the_first = 0
    for row in rows:
        (photo,) = [photo for photo in photos_asked if np.array_equal(THUMBNAIL.apply(photo), row.photo)]
        query = embedded(identifier, [photo])[0]
        for neighbour in row.neighbours:
            photos = enrolled.select(labels={neighbour.label})
            scores = embedded(identifier, [photos.pixels(number) for number in range(len(photos))]) @ query
            assert np.array_equal(neighbour.photo, THUMBNAIL.apply(photos.pixels(int(scores.argmax()))))
            assert neighbour.score == pytest.approx(scores.max(), abs=1e-5)  # every photo is a row of this gallery
            not_the_first += int(scores.argmax()) > 0
    assert not_the_first


def test_the_map_holds_the_index_and_the_queries(
    candidate: Candidate, toy_version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped: list[MapPoints] = []

    def draw(points: MapPoints, photo_of: Callable[[str], Pixels]) -> EmbeddingMap:
        mapped.append(points)
        return embedding_map(points, photo_of)

    monkeypatch.setattr(candidate_plots, "embedding_map", draw)
    depict_release(candidate[0], toy_version)
    (points,) = mapped
    assert Counter(points.kinds) == {"gallery": 16, "query": 16, "unknown": 8}
    index = Identifier(candidate[0]).index
    assert np.array_equal(points.vectors[:16], index.vectors)
    assert points.labels[:16] == tuple(candidate[0].labels[number] for number in index.classes)
    assert {label for label, kind in zip(points.labels, points.kinds, strict=True) if kind == "unknown"} == set(
        toy.TEST_UNKNOWNS
    )


def test_depict_release_decodes_a_photo_once_a_size_and_embeds_it_once(
    candidate: Candidate, toy_version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = PhotoCounts(monkeypatch)
    depict_release(candidate[0], toy_version)
    assert max(counts.decoded.values()) == 2  # for the model, and as a thumbnail
    assert set(counts.embedded.values()) == {1}
    assert counts.photos_of_each_model() == [len(toy_version)]


def test_without_test_queries_the_map_is_left(candidate: Candidate, toy_version: DatasetVersion) -> None:
    seen = depict_release(candidate[0], without(toy_version, queries=True))
    assert set(seen.pictures) == {"embedding_map"}
    assert seen.missing == dict.fromkeys(NAMES - {"embedding_map"}, NO_QUERIES)
    assert seen.confusions is None


def test_without_unknowns_everything_is_shown(candidate: Candidate, toy_version: DatasetVersion) -> None:
    seen = depict_release(candidate[0], without(toy_version, unknowns=True))
    assert set(seen.pictures) == NAMES
    assert seen.confusions is not None
    assert {pair.first for pair in seen.confusions.pairs if pair.unknown} <= set(toy.TEST)


def test_what_cannot_be_shown_says_why(production: Release, toy_version: DatasetVersion) -> None:
    """This release embeds by colour, tells every disc from the next, and states no probability."""
    version = without(toy_version, unknowns=True)
    queries = version.select(split="test", role="query")
    identifier = Identifier(production)
    right = [
        row
        for row, label in enumerate(queries.column("label"))
        if identifier.identify(queries.image_bytes(row)).matches[0].label == label
    ]
    kept = set(queries.take(right).column("sha256"))
    rows = zip(*(version.column(name) for name in ("split", "role", "sha256")), strict=True)
    version = version.take(
        [row for row, (split, role, sha256) in enumerate(rows) if (split, role) != ("test", "query") or sha256 in kept]
    )
    seen = depict_release(production, version)
    assert set(seen.pictures) == {"retrieval_grid", "embedding_map"}
    assert seen.missing == {
        "confusion_pairs": "No class was taken for another.",
        "reliability": "The release states no probability.",
    }
    assert seen.confusions is not None
    assert seen.confusions.pairs == ()


def test_depict_release_refuses_a_dataset_version_that_the_release_was_not_built_from(
    candidate: Candidate, toy_version: DatasetVersion
) -> None:
    other = toy_version.select(labels=set(toy.LABELS) - {toy.TEST[0]})
    with pytest.raises(ConfigError, match=r"enrols 7 classes and release \w+ ships 8 of other names: give the version"):
        depict_release(candidate[0], other)
    with pytest.raises(DataError, match="no gallery photo"):
        depict_release(candidate[0], toy_version.select(role="query"))


def test_photos_that_look_like_another_class_stand_beside_it(candidate: Candidate, toy_version: DatasetVersion) -> None:
    """Two photos change their labels: both are found, each beside a photo of the class that it is of."""
    labels = toy_version.column("label")
    first, other = 0, next(row for row, label in enumerate(labels) if label != labels[0])
    swapped = list(labels)
    swapped[first], swapped[other] = labels[other], labels[first]
    column = pa.array(swapped, toy_version.table["label"].type)
    wrong = toy_version.table.set_column(toy_version.table.schema.get_field_index("label"), "label", column)
    version = dataclasses.replace(toy_version, table=wrong)
    suspects = _suspects(_Embeddings(Identifier(candidate[0]).model), version, Thumbnails())
    names = toy_version.column("source")
    found = {one.name: (one.label, one.other) for one in suspects}
    assert found.get(names[first]) == (labels[other], labels[first])
    assert found.get(names[other]) == (labels[first], labels[other])
