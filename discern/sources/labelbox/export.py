"""Labelbox's export format (NDJSON, v2): one row a picture, with the labels that people gave it.

Only what labels are made of is kept of a row, which is a small part of it. Boxes are in pixels of a picture of the
size that the row states. A polygon or a line counts as the box around it; other outlines are faults of their things,
and a row that makes no sense is a fault of its picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from discern.errors import DataError
from discern.sources.base import UNSTATED, Provenance, StatedSize
from discern.sources.labelbox.rows import (
    Classification,
    Label,
    LabelDetails,
    Media,
    Object,
    Project,
    ProjectDetails,
    Row,
)
from discern.sources.names import in_utc
from discern.sources.outlines import around_points
from discern.sources.parsing import stated_size
from edge_runtime.core.images import Box


class MalformedRowError(DataError):
    """A row of an export is not of its format; the others may be."""


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
    """The box around one thing with its name and the answers to its questions; or the reason why it has no box."""

    name: str
    box: Box | None
    answers: tuple[ExportedAnswer, ...]
    fault: str | None = None


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
        is_skipped: a labeller skipped it.
        other_questions: names of the answered questions that are no radio questions.
        stated_size: of the picture.
        fault: why the row cannot be used, if so.
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
    is_skipped: bool = False
    other_questions: tuple[str, ...] = ()
    stated_size: StatedSize | None = None
    fault: str | None = None


def read_rows(lines: Iterable[bytes | str], location: str, project: str | None = None) -> Iterator[Picture]:
    """Read the lines of an export.

    Args:
        lines: one row each; blank ones are passed over.
        location: the file, for messages.
        project: id or name of the project whose labels count; None where rows are all of one.

    Raises:
        DataError: a line is cut off, or no line is a row of this format, or rows are of several projects, or none of
            the one asked for.
    """
    chosen: set[str] = set()
    others: set[str] = set()
    fault: DataError | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"line {number} of {location}"
        try:
            row = _parse(line, where)
        except MalformedRowError as error:
            fault = fault or error
            yield unreadable(where, error)
            continue
        picture = _picture(row, project, location)
        if picture.project:
            chosen.add(_shown(*picture.project))
        else:
            others.update(_shown(key, labels.name) for key, labels in row.projects.items())
        if len(chosen) > 1:
            raise _several(location, chosen)
        yield picture
    if fault and not chosen and not others:
        raise fault
    if others and not chosen:
        raise DataError(f"{location} holds no labels of project {project!r}: it has {', '.join(sorted(others))}.")


def read_row(row: dict[str, Any], where: str, project: str) -> Picture:
    """Read one row that is parsed already.

    Raises:
        MalformedRowError: it is not a row of this format; the message starts with `where`.
    """
    try:
        return _picture(Row.model_validate(row), project, where)
    except (ValidationError, RecursionError) as error:
        raise _malformed(error, where) from None


def unreadable(where: str, error: DataError) -> Picture:
    """Return the picture of a row that is not of this format."""
    return Picture(where, None, None, "", None, True, None, None, False, None, (), fault=str(error))


def _parse(line: bytes | str, where: str) -> Row:
    try:
        return Row.model_validate_json(line)
    except (ValidationError, RecursionError) as error:
        malformed = _malformed(error, where)
        if isinstance(error, ValidationError) and error.errors()[0]["type"] == "json_invalid":
            raise DataError(str(malformed)) from None  # cut off: what came after it is missing too
        raise malformed from None


def _malformed(error: ValidationError | RecursionError, where: str) -> MalformedRowError:
    if isinstance(error, RecursionError):
        return MalformedRowError(f"{where} is nested too deeply for a Labelbox export: export again.")
    first = error.errors(include_url=False, include_input=False)[0]
    at = ".".join(str(part) for part in first["loc"])
    return MalformedRowError(
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
        labellings=tuple(_labelling(label, data_row.id) for label in labels.labels if not _is_skipped(label)),
        is_skipped=any(map(_is_skipped, labels.labels)),
        other_questions=tuple(dict.fromkeys(name for label in labels.labels for name in _other_questions(label))),
        stated_size=_stated_size(row.media_attributes),
    )


def _stated_size(media: Media | None) -> StatedSize | None:
    return None if media is None else stated_size(media.width, media.height, media.exif_rotation)


def _other_questions(label: Label) -> Iterator[str]:
    for question in label.annotations.classifications:
        if question.radio_answer is None and (question.checklist_answers or question.text_answer):
            yield question.name


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


def _labelling(label: Label, row: str) -> Labelling:
    return Labelling(
        label.id,
        label.label_kind or "Default",
        tuple(_answers(label.annotations.classifications)),
        tuple(_box_label(drawn, row) for drawn in label.annotations.objects),
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


def _box_label(drawn: Object, row: str) -> BoxLabel:
    box = _box(drawn)
    fault = None
    if box is None:
        fault = (
            f"{drawn.name} in data row {row} is drawn as {drawn.annotation_kind} and has no outline that is read here: "
            "draw a box or a polygon, or remove it."
        )
    return BoxLabel(drawn.name, box, tuple(_answers(drawn.classifications)), fault)


def _box(drawn: Object) -> Box | None:
    box = drawn.bounding_box
    if box is not None:
        return box.left, box.top, box.left + box.width, box.top + box.height
    return around_points((point.x, point.y) for point in drawn.polygon or drawn.line or ())
