"""`python -m benchmarks.second_camera`: enrolled by one camera, asked by another.

The sample pills of held-out classes are enrolled as rendered, and asked as rendered (`same`) and as each of
`benchmarks.cameras` would have taken the same photos. The student is trained by the recipe of `configs/pills`, and
again on photos of random cameras (`augmented`). With either, two statistics are tried that a device could keep without
labels: one half of the queries are its unlabelled photos, by which the embeddings of the other half are moved to the
gallery's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmarks.cameras import CAMERAS, photograph
from benchmarks.intervals import share_figures
from benchmarks.learning import Embed, LearningParser, Recipe, keep, learn, read_recipe, read_version
from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import PhotoSet, load_photos
from discern.evaluation.gallery import GalleryConfig, Vectors, enrol
from discern.evaluation.retrieval import search
from discern.evaluation.significance import paired_gap
from discern.learning.config import TrainingConfig
from edge_runtime.core.images import Pixels, Preprocessing

CAMERA = 1.0  # strength of the augmentation
PROTOTYPE = GalleryConfig(represent="prototype")

Adapt = Callable[[Vectors, Vectors, Vectors], Vectors]  # queries, unlabelled photos, gallery photos -> queries
Right = NDArray[np.bool_]


@dataclass(frozen=True)
class HeldOut:
    """Photos of enrolled classes that no model trained on.

    Attributes:
        gallery: enrolled, by the first camera.
        labels: q labels of the queries.
        queries: camera -> [q, size, size, 3], the same photos by each.
    """

    gallery: PhotoSet
    labels: Sequence[str]
    queries: dict[str, Pixels]


def main() -> None:
    """Train by both recipes, and ask every camera's queries of either student."""
    run = LearningParser("second_camera", __doc__, use_cases=("pills",)).start()
    recipe = read_recipe("pills").with_trainings(steps=run.options.steps)
    work = run.options.work / "second_camera"
    version = read_version(recipe, work)
    heldout = read_heldout(version, recipe.image.preprocessing)
    figures: dict[str, float | int | None] = {
        "classes": len(set(heldout.gallery.labels)),
        "queries": len(heldout.labels),
    }
    right: dict[str, Right] = {}
    for suffix, trained in (("", recipe), ("_augmented", with_camera(recipe, CAMERA))):
        student = learn(trained, version, work / f"models{suffix}").student
        right |= {f"{name}{suffix}": hits for name, hits in ask(student, heldout).items()}
    figures |= compare(right, heldout.labels)
    keep(run, figures, recipe)


def with_camera(recipe: Recipe, strength: float) -> Recipe:
    """Return the recipe with both trainings on photos of random cameras; each keeps its other changes."""

    def on_cameras(config: TrainingConfig) -> TrainingConfig:
        augment = config.augment.model_copy(update={"camera": strength})
        return config.model_copy(update={"augment": augment})

    return recipe.changed(on_cameras)


def read_heldout(version: DatasetVersion, preprocessing: Preprocessing) -> HeldOut:
    """Decode the photos of the enrolled classes of validation and test, the queries as every camera takes them."""
    rows = version.take([row for row, split in enumerate(version.column("split")) if split != "train"])
    gallery = load_photos(rows.select(role="gallery"), preprocessing)
    asked = rows.select(role="query", labels=set(gallery.labels))
    photos = [asked.pixels(row) for row in range(len(asked))]
    queries = {"same": np.stack([preprocessing.apply(photo) for photo in photos])}
    for name, camera in CAMERAS.items():
        taken = (photograph(photo, camera, number) for number, photo in enumerate(photos))
        queries[name] = np.stack([preprocessing.apply(photo) for photo in taken])
    return HeldOut(gallery, asked.column("label"), queries)


def ask(embed: Embed, heldout: HeldOut) -> dict[str, Right]:
    """Tell which queries' nearest class is right, [q], by camera, and by `CAMERA_ADAPTATION`."""
    enrolled = embed(heldout.gallery.pixels)
    gallery = enrol(enrolled, list(heldout.gallery.labels), PROTOTYPE)
    right = {}
    for camera, pixels in heldout.queries.items():
        vectors = embed(pixels)
        adapted = {name: by_other_half(adapt, vectors, enrolled) for name, adapt in ADAPTATIONS.items()}
        for suffix, asked in ({"": vectors} | adapted).items():
            right[camera + suffix] = search(gallery, asked, heldout.labels, frozenset()).retrieved
    return right


def compare(right: dict[str, Right], labels: Sequence[str]) -> dict[str, float]:
    """Compute recall@1 of all, gaps between cameras, and gains by augmentation and adaptation.

    Gaps and gains are in points of 100. All have the 95 % intervals of a bootstrap over classes.

    Args:
        right: `CAMERA_ADAPTATION_augmented` -> [q] whether a query's nearest class is right.
        labels: the true class of each query.
    """
    figures: dict[str, float] = {}
    for name, hits in right.items():
        figures |= share_figures(f"recall_at_1_{name}", hits, labels)
    for camera, suffix in product(CAMERAS, ("", "_augmented")):
        figures |= _points(f"gap_{camera}{suffix}", right[camera + suffix], right[f"same{suffix}"], labels)
    for camera, suffix in product(("same", *CAMERAS), ("_mean_shift", "_coral", "_augmented")):
        figures |= _points(f"gain_{camera}{suffix}", right[camera], right[camera + suffix], labels)
    return figures


def by_other_half(adapt: Adapt, queries: Vectors, gallery: Vectors) -> Vectors:
    """Adapt every second query by the others, and those by it: no query is among its own unlabelled photos."""
    adapted = np.empty_like(queries)
    for half in (0, 1):
        adapted[half::2] = adapt(queries[half::2], queries[1 - half :: 2], gallery)
    return adapted


def mean_shift(queries: Vectors, unlabelled: Vectors, gallery: Vectors) -> Vectors:
    """Move the queries by the difference between the means of gallery photos and unlabelled photos."""
    return _unit(queries + gallery.mean(0) - unlabelled.mean(0))


def coral(queries: Vectors, unlabelled: Vectors, gallery: Vectors) -> Vectors:
    """Give the queries mean and covariance of the gallery photos (CORAL: Sun et al., AAAI 2016).

    The covariances are shrunk (Ledoit and Wolf, 2004), since there are few photos for so many dimensions.
    """
    whiten, colour = _power_of_covariance(unlabelled, -0.5), _power_of_covariance(gallery, 0.5)
    return _unit((queries - unlabelled.mean(0)) @ whiten @ colour + gallery.mean(0))


ADAPTATIONS: dict[str, Adapt] = {"_mean_shift": mean_shift, "_coral": coral}


def _points(name: str, before: Right, after: Right, labels: Sequence[str]) -> dict[str, float]:
    gap = paired_gap(before, after, labels)
    return {f"{name}_points": 100 * gap.difference, f"{name}_low": 100 * gap.low, f"{name}_high": 100 * gap.high}


def _power_of_covariance(vectors: Vectors, exponent: float) -> Vectors:
    from sklearn.covariance import ledoit_wolf

    values, axes = np.linalg.eigh(ledoit_wolf(vectors)[0])
    return ((axes * values**exponent) @ axes.T).astype(np.float32)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / lengths).astype(np.float32)


if __name__ == "__main__":
    main()
