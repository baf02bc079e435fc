"""Sample pills: photos of pills that never existed, drawn with Pillow and numpy, to learn and to test with."""

from discern.data.pills.config import PillsConfig
from discern.data.pills.photo import render_photo
from discern.data.pills.source import PillSource

__all__ = ["PillSource", "PillsConfig", "render_photo"]
