"""The shape of one row of Labelbox's export (NDJSON, v2), as far as it is read; the rest is passed over."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]


class RadioAnswer(BaseModel):
    """The answer to a radio question, with the questions that it opens."""

    name: str
    classifications: list[Classification] = []


class Classification(BaseModel):
    """A question about a picture or a thing; only radio questions have a `radio_answer`."""

    name: str
    value: str | None = None
    radio_answer: RadioAnswer | None = None
    checklist_answers: Any = None
    text_answer: Any = None


class BoundingBox(BaseModel):
    """A box, pixels."""

    top: Finite
    left: Finite
    height: Finite
    width: Finite


class Point(BaseModel):
    """A point, pixels."""

    x: Finite
    y: Finite


class Object(BaseModel):
    """One object in a picture; each tool has a field of its own, and a mask lies at an address."""

    name: str
    annotation_kind: str = "object"
    bounding_box: BoundingBox | None = None
    polygon: list[Point] | None = None
    line: list[Point] | None = None
    classifications: list[Classification] = []


class Annotations(BaseModel):
    """The boxes and answers of one labeller."""

    objects: list[Object] = []
    classifications: list[Classification] = []


class Performance(BaseModel):
    """The course of labelling; a skipped picture has a label without content."""

    skipped: bool | None = None


class LabelDetails(BaseModel):
    """Who made a label, and when."""

    created_by: str | None = None
    created_at: str | None = None


class Label(BaseModel):
    """One labelling of a picture."""

    id: str = ""
    label_kind: str | None = None
    annotations: Annotations = Annotations()
    label_details: LabelDetails | None = None
    performance_details: Performance | None = None


class ProjectDetails(BaseModel):
    """The state of a picture in the project's workflow, and the label that the workflow chose."""

    workflow_status: str | None = None
    selected_label_id: str | None = None


class Project(BaseModel):
    """A picture's labels in one project."""

    name: str = ""
    labels: list[Label] = []
    project_details: ProjectDetails | None = None


class Details(BaseModel):
    """Dates of a data row."""

    updated_at: str | None = None


class DataRow(BaseModel):
    """The picture itself."""

    id: str
    global_key: str | None = None
    external_id: str | None = None
    row_data: Any = None  # an address; of other kinds of rows an object
    details: Details | None = None


class Media(BaseModel):
    """The kind of a file, and of a picture its size and EXIF's orientation as Labelbox read them."""

    mime_type: str | None = None
    width: Any = None
    height: Any = None
    exif_rotation: Any = None


class Row(BaseModel):
    """One line of an export."""

    data_row: DataRow
    media_attributes: Media | None = None
    projects: dict[str, Project] = {}
