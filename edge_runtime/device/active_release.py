"""The release that a running service answers with, and how it follows `current`.

Rules kept:
- a release answers only after its hashes and its golden images were checked on this machine;
- a newly pulled release is loaded beside the one that answers, and takes over in one assignment;
- one that cannot be loaded changes nothing: the one before goes on answering.
"""

from __future__ import annotations

import logging

from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import ImageLimits
from edge_runtime.core.release import Release, open_release
from edge_runtime.core.selftest import check_golden
from edge_runtime.device.home import Home
from edge_runtime.errors import EdgeError

logger = logging.getLogger(__name__)

NOTHING_LOADED = "no release is loaded yet: run `discern-edge pull`."


class ActiveRelease:
    """The loaded release: of a home folder, whose `current` it follows, or one that stays.

    Args:
        source: a device's own folder, or a release.
        limits: what is accepted as a photo.
    """

    def __init__(self, source: Home | Release, limits: ImageLimits | None = None) -> None:
        self._source = source
        self._limits = limits
        self._followed: int | None = None
        self.identifier: Identifier | None = None
        self.problem = NOTHING_LOADED

    def follow(self) -> bool:
        """Load what `current` names if it changed since the last call; returns whether another release answers now."""
        written = self._written()
        if written == self._followed:
            return False
        self._followed = written
        try:
            release = self._open()
            if self.identifier is not None and self.identifier.release.id == release.id:
                return False
            identifier = Identifier(release, limits=self._limits)
            check_golden(identifier)
        except EdgeError as error:
            self.problem = str(error)
            logger.error("%s", error)
            return False
        self.identifier, self.problem = identifier, ""
        logger.info("release %s (%s) answers", release.id, release.manifest.name)
        return True

    def _open(self) -> Release:
        if isinstance(self._source, Home):
            return self._source.open_current()
        return open_release(self._source.folder, self._source.id)

    def _written(self) -> int:
        """Return when `current` was written, in nanoseconds: every pull that installs or repairs writes it anew."""
        if not isinstance(self._source, Home):
            return 0
        try:
            return (self._source.path / "current").stat().st_mtime_ns
        except OSError:
            return -1
