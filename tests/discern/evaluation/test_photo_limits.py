from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import Gallery, Vectors
from discern.evaluation.photo_limits import LEAST_PHOTOS, PHOTOS, STEP, LabelledPhoto, fit_photo_limits, known_photos
from edge_runtime.core.decision import DecisionRule
from edge_runtime.core.images import Pixels, Preprocessing
from edge_runtime.core.photo_limits import PhotoLimits, PhotoMeasures, faults, measure

CLASSES, SIDE = 11, 64
RULE = DecisionRule(threshold=0.8, margin=0.0, fpir=0.1)


class Texture:
    """A model that compares textures by their contrast.

    Args:
        light: what stands beside the contrast, so that in little light all look alike; 0 where no light matters.
    """

    def __init__(self, light: float = 0.5) -> None:
        self.preprocessing = Preprocessing(32)
        self._light = light

    def embed(self, batch: Pixels) -> Vectors:
        grey = batch.astype(np.float32).mean(axis=3).reshape(len(batch), -1)
        contrast = grey - grey.mean(axis=1, keepdims=True)
        beside = np.full((len(batch), 1), 255 * self._light + 1e-6)  # so that one grey has a length too
        vectors = np.concatenate([contrast, beside], axis=1)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def texture(number: int, seed: int, side: int = SIDE) -> Pixels:
    """A photo of class `number`: its own pattern of fine cells, under noise."""
    cells = np.random.default_rng(number).integers(40, 180, (16, 16, 1)).repeat(3, axis=2).astype(np.uint8)
    pattern = np.asarray(Image.fromarray(cells).resize((side, side), Image.Resampling.NEAREST), np.float64)
    noisy: Pixels = np.clip(pattern + np.random.default_rng(seed).normal(0, 10, pattern.shape), 0, 255).astype(np.uint8)
    return noisy


PHOTOGRAPHED: list[LabelledPhoto] = [
    (f"{number:02}", texture(number, seed)) for number in range(CLASSES) for seed in range(100, 105)
]


def gallery_of(model: Texture) -> Gallery:
    inputs = [model.preprocessing.apply(texture(number, seed=0)) for number in range(CLASSES)]
    labels = tuple(f"{number:02}" for number in range(CLASSES))
    return Gallery(model.embed(np.stack(inputs)), np.arange(CLASSES), labels)


def fit(model: Texture, rule: DecisionRule = RULE, photos: list[LabelledPhoto] = PHOTOGRAPHED) -> PhotoLimits:
    return fit_photo_limits(model, gallery_of(model), rule, photos)


def measured(model: Texture, rgb: Pixels) -> PhotoMeasures:
    return measure(rgb, model.preprocessing.apply(rgb), model.preprocessing)


def named(model: Texture, photos: list[Pixels]) -> NDArray[np.bool_]:
    """Where the right class reaches the threshold."""
    inputs = np.stack([model.preprocessing.apply(rgb) for rgb in photos])
    scores = model.embed(inputs) @ gallery_of(model).vectors.T
    truth = [int(label) for label, _ in PHOTOGRAPHED]
    return (scores.argmax(axis=1) == truth) & (scores.max(axis=1) >= RULE.threshold)


def smaller(image: Image.Image, amount: float) -> Image.Image:
    side = round(32 / amount)
    return image.resize((side, side), Image.Resampling.BICUBIC)


def in_light(image: Image.Image, amount: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(amount)


def blurred(image: Image.Image, amount: float) -> Image.Image:
    """By pixels of the model's input, which is half as large."""
    return image.filter(ImageFilter.GaussianBlur(2 * float(amount)))


WAYS: dict[str, tuple[Callable[[Image.Image, float], Image.Image], NDArray[np.float64]]] = {
    "side": (smaller, np.geomspace(1, 4, 9)),
    "brightness": (lambda image, amount: in_light(image, 1 / amount), np.geomspace(1, 32, 16)),
    "white": (in_light, np.geomspace(1, 32, 16)),
    "sharpness": (blurred, np.geomspace(0.5, 4, 12)),
}


@pytest.fixture(scope="module")
def limits() -> PhotoLimits:
    return fit(Texture())


@pytest.mark.parametrize("way", WAYS)
def test_a_limit_lies_where_answers_break(limits: PhotoLimits, way: str) -> None:
    """The same place is looked for in the whole photos, in other steps and with other tools."""
    model = Texture()
    limit = vars(limits)[f"{'most' if way == 'white' else 'least'}_{way}"]
    assert limit is not None
    degrade, amounts = WAYS[way]
    broken, refused = [], []
    for amount in amounts:
        photos = [np.asarray(degrade(Image.fromarray(rgb), amount)) for _, rgb in PHOTOGRAPHED]
        value = np.median([vars(measured(model, rgb))[way] for rgb in photos])
        broken.append(named(model, photos).mean() < 0.5)
        refused.append(value > limit if way == "white" else value < limit)
    breaks, refuses = amounts[broken.index(True)], amounts[refused.index(True)]
    assert breaks <= refuses * 1.1
    assert refuses <= breaks * STEP * 1.2


def test_photos_as_they_came_are_within_the_limits(limits: PhotoLimits) -> None:
    for _, rgb in PHOTOGRAPHED:
        assert faults(measured(Texture(), rgb), limits) == []


def test_where_nothing_breaks_there_is_no_limit() -> None:
    """Without a threshold only the order of the classes counts, which no light changes for this model."""
    assert fit(Texture(light=0.0), replace(RULE, threshold=-1.0)) == PhotoLimits()


def test_a_photo_that_is_answered_right_is_never_refused() -> None:
    """One that was taken far darker than the others, and is still known."""
    model = Texture()
    dark: Pixels = (texture(3, seed=200) * 0.15).astype(np.uint8)
    strict = replace(RULE, threshold=0.95)  # answers break in less darkness than that
    limits = fit(model, strict)
    assert [fault.mend for fault in faults(measured(model, dark), limits)] == ["add light"]
    with_dark = fit(model, strict, [*PHOTOGRAPHED, ("03", dark)])
    assert faults(measured(model, dark), with_dark) == []


def test_too_few_photos_set_no_limits() -> None:
    assert fit(Texture(), photos=PHOTOGRAPHED[: LEAST_PHOTOS - 1]) == PhotoLimits()
    assert fit(Texture(), photos=[]) == PhotoLimits()


def test_a_sample_is_spread_over_the_queries_of_enrolled_classes(toy_version: DatasetVersion) -> None:
    queries = toy_version.select(split="test")
    labels = sorted(set(queries.labels))
    photos = list(known_photos(queries, labels[:2]))
    assert {label for label, _ in photos} == set(labels[:2])
    assert len(photos) == min(PHOTOS, sum(label in labels[:2] for label in queries.column("label")))
    assert photos[0][1].ndim == 3
    assert list(known_photos(queries, [])) == []
