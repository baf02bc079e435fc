"""What each enrolled photo does for the answers: its own answer without it, its help and its harm; pure.

A photo is asked in the gallery without itself, and without its near-duplicates where these are named. One that gets
another class's name may have the wrong label; one that gets no name shows its class as no other photo does. Help and
harm are counted on queries: of those answered right, the photo helps where the answer is wrong without it; of those
answered wrong, it harms where the answer is right without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.gallery import Gallery, GalleryConfig, Vectors, enrol
from discern.evaluation.retrieval import UNKNOWN, Queries, without
from discern.evaluation.threshold_calibration import fit_rule
from edge_runtime.core.decision import LOWEST_COSINE, DecisionRule, decide
from edge_runtime.core.release import Represent

NEAREST = 3  # classes of a query that a photo can change the answer among
SEED = 0  # of the photos that are drawn for the curve
DRAWS = 3  # of photos for each point of the curve
QUERIES = 4000  # of each kind that the curve is measured on at most; more move a rate by less than a point


@dataclass(frozen=True)
class PhotoReport:
    """What one enrolled photo does.

    Attributes:
        row: the photo.
        label: of its class.
        own_score: of its class in the gallery without it; None where its class has no other picture.
        other: the nearest other class; None where there is no other.
        other_score: the score of that class.
        answer: the label that the photo gets in the gallery without it; None is `unknown`.
        help: queries that are answered right with it and wrong without it.
        harm: queries that are answered wrong with it and right without it.
    """

    row: int
    label: str
    own_score: float | None
    other: str | None
    other_score: float
    answer: str | None
    help: int
    harm: int

    @property
    def excess(self) -> float:
        """By how much another class scores higher than its own; below 0 where none does.

        A photo of a wrong label draws the photos of its true class to the class that it is in: these have an excess
        too, and a smaller one.
        """
        return -np.inf if self.own_score is None or self.other is None else self.other_score - self.own_score

    @property
    def is_redundant(self) -> bool:
        """Whether its class is found without it: the photo gets the right name, and no query needs it."""
        return self.answer == self.label and self.help == 0


@dataclass(frozen=True)
class CurvePoint:
    """TPIR of the test queries in a gallery of at most so many photos a class, with a rule fitted for it."""

    photos: int
    tpir: float


def examine_photos(
    vectors: Vectors,
    labels: Sequence[str],
    config: GalleryConfig,
    rule: DecisionRule,
    queries: Queries,
    pictures: Sequence[int] | None = None,
) -> list[PhotoReport]:
    """Report on every enrolled photo.

    Args:
        vectors: [n, d] embedded gallery photos, unit length.
        labels: n labels.
        config: how they are enrolled; nothing is left to choose.
        rule: decides.
        queries: on which help and harm are counted.
        pictures: n numbers; photos of one number are near-duplicates, and are left out together when one of them is
            asked. Without it each photo is a picture of its own.

    Raises:
        DataError: as `enrol`, or there is no query.
    """
    rule = replace(rule, least_probability=0.0)  # which would keep answers back, and move none from class to class
    gallery = enrol(vectors, list(labels), config)
    represent: Represent = "prototype" if config.represent == "prototype" else "exemplars"
    number_of = {label: number for number, label in enumerate(gallery.labels)}
    classes = np.array([number_of[label] for label in labels], dtype=np.int64)
    shows = np.arange(len(labels)) if pictures is None else np.asarray(pictures)
    own = _own_scores(vectors, classes, shows, represent) - _offsets(gallery)[classes]
    helps, harms = _help_and_harm(vectors, classes, gallery, represent, rule, queries)
    others, other_scores = without(*gallery.index.best_classes(vectors, NEAREST), classes)
    named = _named_photos(own, other_scores, rule)
    return [
        PhotoReport(
            row=row,
            label=label,
            own_score=float(own[row]) if np.isfinite(own[row]) else None,
            other=gallery.labels[others[row, 0]] if others[row, 0] >= 0 else None,
            other_score=float(max(other_scores[row, 0], LOWEST_COSINE)),
            answer=_answer(label, gallery.labels, others[row, 0], own[row] >= other_scores[row, 0], named[row]),
            help=int(helps[row]),
            harm=int(harms[row]),
        )
        for row, label in enumerate(labels)
    ]


def photo_curve(
    vectors: Vectors,
    labels: Sequence[str],
    config: GalleryConfig,
    validation: Queries,
    test: Queries,
    fpir: float,
    elsewhere: Vectors | None = None,
) -> list[CurvePoint]:
    """Measure how TPIR grows with the photos of a class, from 1 to as many as half of the classes have.

    Args:
        vectors: [n, d] embedded gallery photos, unit length.
        labels: n labels.
        config: how they are enrolled; nothing is left to choose.
        validation: the queries that the rule is fitted on.
        test: the queries that it is measured on.
        fpir: the false-identification rate that each rule is fitted for, between 0 and 1.
        elsewhere: [n, d] embedded photos of other things, which each rule is fitted on too.

    Raises:
        DataError: as `enrol` and `fit_rule`.
    """
    _, counts = np.unique(np.array(labels), return_counts=True)
    most = int(np.median(counts))
    random = np.random.default_rng(SEED)
    asked = (validation.sample(QUERIES, random), test.sample(QUERIES, random))
    points = []
    for photos in _curve_sizes(most):
        draws = 1 if photos == most else DRAWS
        tpirs = [
            _tpir(vectors, labels, _drawn(labels, photos, random), config, asked, fpir, elsewhere) for _ in range(draws)
        ]
        points.append(CurvePoint(photos, float(np.mean(tpirs))))
    return points


def photos_for(curve: Sequence[CurvePoint], tpir: float) -> int | None:
    """Return the fewest photos a class that reach `tpir` on the curve; None where none does."""
    return next((point.photos for point in curve if point.tpir >= tpir), None)


def _curve_sizes(most: int) -> list[int]:
    return sorted({1, 2, 3, 5, 8, 13, most} & set(range(1, most + 1)))


def _drawn(labels: Sequence[str], photos: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw at most `photos` photos of each class; rows rise."""
    order = random.permutation(len(labels))
    taken: dict[str, int] = {}
    rows = []
    for row in order.tolist():
        taken[labels[row]] = taken.get(labels[row], 0) + 1
        if taken[labels[row]] <= photos:
            rows.append(row)
    return np.array(sorted(rows), dtype=np.int64)


