"""Limits of usable photos, fitted: known queries are degraded step by step until the model's answers break.

Pure: photos and a model in, limits out. Preprocessing, search, decision and measures are the device's own, so that a
photo is measured here as it will be there.

Rules kept:
- a limit is set only where answers break, by the share of them that stays right;
- no limit refuses a photo of the sample that is answered right as it came;
- each photo is decoded once, and degraded at the scale of the model's input.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import BATCH, Gallery, Vectors
from edge_runtime.core.decision import DecisionRule, decide
from edge_runtime.core.images import ImageLimits, Pixels, Preprocessing
from edge_runtime.core.photo_limits import PhotoLimits, PhotoMeasures, measure

PHOTOS = 200  # at most: a share of 200 is known to 7 hundredths (95 %, binomial), enough to tell a half
LEAST_PHOTOS = 50  # answered right: below the lowest measure of n photos lies 1 / (n + 1) of all, so 2 of 100 at most
KEPT = 0.5  # share of the right answers; where fewer are left, more are lost than kept
STEP = 2**0.25  # from one degradation to the next: a quarter of a stop of light
DARKEST = 1 / 256  # at which a white has one of 8 bits left
BRIGHTEST = 256.0
LEAST_BLUR = 0.5  # pixels; a Gaussian below it touches no neighbour
BLUR_SHARE = 1 / 8  # of the input's side: a Gaussian of it leaves no shape

LabelledPhoto = tuple[str, Pixels]


class Embedder(Protocol):
    """A model as the device runs it."""

    @property
    def preprocessing(self) -> Preprocessing:
        """The way from a photo to its input."""

    def embed(self, batch: Pixels) -> Vectors:
        """Embed [n, size, size, 3] uint8 as [n, d] of unit length."""


@dataclass(frozen=True)
class Degradation:
    """One way in which photos get worse.

    Attributes:
        degrade: makes a photo worse by an amount.
        amounts: from hardly worse to useless.
        measured: the measure that tells.
    """

    degrade: Callable[[Image.Image, float], Image.Image]
    amounts: Sequence[float]
    measured: Callable[[PhotoMeasures], float | None]


def known_photos(queries: DatasetVersion, enrolled: Collection[str]) -> Iterator[LabelledPhoto]:
    """Give at most `PHOTOS` queries of enrolled classes, spread over all of them, decoded one after the other.

    Raises:
        DataError: a shard is missing, damaged or out of reach.
    """
    labels = queries.column("label")
    known = [row for row, label in enumerate(labels) if label in enrolled]
    for place in np.unique(np.linspace(0, len(known) - 1, min(PHOTOS, len(known))).astype(int)):
        yield labels[known[place]], queries.pixels(known[place])


def fit_photo_limits(
    model: Embedder, gallery: Gallery, rule: DecisionRule, photos: Iterable[LabelledPhoto]
) -> PhotoLimits:
    """Find where the answers of a model break: where fewer than `KEPT` of the right classes, or right names, are left.

    The limit is the median measure of the photos that were degraded so far, or the worst measure of a photo that is
    answered right as it came, whichever refuses less. It is None where nothing breaks, and all are where fewer than
    `LEAST_PHOTOS` answers are right. Light is changed in the numbers that are stored, without the noise of a real dark
    photo, which breaks answers earlier: the limits of light are lenient.

    Args:
        model: the model that ships.
        gallery: the gallery that ships.
        rule: the decision rule that ships; its least probability does not count here.
        photos: queries of enrolled classes with their labels; read once.
    """
    trial = _Trial(model, gallery, replace(rule, least_probability=0.0), photos)
    if trial.kept[0] < LEAST_PHOTOS:
        return PhotoLimits()
    size = model.preprocessing.size
    sides = _amounts(size, ImageLimits().min_side)
    radii = _amounts(LEAST_BLUR, size * BLUR_SHARE)
    side = trial.lower_limit(Degradation(_downscaled, sides, lambda found: found.side))
    white = trial.upper_limit(Degradation(_relit, _amounts(1.0, BRIGHTEST), lambda found: found.white))
    return PhotoLimits(
        least_side=None if side is None else int(side),
        least_brightness=trial.lower_limit(Degradation(_relit, _amounts(1.0, DARKEST), lambda found: found.brightness)),
        most_white=None if white == 1 else white,  # no photo is whiter
        least_sharpness=trial.lower_limit(Degradation(_blurred, radii, lambda found: found.sharpness)),
    )


class _Trial:
    """Photos at the scale of the model's input, and how many of them are answered right."""

    def __init__(self, model: Embedder, gallery: Gallery, rule: DecisionRule, photos: Iterable[LabelledPhoto]) -> None:
        self._model, self._rule = model, rule
        self._index = gallery.index
        number_of = {label: number for number, label in enumerate(gallery.labels)}
        truth, inputs, self._small, self._measures = [], [], [], []
        for label, rgb in photos:
            truth.append(number_of[label])
            inputs.append(model.preprocessing.apply(rgb))
            self._measures.append(self._measure(rgb, inputs[-1]))
            self._small.append(_downscaled(Image.fromarray(rgb), model.preprocessing.size))
        self._truth = np.array(truth, dtype=np.int64)
        self._right, named = self._right_answers(inputs)
        self.kept = int(self._right.sum()), int(named.sum())

    def lower_limit(self, degradation: Degradation) -> float | None:
        """Return the limit below which photos are refused; None where nothing breaks."""
        broken = self._broken_measures(degradation)
        if not broken:
            return None
        answered = [found for found, right in zip(self._measures, self._right, strict=True) if right]
        return min([float(np.median(broken)), *_values(answered, degradation)])

    def upper_limit(self, degradation: Degradation) -> float | None:
        """Return the limit above which photos are refused; None where nothing breaks."""

        def negative(found: PhotoMeasures) -> float | None:
            value = degradation.measured(found)
            return None if value is None else -value

        limit = self.lower_limit(replace(degradation, measured=negative))
        return None if limit is None else -limit

    def _broken_measures(self, degradation: Degradation) -> list[float]:
        """Return the measures of the photos at the least amount at which answers break; none where they never do."""

        def broken(amount: float) -> bool:
            left = self._right_answers([seen for _, seen in self._degraded(degradation, amount)])
            return any(now.sum() < KEPT * before for now, before in zip(left, self.kept, strict=True))

        first = bisect_left(degradation.amounts, True, key=broken)
        degraded = (self._degraded(degradation, amount) for amount in degradation.amounts[first : first + 1])
        return _values([self._measure(*photo) for photos in degraded for photo in photos], degradation)

    def _degraded(self, degradation: Degradation, amount: float) -> Iterator[tuple[Pixels, Pixels]]:
        """Give each degraded photo, and the model's input of it."""
        for photo in self._small:
            rgb = np.asarray(degradation.degrade(photo, amount))
            yield rgb, self._model.preprocessing.apply(rgb)

    def _measure(self, rgb: Pixels, seen: Pixels) -> PhotoMeasures:
        return measure(rgb, seen, self._model.preprocessing)

    def _right_answers(self, inputs: list[Pixels]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return where the nearest class is right, [n], and where the right name is given, [n]."""
        starts = range(0, len(inputs), BATCH)
        vectors = [self._model.embed(np.stack(inputs[start : start + BATCH])) for start in starts]
        classes, scores = self._index.best_classes(np.concatenate([self._index.vectors[:0], *vectors]), 2)
        right = classes[:, 0] == self._truth
        return right, right & decide(scores, self._rule)


def _values(measures: Sequence[PhotoMeasures], degradation: Degradation) -> list[float]:
    values = [degradation.measured(found) for found in measures]
    return [value for value in values if value is not None]


def _amounts(first: float, last: float) -> list[float]:
    """Return amounts from `first` to `last`, each `STEP` times or part of the one before."""
    count = 1 + round(abs(np.log(last / first)) / np.log(STEP))
    return [float(amount) for amount in np.geomspace(first, last, count)]


def _downscaled(photo: Image.Image, side: float) -> Image.Image:
    """Return a photo whose shorter side has at most `side` pixels."""
    scale = side / min(photo.size)
    if scale >= 1:
        return photo
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    return photo.resize(size, Image.Resampling.BICUBIC)


def _relit(photo: Image.Image, factor: float) -> Image.Image:
    """Return a photo in `factor` times as much light, as 8 bits hold it."""
    levels = np.clip(np.round(np.arange(256) * factor), 0, 255).astype(int).tolist()
    return photo.point(levels * len(photo.getbands()))


def _blurred(photo: Image.Image, radius: float) -> Image.Image:
    return photo.filter(ImageFilter.GaussianBlur(radius))
