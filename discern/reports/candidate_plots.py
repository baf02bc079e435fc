"""Pictures of what a release makes of the test split: what people rather look at than figures.

Model, index, decision rule and probabilities are the release's own: what is shown is what ships.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.errors import ConfigError
from discern.evaluation.gallery import GalleryConfig, Vectors, gallery_rows
from discern.evaluation.plots.answer_quality import AnswerQuality, answer_qualities
from discern.evaluation.plots.confusions import ConfusionTable, confusion_pairs, confusion_picture
from discern.evaluation.plots.embedding_map import Kind, MapPoints, embedding_map
from discern.evaluation.plots.reliability import reliability_picture
from discern.evaluation.plots.retrieval_grid import GridRow, Neighbour, retrieval_grid, worst_first
from discern.evaluation.reliability import reliability_of
from discern.evaluation.retrieval import UNKNOWN, Outcomes, search_index
from discern.progress import bar
from discern.releases.candidate import THUMBNAIL, asked, embed_batches, embed_queries
from edge_runtime.core.identify import TOP_K, Identifier, right_probability
from edge_runtime.core.images import Pixels, decode
from edge_runtime.core.index import NO_CLASS
from edge_runtime.core.release import Release

ROWS = 24  # of the grid
PAIRS = 24  # in the picture; the table has all
NO_QUERIES = "The test split has no query: hold out classes for it that have more photos than are enrolled."


@dataclass(frozen=True)
class Depiction:
    """What there is to look at, under one name each.

    Attributes:
        pictures: those that could be made.
        missing: why the others could not, a sentence each.
        confusions: all pairs of classes that were taken for each other; None where nothing was asked.
    """

    pictures: dict[str, Image.Image]
    missing: dict[str, str]
    confusions: ConfusionTable | None


@dataclass(frozen=True)
class _Asked:
    """The test queries and what the release found and answered, in one order."""

    identifier: Identifier
    queries: DatasetVersion
    vectors: Vectors
    outcomes: Outcomes
    answers: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None


def depict_release(release: Release, version: DatasetVersion, gallery_config: GalleryConfig) -> Depiction:
    """Make the pictures of the test split of `version`; where it has no queries, those that need none.

    Args:
        release: answers the queries.
        version: holds them, and the enrolled photos.
        gallery_config: which photos were enrolled.

    Raises:
        ReleaseError: the release does not load.
        DataError: a photo cannot be read, or none is enrolled.
        ConfigError: the gallery is not the one that the release ships.
    """
    identifier = Identifier(release)
    enrolled = version.take(gallery_rows(version, gallery_config))
    if set(enrolled.labels) != set(release.labels):
        raise ConfigError(
            f"The gallery has {len(enrolled.labels)} classes of dataset version {version.id}, the release {release.id} "
            f"ships {len(release.labels)} others: give the version and the `gallery` that it was built with."
        )
    photo_of = _class_photos(release, version)
    if len(asked(version, "test", release.labels)) == 0:
        names = ("retrieval_grid", "confusion_pairs", "reliability")
        alone = _map(identifier, None, photo_of)
        return Depiction({"embedding_map": alone}, dict.fromkeys(names, NO_QUERIES), None)
    found = _ask(identifier, version)
    confusions = confusion_pairs(found.outcomes, identifier.rule)
    makers: dict[str, Callable[[], Image.Image | str]] = {
        "retrieval_grid": lambda: _grid(found, enrolled),
        "confusion_pairs": lambda: _confusions(confusions, photo_of),
        "embedding_map": lambda: _map(identifier, found, photo_of),
        "reliability": lambda: _reliability(found),
    }
    made = {name: make() for name, make in bar(makers.items(), name="drawing", unit="picture")}
    pictures = {name: picture for name, picture in made.items() if isinstance(picture, Image.Image)}
    missing = {name: reason for name, reason in made.items() if isinstance(reason, str)}
    return Depiction(pictures, missing, confusions)


def _ask(identifier: Identifier, version: DatasetVersion) -> _Asked:
    labels = identifier.release.labels
    queries = asked(version, "test", labels)
    embedded = embed_queries(identifier.model, version, "test", labels, identifier.release.preprocessing)
    outcomes = search_index(identifier.index, labels, embedded.vectors, embedded.names, embedded.trained)
    calibrator = identifier.calibrator
    probabilities = None if calibrator is None else right_probability(outcomes.scores, calibrator)
    return _Asked(identifier, queries, embedded.vectors, outcomes, outcomes.answers(identifier.rule), probabilities)


def _class_photos(release: Release, version: DatasetVersion) -> Callable[[str], Pixels]:
    """A photo of a class by its label: the release's reference picture, or an unknown's first photo."""
    numbers = {label: number for number, label in enumerate(release.labels)}
    first = {label: row for row, label in reversed(list(enumerate(version.column("label"))))}

    @cache
    def photo_of(label: str) -> Pixels:
        if label in numbers:
            return decode(release.thumbnail(numbers[label]), label)
        return THUMBNAIL.apply(version.pixels(first[label]))

    return photo_of


def _grid(found: _Asked, enrolled: DatasetVersion) -> Image.Image:
    """The worst queries, each beside its nearest classes, shown by their enrolled photo that is nearest to it."""
    identifier, outcomes = found.identifier, found.outcomes
    marks = answer_qualities(outcomes, identifier.rule)
    worst = worst_first(outcomes, identifier.rule)[:ROWS]
    classes, scores = identifier.index.best_classes(found.vectors[worst], TOP_K)
    labels = [[outcomes.labels[number] for number in row if number != NO_CLASS] for row in classes]
    nearest = _nearest_photos(found, enrolled.select(labels=set(chain(*labels))))
    rows = [
        GridRow(
            photo=THUMBNAIL.apply(found.queries.pixels(int(row))),
            words=_words(found, row),
            verdict=marks[row],
            neighbours=tuple(
                Neighbour(nearest(label, row), label, float(score), own=label == outcomes.names[row])
                for label, score in zip(near, near_scores, strict=False)
            ),
        )
        for row, near, near_scores in zip(worst, labels, scores, strict=True)
    ]
    wrong = len(marks) - marks.count("right")
    return retrieval_grid(rows, f"{wrong:,} of {len(marks):,} test queries answered wrongly; worst first")


def _nearest_photos(found: _Asked, enrolled: DatasetVersion) -> Callable[[str, int], Pixels]:
    """Of a class, the photo of `enrolled` that is nearest to a query: where one is mislabelled, it shows."""
    photos = load_photos(enrolled, found.identifier.release.preprocessing, "decoding gallery")
    vectors, names = embed_batches(found.identifier.model, photos.pixels), np.array(photos.labels)

    def nearest(label: str, query: int) -> Pixels:
        rows = np.flatnonzero(names == label)
        best = int(rows[(vectors[rows] @ found.vectors[query]).argmax()])
        return THUMBNAIL.apply(enrolled.pixels(best))  # a hundred photos at full size would fill the memory

    return nearest


def _words(found: _Asked, row: int) -> tuple[str, ...]:
    """What is asked, what the device answers, and what that hangs on."""
    outcomes, rule, answer = found.outcomes, found.identifier.rule, found.answers[row]
    best, second = outcomes.scores[row].astype(float)
    lines = [
        outcomes.names[row] + ("" if outcomes.enrolled[row] else " (unknown)"),
        f"answer: {'unknown' if answer == UNKNOWN else outcomes.labels[answer]}",
        f"best {best:.3f}, needed {rule.threshold:.3f}",
    ]
    if np.isfinite(second):
        lines.append(f"margin {best - second:.3f}, needed {rule.margin:.3f}")
    if found.probabilities is not None:
        lines.append(f"right with probability {found.probabilities[row]:.2f}")
    return tuple(lines)


def _confusions(table: ConfusionTable, photo_of: Callable[[str], Pixels]) -> Image.Image | str:
    if not table.pairs:
        return "No class was taken for another."
    shown = table.pairs[:PAIRS]
    heading = f"{len(table.pairs):,} pairs of classes taken for each other in the test split; the worst {len(shown)}"
    return confusion_picture(shown, photo_of, heading)


def _map(identifier: Identifier, found: _Asked | None, photo_of: Callable[[str], Pixels]) -> Image.Image:
    """The rows of the release's index, and the queries where there are any."""
    index, release = identifier.index, identifier.release
    labels = [release.labels[number] for number in index.classes]
    kinds: list[Kind] = ["gallery"] * len(labels)
    marks: list[AnswerQuality] = ["right"] * len(labels)
    vectors = [index.vectors]
    if found is not None:
        labels += found.outcomes.names
        kinds += ["query" if enrolled else "unknown" for enrolled in found.outcomes.enrolled]
        vectors.append(found.vectors)
        marks += answer_qualities(found.outcomes, identifier.rule)
    points = MapPoints(np.concatenate(vectors), tuple(labels), tuple(kinds), tuple(marks))
    return embedding_map(points, photo_of, f"Embeddings of release {release.id}: its gallery and the test queries")


def _reliability(found: _Asked) -> Image.Image | str:
    bins = reliability_of(found.outcomes, found.identifier.calibrator)
    if bins is None:
        return "The release states no probability."
    return reliability_picture(bins, "Test queries")
