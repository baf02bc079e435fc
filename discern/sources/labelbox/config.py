"""The settings of the two Labelbox sources."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from discern.sources.base import ServiceKey

Status = Literal["TO_LABEL", "IN_REWORK", "IN_REVIEW", "DONE"]


class LabelboxReading(BaseModel):
    """The choice of the answers of a Labelbox project that are labels.

    Whole pictures are labelled by the answer to one radio question (`question`), things in pictures by their bounding
    boxes (`objects`): by the box's own name, or by the answer to a radio question that is asked of each box
    (`object_question`).

    Args:
        question: the radio question, by its name or value; where the ontology has only one, it need not be named.
        objects: labels are those of the bounding boxes.
        object_question: the radio question asked of each box, by its name or value.
        statuses: of the workflow, whose labels count; the default is rows that passed review. Empty: all of them.
        unreviewed: `report` yields a picture whose labels do not count, or that has none, as unlabelled; `ignore`
            leaves it out.
        margin: what is shown around a box, as a share of its width and height.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str | None = Field(default=None, min_length=1)
    objects: bool = False
    object_question: str | None = Field(default=None, min_length=1)
    statuses: tuple[Status, ...] = ("DONE",)
    unreviewed: Literal["report", "ignore"] = "report"
    margin: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _make_sense(self) -> LabelboxReading:
        if self.objects and self.question:
            raise ValueError("question labels whole pictures and objects labels boxes: set one of them")
        if self.object_question and not self.objects:
            raise ValueError("object_question is asked of boxes: set objects to true")
        return self


class LabelboxExportConfig(LabelboxReading):
    """Export files of Labelbox (NDJSON, export v2) in a folder, a .zip or a bucket, perhaps with their images.

    Args:
        path: the folder, archive or bucket prefix.
        export: the export's path in it; by default every .ndjson file there is read.
        images: the folder beside the export with images named by global key or external id, with or without an
            extension; what is not there is fetched from the address that the export gives.
        project: id or name of the project whose labels count; only needed where the export holds several.
        encoding: of the names in an archive that does not state it, such as gb18030 or cp932.
    """

    kind: Literal["labelbox_export"] = "labelbox_export"
    path: str = Field(min_length=1)
    export: str | None = Field(default=None, min_length=1)
    images: str = "images"
    project: str | None = Field(default=None, min_length=1)
    encoding: str | None = Field(default=None, min_length=1)


class LabelboxConfig(LabelboxReading):
    """A project at Labelbox, exported when the source is opened. The key is in LABELBOX_API_KEY, never in a config.

    Args:
        project: its id, as its address in the browser shows it.
        timeout: how long Labelbox may take to make the export, seconds.
    """

    service_key: ClassVar[ServiceKey] = ServiceKey("labelbox", variable="LABELBOX_API_KEY")

    kind: Literal["labelbox"] = "labelbox"
    project: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    timeout: float = Field(default=3600.0, gt=0)