def _tpir(
    vectors: Vectors,
    labels: Sequence[str],
    rows: NDArray[np.int64],
    config: GalleryConfig,
    asked: tuple[Queries, Queries],
    fpir: float,
    elsewhere: Vectors | None,
) -> float:
    gallery = enrol(vectors[rows], [labels[row] for row in rows], config)
    validation, test = (queries.search(gallery) for queries in asked)
    foreign = None if elsewhere is None else gallery.index.best_classes(elsewhere, 2)[1]
    rule = fit_rule(validation, fpir, foreign)
    return float(test.right(rule)[test.enrolled].mean())


def _offsets(gallery: Gallery) -> Vectors:
    return np.zeros(len(gallery.labels), np.float32) if gallery.offsets is None else gallery.offsets


def _own_scores(
    vectors: Vectors, classes: NDArray[np.int64], pictures: NDArray[np.int64], represent: Represent
) -> Vectors:
    """Return the cosine [n] of each photo with its class without its picture; -inf where no other is in its class."""
    scores = np.full(len(vectors), -np.inf, dtype=np.float32)
    for _, rows in _by_class(classes):
        others = pictures[rows][:, None] != pictures[rows][None]
        scores[rows] = np.where(others.any(axis=1), _scores_with(vectors[rows], others, represent), -np.inf)
    return scores


