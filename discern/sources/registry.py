"""Where photos come from: one small config a kind of source, and one way to open it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, Field

from discern.sources.base import Source
from discern.sources.coco.source import CocoConfig, CocoSource
from discern.sources.folder import FolderConfig, FolderSource
from discern.sources.grocery import GroceryConfig, GrocerySource
from discern.sources.labelbox import LabelboxConfig, LabelboxExportConfig, LabelboxExportSource, LabelboxSource
from discern.sources.omniglot import OmniglotConfig, OmniglotSource
from discern.sources.pills import PillsConfig, PillSource
from discern.sources.table.source import TableConfig, TableSource
from discern.sources.voc import VocConfig, VocSource
from discern.sources.yolo.source import YoloConfig, YoloSource

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


_SOURCES: dict[type[BaseModel], Callable[[Any], Source]] = {
    PillsConfig: PillSource,
    FolderConfig: FolderSource,
    TableConfig: TableSource,
    VocConfig: VocSource,
    CocoConfig: CocoSource,
    YoloConfig: YoloSource,
    LabelboxConfig: LabelboxSource,
    LabelboxExportConfig: LabelboxExportSource,
    GroceryConfig: GrocerySource,
    OmniglotConfig: OmniglotSource,
}


def open_source(config: SourceConfig) -> Source:
    """Open the source that a config describes.

    Raises:
        DataError: it is missing, or does not hold what its kind asks for.
    """
    return _SOURCES[type(config)](config)
