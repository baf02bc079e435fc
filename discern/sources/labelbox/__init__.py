"""Labelbox as a source of photos: export files, and live projects."""

from discern.sources.labelbox.config import LabelboxConfig, LabelboxExportConfig
from discern.sources.labelbox.files import LabelboxExportSource
from discern.sources.labelbox.live import LabelboxSource

__all__ = ["LabelboxConfig", "LabelboxExportConfig", "LabelboxExportSource", "LabelboxSource"]
