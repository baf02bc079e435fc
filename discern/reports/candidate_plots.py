"""Pictures of a release's answers to the test split, for people who review it.

Model, index, decision rule and probabilities are the release's own: what is shown is what ships.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.errors import ConfigError
from discern.evaluation.gallery import gallery_rows
from discern.evaluation.plots.answer_quality import AnswerQuality, answer_qualities
from discern.evaluation.plots.confusions import ConfusionTable, confusion_pairs, confusion_picture
from discern.evaluation.plots.embedding_map import EmbeddingMap, Kind, MapPoints, embedding_map
from discern.evaluation.plots.reliability import reliability_picture
from discern.evaluation.plots.retrieval_grid import GridRow, Neighbour, retrieval_grid, worst_first
from discern.evaluation.queries import DecodedSplit, EmbeddedSplit, decode_queries, select_queries
from discern.evaluation.reliability import Reliability, reliability_of
from discern.evaluation.retrieval import UNKNOWN, SearchResults, without
from discern.evaluation.suspects import find_suspects
from discern.progress import bar
from discern.releases.enrolled_gallery import gallery_of
from discern.reports.gallery_doctor import GalleryDoctor, examine_gallery
from discern.reports.thumbnails import Thumbnails, class_photos
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import TOP_K, Identifier
from edge_runtime.core.images import Pixels
from edge_runtime.core.index import NO_CLASS
from edge_runtime.core.release import Release

ROWS = 24  # of the grid
LOOKED_AT = 3_000  # photos that are compared with each other at most, so that they fit into memory
PAIRS = 24  # in the picture; the table has all
NO_CONFUSION = "No class was taken for another."
NO_PROBABILITY = "The release states no probability."
NO_QUERIES = "The test split has no query: hold out classes for it that have more photos than are enrolled."


@dataclass(frozen=True)
class SuspectPhoto:
    """A photo that looks like another class to the release's model: its label may be wrong.

    Attributes:
        photo: uint8 [96, 96, 3].
        label: its class.
        name: of its file.
        nearest: the nearest photo of the other class, uint8 [96, 96, 3].
        other: the other class.
        nearest_name: of the file of `nearest`.
    """

    photo: Pixels
    label: str
    name: str
    nearest: Pixels
    other: str
    nearest_name: str


@dataclass(frozen=True)
class AnsweredTest:
    """The test queries and a release's answers to them, in one order.

    Attributes:
        identifier: the release, loaded.
        queries: photos and embeddings.
        results: the nearest classes.
        answers: [q] number of the answered class, or -1 for `unknown`.
        probabilities: [q] that the best class is right; None where the release states none.
    """

    identifier: Identifier
    queries: EmbeddedSplit
    results: SearchResults
    answers: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None

    def summary(self) -> str:
        """Return how many queries are answered wrongly, in words."""
        wrong = int((self.answers != self.results.truth).sum())
        return f"{wrong:,} of {len(self.answers):,} test queries answered wrongly"


@dataclass(frozen=True)
class Depiction:
    """A release's answers to the test queries, for pictures and pages.

    Attributes:
        release: what answered.
        test: the queries and the answers; None where there is no query.
        grid: the worst queries beside their nearest classes, worst first.
        confusions: all pairs of classes that are taken for each other; None where there is no query.
        map: of the embeddings.
        reliability: of the stated probabilities; None where there is no query, or the release states none.
        photo_of: gives a photo of a class by its label, uint8 [96, 96, 3].
        suspects: photos of the version that look like another class, the worst first.
        doctor: what the enrolled photos do; None where the release does not carry what that takes.
    """

    release: Release
    test: AnsweredTest | None
    grid: tuple[GridRow, ...]
    confusions: ConfusionTable | None
    map: EmbeddingMap
    reliability: Reliability | None
    photo_of: Callable[[str], Pixels]
    suspects: tuple[SuspectPhoto, ...]
    doctor: GalleryDoctor | None = None

    @property
    def missing(self) -> dict[str, str]:
        """Why a picture cannot be made, a sentence each, by its name."""
        if self.confusions is None:
            return dict.fromkeys(("retrieval_grid", "confusion_pairs", "reliability"), NO_QUERIES)
        missing = {}
        if not self.confusions.pairs:
            missing["confusion_pairs"] = NO_CONFUSION
        if self.reliability is None:
            missing["reliability"] = NO_PROBABILITY
        return missing

    @cached_property
    def pictures(self) -> dict[str, Image.Image]:
        """The pictures that can be made, by name, each whole in itself: for MLflow."""
        makers: dict[str, Callable[[], Image.Image]] = {
            "retrieval_grid": self._grid_picture,
            "confusion_pairs": self._confusion_picture,
            "embedding_map": self._map_picture,
            "reliability": self._reliability_picture,
        }
        names = [name for name in makers if name not in self.missing]
        return {name: makers[name]() for name in bar(names, name="drawing", unit="picture")}

    def _grid_picture(self) -> Image.Image:
        return retrieval_grid(self.grid, "" if self.test is None else f"{self.test.summary()}; worst first")

    def _confusion_picture(self) -> Image.Image:
        pairs = () if self.confusions is None else self.confusions.pairs
        shown = pairs[:PAIRS]
        heading = f"{len(pairs):,} pairs of classes taken for each other in the test split; the worst {len(shown)}"
        return confusion_picture(shown, self.photo_of, heading)

    def _map_picture(self) -> Image.Image:
        return self.map.sheet(
            self.photo_of, f"Embeddings of release {self.release.id}: its gallery and the test queries"
        )

    def _reliability_picture(self) -> Image.Image:
        if self.reliability is None:
            raise ValueError(NO_PROBABILITY)
        return reliability_picture(self.reliability, "Test queries")


def depict_release(release: Release, version: DatasetVersion) -> Depiction:
    """Answer the test queries of `version`; where it has none, map the gallery alone.

    Args:
        release: answers the queries.
        version: the dataset version that the release was built from.

    Raises:
        ReleaseError: the release does not load.
        DataError: a photo cannot be read, or none is enrolled.
        ConfigError: the version does not enrol the classes of the release.
    """
    identifier, thumbnails = Identifier(release), Thumbnails()
    enrolled = _enrolled_photos(release, version)
    photo_of = class_photos(release, version, thumbnails)
    embeddings = _Embeddings(identifier.model)
    if len(select_queries(version, "test", release.labels)) == 0:
        suspects = _suspects(embeddings, version, thumbnails)
        return Depiction(release, None, (), None, _map(identifier, None, photo_of), None, photo_of, suspects)
    test = _answer(identifier, version)
    embeddings.keep(test.queries)
    return Depiction(
        release,
        test,
        grid=tuple(_grid(test, enrolled, embeddings, thumbnails)),
        confusions=confusion_pairs(test.results, identifier.rule),
        map=_map(identifier, test, photo_of),
        reliability=reliability_of(test.results, identifier.calibrator),
        photo_of=photo_of,
        suspects=_suspects(embeddings, version, thumbnails),
        doctor=examine_gallery(release, version, photo_of, thumbnails),
    )


class _Embeddings:
    """Embeddings of photos by one model; each photo is decoded and embedded once."""

    def __init__(self, model: OnnxEmbedder) -> None:
        self._model = model
        self._vectors: dict[tuple[object, ...], NDArray[np.float32]] = {}

    def keep(self, embedded: EmbeddedSplit) -> None:
        """Take photos that the model embedded already."""
        self._vectors |= zip(_shown_parts(embedded.rows), embedded.vectors, strict=True)

    def of(self, rows: DatasetVersion, title: str) -> EmbeddedSplit:
        """Return the embeddings of `rows`; `title` is what the progress of decoding is called."""
        parts = _shown_parts(rows)
        missing = {part: row for row, part in enumerate(parts) if part not in self._vectors}
        if missing:
            new = rows.take(list(missing.values()))
            pixels = load_photos(new, self._model.preprocessing, title).pixels
            self.keep(DecodedSplit(new, pixels).embed(self._model))
        return EmbeddedSplit(rows, np.stack([self._vectors[part] for part in parts]))


def _shown_parts(rows: DatasetVersion) -> list[tuple[object, ...]]:
    """Return what each row shows: its picture, and what its box and margin cut out of it."""
    boxes = (tuple(box or ()) for box in rows.column("box"))
    return list(zip(rows.column("sha256"), boxes, rows.column("margin"), strict=True))


def _suspects(embeddings: _Embeddings, version: DatasetVersion, thumbnails: Thumbnails) -> tuple[SuspectPhoto, ...]:
    """Find photos that look like another class; of a large version among some that are spread over it."""
    numbers = np.unique(np.linspace(0, len(version) - 1, min(LOOKED_AT, len(version))).astype(int))
    embedded = embeddings.of(version.take(numbers.tolist()), "decoding photos")
    rows, names = embedded.rows, embedded.rows.column("source")
    found = find_suspects(embedded.vectors, embedded.labels, rows.column("near_duplicates"))
    return tuple(
        SuspectPhoto(
            photo=thumbnails.of(rows, one.row),
            label=embedded.labels[one.row],
            name=names[one.row],
            nearest=thumbnails.of(rows, one.neighbour),
            other=embedded.labels[one.neighbour],
            nearest_name=names[one.neighbour],
        )
        for one in found.of_another_class
    )


def _enrolled_photos(release: Release, version: DatasetVersion) -> DatasetVersion:
    enrolled = version.take(gallery_rows(version, gallery_of(release, version)))
    if set(enrolled.labels) != set(release.labels):
        raise ConfigError(
            f"Dataset version {version.id} enrols {len(enrolled.labels)} classes and release {release.id} ships "
            f"{len(release.labels)} of other names: give the version that the release was built from."
        )
    return enrolled


def _answer(identifier: Identifier, version: DatasetVersion) -> AnsweredTest:
    labels = identifier.release.labels
    queries = decode_queries(version, "test", labels, identifier.model.preprocessing).embed(identifier.model)
    results = queries.queries.search_index(identifier.index, labels).stated_by(identifier.calibrator)
    return AnsweredTest(identifier, queries, results, results.answers(identifier.rule), results.probabilities)


def _grid(
    test: AnsweredTest, enrolled: DatasetVersion, embeddings: _Embeddings, thumbnails: Thumbnails
) -> list[GridRow]:
    """Return the worst queries, each beside its nearest classes."""
    rule, results = test.identifier.rule, test.results
    qualities = answer_qualities(results, rule)
    worst = worst_first(results, rule)[:ROWS]
    classes, scores = _nearest_classes(test, worst)
    shown = {results.labels[number] for number in np.unique(classes) if number != NO_CLASS}
    gallery = embeddings.of(enrolled.select(labels=shown), "decoding gallery")
    rows = []
    for query, numbers, cosines in zip(worst.tolist(), classes, scores, strict=True):
        labels = [results.labels[number] for number in numbers if number != NO_CLASS]
        neighbours = [
            Neighbour(
                photo=thumbnails.of(gallery.rows, _nearest_row(gallery, label, test.queries.vectors[query])),
                label=label,
                score=float(cosine),
                own=label == results.query_labels[query],
            )
            for label, cosine in zip(labels, cosines, strict=False)
        ]
        rows.append(
            GridRow(
                query=query,
                photo=thumbnails.of(test.queries.rows, query),
                caption=_caption(test, query),
                quality=qualities[query],
                neighbours=tuple(neighbours),
            )
        )
    return rows


def _nearest_classes(test: AnsweredTest, queries: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the classes nearest to some queries [q, k] and their cosines, without those that are left out."""
    results = test.results
    number_of = {label: number for number, label in enumerate(results.labels)}
    own = [number_of[results.query_labels[query]] if results.left_out[query] else NO_CLASS for query in queries]
    classes, scores = test.identifier.index.best_classes(test.queries.vectors[queries], TOP_K + 1)
    classes, scores = without(classes, scores, np.array(own, dtype=np.int64))
    return classes[:, :TOP_K], scores[:, :TOP_K]


