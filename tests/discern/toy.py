"""A dataset that a tiny net learns in seconds: discs of one colour on squares of another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from discern.datasets.photo_set import PhotoSet
from discern.learning.config import AugmentConfig, ModelConfig, NamedPart, TrainingConfig
from discern.sources.base import Photo, Role, Split
from edge_runtime.core.images import Pixels, Preprocessing, encode_png

SIDE = 40  # pixels, of a photo
PREPROCESSING = Preprocessing(32)
BACKBONE = "mobilenetv3_small_050"
TRAINED = tuple(f"train-{number}" for number in range(16))
VALIDATION = tuple(f"validation-{number}" for number in range(4))
VALIDATION_UNKNOWNS = tuple(f"validation-unknown-{number}" for number in range(3))
HOSTILE = "<script>alert('x')</script>"  # a label that a page must not run
TEST = (HOSTILE, "test-0", "test-1", "test-2")
TEST_UNKNOWNS = ("test-unknown-0", "test-unknown-1")
LABELS = (*TRAINED, *VALIDATION, *VALIDATION_UNKNOWNS, *TEST, *TEST_UNKNOWNS)
PLAIN = AugmentConfig(
    rotation=0,
    scale=0,
    shift=0,
    perspective=0,
    brightness=0,
    contrast=0,
    saturation=0,
    colour_cast=0,
    blur=0,
    noise=0,
    erase=0,
)


def disc(label: str, seed: int) -> Pixels:
    """A noisy photo of `label`, [SIDE, SIDE, 3] uint8; equal for equal arguments."""
    rng = np.random.default_rng((LABELS.index(label), seed))
    paper, ink = _colours(LABELS.index(label))
    y, x = np.mgrid[:SIDE, :SIDE]
    centre = SIDE / 2 + rng.uniform(-3, 3, 2)
    inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < (SIDE / 4) ** 2
    picture = np.where(inside[..., None], ink, paper) * rng.uniform(0.92, 1.08)
    pixels: Pixels = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
    return pixels


def photos() -> Iterator[Photo]:
    """Training classes, and in validation and test each some that are enrolled and some that nobody enrolled."""
    yield from _of(TRAINED, "train", gallery=6, queries=0)
    yield from _of(VALIDATION, "validation", gallery=2, queries=4)
    yield from _of(VALIDATION_UNKNOWNS, "validation", gallery=0, queries=4)
    yield from _of(TEST, "test", gallery=2, queries=4)
    yield from _of(TEST_UNKNOWNS, "test", gallery=0, queries=4)


def photo_set(classes: int = 4, each: int = 6) -> PhotoSet:
    """Photos of the first classes as a model sees them."""
    chosen = [label for label in TRAINED[:classes] for _ in range(each)]
    pixels = [PREPROCESSING.apply(disc(label, number % each)) for number, label in enumerate(chosen)]
    return PhotoSet(np.stack(pixels), tuple(chosen))


def config(**changes: object) -> TrainingConfig:
    """A training of a second or so."""
    settings: dict[str, object] = {
        "model": ModelConfig(backbone=BACKBONE, embedding_dim=16),
        "loss": NamedPart(name="SupConLoss", parameters={"temperature": 0.1}),
        "classes_per_batch": 4,
        "photos_per_class": 4,
        "steps": 12,
        "learning_rate": 3e-3,
        "ema_decay": 0.8,
        "augment": PLAIN,
        "mixed_precision": "no",
    }
    return TrainingConfig.model_validate(settings | changes)


def _of(labels: tuple[str, ...], split: Split, gallery: int, queries: int) -> Iterator[Photo]:
    for label in labels:
        for seed in range(gallery + queries):
            role: Role = "gallery" if seed < gallery else "query"
            name = f"{LABELS.index(label)}/{seed}.png"
            yield Photo(name, label, encode_png(disc(label, seed)), split=split, role=role)


def _colours(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Paper and ink of class `number`, far apart for classes near each other."""
    rng = np.random.default_rng((7, number))
    return rng.uniform(20, 235, 3), rng.uniform(20, 235, 3)
