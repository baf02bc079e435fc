"""Where photos come from: one small config a kind of source, and one way to open it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from discern.data.photos import Source
from discern.data.pills import PillsConfig, PillSource
from discern.data.sources.coco import CocoConfig, CocoSource
from discern.data.sources.folder import FolderConfig, FolderSource
from discern.data.sources.grocery import GroceryConfig, GrocerySource
from discern.data.sources.labelbox import LabelboxConfig, LabelboxExportConfig, LabelboxExportSource, LabelboxSource
from discern.data.sources.omniglot import OmniglotConfig, OmniglotSource
from discern.data.sources.table import TableConfig, TableSource
from discern.data.sources.voc import VocConfig, VocSource
from discern.data.sources.yolo import YoloConfig, YoloSource

SourceConfig = Annotated[
    PillsConfig
    | FolderConfig
    | TableConfig
    | VocConfig
    | CocoConfig
    | YoloConfig
    | LabelboxConfig
    | LabelboxExportConfig
    | GroceryConfig
    | OmniglotConfig,
    Field(discriminator="kind"),
]


def open_source(config: SourceConfig) -> Source:
    """Open the source that a config describes.

    Raises:
        DataError: it is missing, or does not hold what its kind asks for.
    """
    match config:
        case PillsConfig():
            return PillSource(config)
        case FolderConfig():
            return FolderSource(config)
        case TableConfig():
            return TableSource(config)
        case VocConfig():
            return VocSource(config)
        case CocoConfig():
            return CocoSource(config)
        case YoloConfig():
            return YoloSource(config)
        case LabelboxConfig():
            return LabelboxSource(config)
        case LabelboxExportConfig():
            return LabelboxExportSource(config)
        case GroceryConfig():
            return GrocerySource(config)
        case OmniglotConfig():
            return OmniglotSource(config)