def _nearest_row(gallery: EmbeddedSplit, label: str, query: NDArray[np.float32]) -> int:
    """Return the row of the class's enrolled photo nearest to a query [d]: where one is mislabelled, it shows."""
    rows = np.flatnonzero(np.array(gallery.labels) == label)
    return int(rows[(gallery.vectors[rows] @ query).argmax()])


def _caption(test: AnsweredTest, query: int) -> tuple[str, ...]:
    """Return the caption lines of a query: true label, answer, scores and thresholds."""
    results, rule, answer = test.results, test.identifier.rule, test.answers[query]
    best, second = results.scores[query].astype(float)
    lines = [
        results.query_labels[query] + _asked(results, query),
        f"answer: {'unknown' if answer == UNKNOWN else results.labels[answer]}",
        f"best {best:.3f}, needed {rule.threshold:.3f}",
    ]
    if np.isfinite(second):
        lines.append(f"margin {best - second:.3f}, needed {rule.margin:.3f}")
    if test.probabilities is not None:
        lines.append(f"right with probability {test.probabilities[query]:.2f}")
    return tuple(lines)


def _asked(results: SearchResults, query: int) -> str:
    if results.left_out[query]:
        return " (as if not enrolled)"
    return "" if results.enrolled[query] else " (unknown)"


def _map(identifier: Identifier, test: AnsweredTest | None, photo_of: Callable[[str], Pixels]) -> EmbeddingMap:
    """Draw the rows of the release's index, and the queries where there are any, each photo once."""
    index, release = identifier.index, identifier.release
    labels = [release.labels[number] for number in index.classes]
    kinds: list[Kind] = ["gallery"] * len(labels)
    qualities: list[AnswerQuality] = ["right"] * len(labels)
    vectors = [index.vectors]
    if test is not None:
        results = test.results.take(np.arange(len(test.answers))[: test.queries.photos])
        labels += results.query_labels
        kinds += ["query" if enrolled else "unknown" for enrolled in results.enrolled]
        qualities += answer_qualities(results, identifier.rule)
        vectors.append(test.queries.vectors[: test.queries.photos])
    points = MapPoints(np.concatenate(vectors), tuple(labels), tuple(kinds), tuple(qualities))
    return embedding_map(points, photo_of)
