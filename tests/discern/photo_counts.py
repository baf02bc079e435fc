"""Counts how often each photo of a dataset version is decoded, and how often each model embeds it."""

from __future__ import annotations

from collections import Counter

import pytest

from discern.datasets.manifest import DatasetVersion
from discern.evaluation import queries
from discern.evaluation.gallery import Vectors, embed_batches
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Pixels


class PhotoCounts:
    """What passes `DatasetVersion.pixels` and the embedding of a split from here on.

    Attributes:
        decoded: how often each photo is decoded, by its SHA-256.
        embedded: how often each model embeds each photo, by the model's number and the photo's pixels.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.decoded: Counter[str] = Counter()
        self.embedded: Counter[tuple[int, bytes]] = Counter()
        self._models: list[OnnxEmbedder] = []  # held, so that no two get one number
        pixels = DatasetVersion.pixels

        def counted_pixels(version: DatasetVersion, row: int) -> Pixels:
            self.decoded[version.table["sha256"][row].as_py()] += 1
            return pixels(version, row)

        def counted_embed(model: OnnxEmbedder, photos: Pixels) -> Vectors:
            if model not in self._models:
                self._models.append(model)
            self.embedded.update((self._models.index(model), photo.tobytes()) for photo in photos)
            return embed_batches(model, photos)

        monkeypatch.setattr(DatasetVersion, "pixels", counted_pixels)
        monkeypatch.setattr(queries, "embed_batches", counted_embed)

    def photos_of_each_model(self) -> list[int]:
        """Return how many photos each model embeds, in the order of their first use."""
        counts = Counter(number for number, _ in self.embedded)
        return [counts[number] for number in range(len(self._models))]

    def most_decodes(self, rows: DatasetVersion) -> int:
        """Return how often the photo of `rows` is decoded that is decoded most."""
        return max((self.decoded[sha256] for sha256 in rows.column("sha256")), default=0)
