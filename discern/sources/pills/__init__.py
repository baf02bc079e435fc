"""Sample pills: photos of pills that never existed, drawn with Pillow and numpy, to learn and to test with."""

from discern.sources.pills.config import PillsConfig
from discern.sources.pills.photo import render_photo
from discern.sources.pills.source import PillSource

__all__ = ["PillSource", "PillsConfig", "render_photo"]
