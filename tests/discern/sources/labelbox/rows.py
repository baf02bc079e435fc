"""Rows of the fake Labelbox, and how it exports them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Row:
    """A data row, as one project sees it."""

    id: str
    image: str  # path of the image on this server
    global_key: str | None
    external_id: str | None = None
    status: str | None = None
    labels: list[dict[str, Any]] = field(default_factory=list)
    winner: str | None = None
    mime_type: str = "image/jpeg"
    updated_at: str = "2026-01-02T03:04:05.000+00:00"
    size: tuple[int, int] = (24, 24)  # width and height
    exif_rotation: str = "1"


@dataclass
class Project:
    """A project, the rows in it by id, and its batches: name -> ids of rows."""

    id: str
    rows: dict[str, Row] = field(default_factory=dict)
    batches: dict[str, list[str]] = field(default_factory=dict)


def export_row(row: Row, project: str, url: str) -> dict[str, Any]:
    """One line of an export."""
    ids = {"global_key": row.global_key, "external_id": row.external_id}
    details = {"dataset_id": "d1", "updated_at": row.updated_at, "created_by": "somebody@example.org"}
    return {
        "data_row": {"id": row.id, "row_data": url, "details": details} | {k: v for k, v in ids.items() if v},
        "media_attributes": {
            "height": row.size[1],
            "width": row.size[0],
            "mime_type": row.mime_type,
            "exif_rotation": row.exif_rotation,
        },
        "attachments": [],
        "projects": {
            project: {
                "name": f"name of {project}",
                "labels": row.labels,
                "project_details": {"workflow_status": row.status, "selected_label_id": row.winner, "priority": 5},
            }
        },
    }
