"""What labellers say, in the export's format."""

from __future__ import annotations

import itertools
from typing import Any

Json = dict[str, Any]
_IDS = itertools.count()


def radio(question: str, answer: str, *nested: Json) -> Json:
    """A radio question and its answer, with the questions that the answer opens."""
    value = question.lower().replace(" ", "_")
    told = {"name": answer, "value": answer.lower().replace(" ", "_"), "classifications": list(nested)}
    return {"feature_id": "f", "name": question, "value": value, "radio_answer": told}


def box(name: str, left: float, top: float, width: float, height: float, *questions: Json) -> Json:
    """A bounding box."""
    place = {"top": top, "left": left, "height": height, "width": width}
    return {
        "feature_id": "f",
        "name": name,
        "value": name.lower(),
        "annotation_kind": "ImageBoundingBox",
        "classifications": list(questions),
        "bounding_box": place,
    }


def polygon(name: str, *points: tuple[float, float]) -> Json:
    """A polygon, a triangle unless its points are given."""
    corners = [{"x": x, "y": y} for x, y in points or ((1, 2), (4, 2), (4, 6))]
    return {"name": name, "annotation_kind": "ImagePolygon", "polygon": corners, "classifications": []}


def mask(name: str) -> Json:
    """A mask, which an export gives as an address."""
    return {
        "name": name,
        "annotation_kind": "ImageSegmentationMask",
        "mask": {"url": "https://x.org/m.png"},
        "classifications": [],
    }


def label(*annotations: Json, kind: str = "Default", id: str | None = None, skipped: bool = False) -> Json:  # noqa: A002
    """One labeller's label of a picture."""
    return {
        "label_kind": kind,
        "version": "1.0.0",
        "id": id or f"label{next(_IDS)}",
        "label_details": {
            "created_by": "somebody@example.org",
            "created_at": "2026-01-02T03:04:05.000+00:00",
            "updated_at": "2026-01-03T03:04:05.000+00:00",
            "reviews": [],
        },
        "performance_details": {"seconds_to_create": 3, "skipped": skipped},
        "annotations": {
            "objects": [one for one in annotations if "annotation_kind" in one],
            "classifications": [one for one in annotations if "annotation_kind" not in one],
            "relationships": [],
        },
    }
