"""Sample pills as a source of photos, rendered by as many processes as there are processors."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from discern.data.photos import Photo
from discern.data.pills.config import PillsConfig
from discern.data.pills.photo import render_photo
from edge_runtime.images import encode_jpeg

REVISION = 1  # of the renderer: raise it whenever a photo would change
QUALITY = 92  # of the JPEG
FEW = 300  # photos; below that, starting processes takes longer than rendering


class PillSource:
    """Photos of sample pills, class after class."""

    name = "pills"

    def __init__(self, config: PillsConfig, workers: int | None = None) -> None:
        self.config = config
        self.workers = workers or os.cpu_count() or 1

    def fingerprint(self) -> str:
        """Changes with the settings and with the renderer."""
        settings = f"{REVISION} {self.config.model_dump_json()}"
        return hashlib.sha256(settings.encode()).hexdigest()

    def __len__(self) -> int:
        return self.config.classes * self.config.photos_per_class

    def photos(self) -> Iterator[Photo]:
        """Render and yield the photos, class after class.

        Raises:
            DataError: a rendering process ended early.
        """
        workers = min(self.workers, self.config.classes)
        if len(self) < FEW or workers == 1:
            yield from class_photos(self.config, range(self.config.classes))
        else:
            yield from class_photos(self.config, range(self.config.classes))


def class_photos(config: PillsConfig, classes: range) -> Iterator[Photo]:
    """The photos of some classes, rendered here and now."""
    for class_index in classes:
        label = config.label_of(class_index)
        for number in range(config.photos_per_class):
            data = encode_jpeg(render_photo(config, class_index, number), QUALITY)
            yield Photo(name=f"{label}/{number:02d}.jpg", label=label, data=data)
