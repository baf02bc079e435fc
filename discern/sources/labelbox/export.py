"""Labelbox's export format (NDJSON, v2): one row a picture, with the labels that people gave it.

Only what labels are made of is kept of a row, which is a small part of it. Boxes are in pixels of the picture as
Labelbox shows it, which is upright.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from discern.errors import DataError
from discern.sources.base import UNSTATED, Provenance
from discern.sources.labelbox.rows import (
    BoundingBox,
    Classification,
    Label,
    LabelDetails,
    Project,
    ProjectDetails,
    Row,
)
from discern.sources.names import in_utc
from edge_runtime.core.images import Box


class ExportedAnswer(NamedTuple):
    """The answer to one radio question.

    Attributes:
        question: its name.
        key: its value, a second name.
        text: the name of what was answered.
        depth: 0 for a question of its own, 1 for one that an answer to such a question opens, and so on.
    """

    question: str
    key: str
    text: str
    depth: int


class BoxLabel(NamedTuple):
    """One bounding box with its name and the answers to its questions."""

    name: str
    box: Box
    answers: tuple[ExportedAnswer, ...]


class Labelling(NamedTuple):
    """The answers and boxes of one labeller for one picture."""

    id: str
    kind: str
    answers: tuple[ExportedAnswer, ...]
    boxes: tuple[BoxLabel, ...]
    provenance: Provenance = UNSTATED


class Picture(NamedTuple):
    """One row of an export.

    Attributes:
        id: of the data row.
        global_key: its key in the workspace, or None.
        external_id: the name its owner gave it, or None; not unique.
        url: where its image is; often signed, and then valid for a while only.
        updated_at: of the data row; None where the export does not tell.
        is_image: False for rows of text, video and so on.
        project: id and name of the project, or None where the row is in none.
        status: of the project's workflow (`DONE`, ...), or None.
        tells_status: True if the export has project details at all.
        winner: id of the label that the project's workflow chose, or None.
        labellings: without those that were skipped.
    """

    id: str
    global_key: str | None
    external_id: str | None
    url: str
    updated_at: str | None
    is_image: bool
    project: tuple[str, str] | None
    status: str | None
    tells_status: bool
    winner: str | None
    labellings: tuple[Labelling, ...]


def read_rows(lines: Iterable[bytes | str], location: str, project: str | None = None) -> Iterator[Picture]:
    """Read the lines of an export.

    Args:
        lines: one row each; blank ones are passed over.
        location: the file, for messages.
        project: id or name of the project whose labels count; None where rows are all of one.

    Raises:
        DataError: a line is not a row of this format, or rows are of several projects, or none of the one asked for.
    """
    chosen: set[str] = set()
    others: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _parse(line, f"line {number} of {location}")
        picture = _picture(row, project, location)
        if picture.project:
            chosen.add(_shown(*picture.project))
        else:
            others.update(_shown(key, labels.name) for key, labels in row.projects.items())
        if len(chosen) > 1:
            raise _several(location, chosen)
        yield picture
    if others and not chosen:
        raise DataError(f"{location} holds no labels of project {project!r}: it has {', '.join(sorted(others))}.")


def read_row(row: dict[str, Any], where: str, project: str) -> Picture:
    """Read one row that is parsed already.

    Raises:
        DataError: it is not a row of this format; the message starts with `where`.
    """
    try:
        return _picture(Row.model_validate(row), project, where)
    except (ValidationError, RecursionError) as error:
        raise _malformed(error, where) from None


def _parse(line: bytes | str, where: str) -> Row:
    try:
        return Row.model_validate_json(line)
    except (ValidationError, RecursionError) as error:
        raise _malformed(error, where) from None


def _malformed(error: ValidationError | RecursionError, where: str) -> DataError:
    if isinstance(error, RecursionError):
        return DataError(f"{where} is nested too deeply for a Labelbox export: export again.")
    first = error.errors(include_url=False, include_input=False)[0]
    at = ".".join(str(part) for part in first["loc"])
    return DataError(
        f"{where} is not a row of a Labelbox export ({at + ': ' if at else ''}{first['msg']}): export the project as "
        "NDJSON, in the format v2."
    )


def _picture(row: Row, project: str | None, location: str) -> Picture:
    data_row = row.data_row
    key = _choose(row.projects, project, location)
    labels = row.projects[key] if key is not None else Project()
    details = labels.project_details or ProjectDetails()
    return Picture(
        id=data_row.id,
        global_key=data_row.global_key or None,
        external_id=data_row.external_id or None,
        url=data_row.row_data if isinstance(data_row.row_data, str) else "",
        updated_at=data_row.details.updated_at if data_row.details else None,
        is_image=_is_image(row),
        project=None if key is None else (key, labels.name),
        status=_plain(details.workflow_status),
        tells_status=labels.project_details is not None,
        winner=details.selected_label_id,
        labellings=tuple(_labelling(label) for label in labels.labels if not _is_skipped(label)),
    )


def _is_image(row: Row) -> bool:
    """Return True if a row has an address, and its kind of file is an image's or not told."""
    mime_type = row.media_attributes.mime_type if row.media_attributes else None
    return isinstance(row.data_row.row_data, str) and (mime_type is None or mime_type.startswith("image/"))


def _is_skipped(label: Label) -> bool:
    return label.performance_details is not None and bool(label.performance_details.skipped)


def _choose(projects: dict[str, Project], wanted: str | None, location: str) -> str | None:
    keys = [key for key, project in projects.items() if wanted in {None, key, project.name}]
    if len(keys) > 1:
        raise _several(location, {_shown(key, projects[key].name) for key in keys})
    return keys[0] if keys else None


def _shown(key: str, name: str) -> str:
    return f"{name} ({key})" if name else key


def _several(location: str, projects: set[str]) -> DataError:
    return DataError(
        f"{location} holds labels of several projects ({', '.join(sorted(projects))}): name one as `project`."
    )


def _plain(status: str | None) -> str | None:
    """Return a status in one spelling: `InReview` and `IN_REVIEW` are one."""
    if status is None:
        return None
    spellings = {name.replace("_", ""): name for name in ("TO_LABEL", "IN_REWORK", "IN_REVIEW", "DONE")}
    return spellings.get(status.replace("_", "").upper(), status)


def _labelling(label: Label) -> Labelling:
    return Labelling(
        label.id,
        label.label_kind or "Default",
        tuple(_answers(label.annotations.classifications)),
        tuple(
            BoxLabel(drawn.name, _box(drawn.bounding_box), tuple(_answers(drawn.classifications)))
            for drawn in label.annotations.objects
            if drawn.bounding_box is not None
        ),
        _provenance(label.label_details or LabelDetails()),
    )


def _provenance(details: LabelDetails) -> Provenance:
    try:
        labelled_at = None if details.created_at is None else in_utc(datetime.fromisoformat(details.created_at))
    except (ValueError, OverflowError):  # a time that cannot be read is none; the label is whole
        labelled_at = None
    return Provenance(labelled_by=details.created_by or None, label_method="annotation", labelled_at=labelled_at)


def _answers(classifications: list[Classification], depth: int = 0) -> Iterator[ExportedAnswer]:
    for question in classifications:
        answer = question.radio_answer
        if answer is not None:
            yield ExportedAnswer(question.name, question.value or question.name, answer.name, depth)
            yield from _answers(answer.classifications, depth + 1)


def _box(box: BoundingBox) -> Box:
    return box.left, box.top, box.left + box.width, box.top + box.height
