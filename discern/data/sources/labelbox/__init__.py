"""Labelbox as a source of photos: export files, and live projects."""

from discern.data.sources.labelbox.config import LabelboxConfig, LabelboxExportConfig
from discern.data.sources.labelbox.files import LabelboxExportSource
from discern.data.sources.labelbox.live import LabelboxSource

__all__ = ["LabelboxConfig", "LabelboxExportConfig", "LabelboxExportSource", "LabelboxSource"]