def _scores_with(photos: Vectors, others: NDArray[np.bool_], represent: Represent) -> Vectors:
    """Return the cosine [p] of each of `photos` [p, d] with the class of its `others` [p, p]."""
    if represent == "prototype":
        means = others.astype(np.float32) @ photos
        lengths = np.linalg.norm(means, axis=1)
        cosines: Vectors = (means * photos).sum(axis=1) / np.where(lengths > 0, lengths, np.inf)
        return cosines
    best: Vectors = np.where(others, photos @ photos.T, -np.inf).max(axis=1)
    return best


def _by_class(classes: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each class with its rows."""
    order = np.argsort(classes, kind="stable")
    numbers, starts = np.unique(classes[order], return_index=True)
    yield from zip(numbers.tolist(), np.split(order, starts[1:]), strict=True)


def _scores_without_each(photos: Vectors, queries: Vectors, represent: Represent) -> Vectors:
    """Return the cosine [p, q] of each query with the class of `photos` [p, d] without the photo p."""
    if len(photos) == 1:
        return np.full((1, len(queries)), -np.inf, dtype=np.float32)
    if represent == "prototype":
        means = photos.sum(axis=0) - photos
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        prototypes: Vectors = means / np.where(lengths > 0, lengths, np.inf) @ queries.T
        return prototypes
    cosines = photos @ queries.T
    best = cosines.argmax(axis=0)
    columns = np.arange(len(queries))
    rest = cosines.copy()
    rest[best, columns] = -np.inf
    second = rest.max(axis=0)
    scores = np.repeat(cosines[best, columns][None], len(photos), axis=0)
    scores[best, columns] = second
    return scores


def _named_photos(own: Vectors, others: Vectors, rule: DecisionRule) -> NDArray[np.bool_]:
    """Return [n] whether a photo gets a name, given the score of its class and the best two others [n, k]."""
    scores = -np.sort(-np.column_stack([own, others[:, :2]]), axis=1)[:, :2]
    return decide(scores, rule)


def _answer(label: str, labels: Sequence[str], other: int, own_is_nearest: bool, named: bool) -> str | None:
    if not named:
        return None
    return label if own_is_nearest else labels[other]


def _help_and_harm(
    vectors: Vectors,
    classes: NDArray[np.int64],
    gallery: Gallery,
    represent: Represent,
    rule: DecisionRule,
    queries: Queries,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count, for each photo [n], the queries that are right only with it, and those that are right only without it."""
    helps, harms = np.zeros((2, len(vectors)), dtype=np.int64)
    number_of = {label: number for number, label in enumerate(gallery.labels)}
    truth = np.array([number_of.get(label, UNKNOWN) for label in queries.labels], dtype=np.int64)
    nearest, scores = gallery.index.best_classes(queries.vectors, NEAREST + 1)
    if queries.left_out is not None:
        nearest, scores = without(nearest, scores, np.where(queries.left_out, truth, UNKNOWN))
        truth = np.where(queries.left_out, UNKNOWN, truth)
    nearest, scores = nearest[:, :NEAREST], scores[:, :NEAREST]
    before = _right(nearest, scores, truth, rule)
    offsets = _offsets(gallery)
    for number, rows in _by_class(classes):
        asked, place = np.nonzero(nearest == number)
        if not len(asked):
            continue
        lessened = _scores_without_each(vectors[rows], queries.vectors[asked], represent) - offsets[number]
        for photo, row in enumerate(rows):
            changed = scores[asked].copy()
            changed[np.arange(len(asked)), place] = lessened[photo]
            after = _right(nearest[asked], changed, truth[asked], rule)
            helps[row] = int((before[asked] & ~after).sum())
            harms[row] = int((~before[asked] & after).sum())
    return helps, harms


def _right(
    nearest: NDArray[np.int64], scores: Vectors, truth: NDArray[np.int64], rule: DecisionRule
) -> NDArray[np.bool_]:
    """Return [q] whether the answer among the nearest classes [q, k] is right."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :2]
    rows = np.arange(len(scores))[:, None]
    named = decide(scores[rows, order], rule)
    return np.asarray(np.where(named, nearest[rows, order][:, 0], UNKNOWN) == truth)
