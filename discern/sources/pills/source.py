"""Sample pills as a source of photos."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from discern.sources.base import Photo, Source
from discern.sources.pills.config import PillsConfig
from discern.sources.pills.workers import class_photos, render_in_workers

REVISION = 1  # of the renderer: raise it whenever a photo would change
FEW = 300  # photos; below that, starting processes takes longer than rendering


class PillSource(Source):
    """Photos of sample pills, class after class.

    Args:
        config: which pills.
        workers: how many processes render; as many as there are processors if None.
    """

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
        """Render and yield the photos, class after class; the number of workers changes nothing but the time.

        Raises:
            DataError: a rendering process ended early.
        """
        workers = min(self.workers, self.config.classes)
        if len(self) < FEW or workers == 1:
            return class_photos(self.config, range(self.config.classes))
        return render_in_workers(self.config, workers)
