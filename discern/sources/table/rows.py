"""The meaning of the cells of a table's row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from discern.errors import DataError
from discern.sources.base import (
    LABEL_METHODS,
    PROVENANCE,
    ROLES,
    ROW_KINDS,
    UNSTATED,
    LabelMethod,
    Provenance,
    Role,
    RowKind,
    Split,
)
from discern.sources.entries import Entry
from discern.sources.files.tree import Tree
from discern.sources.names import clean_label, in_utc, split_named
from discern.sources.parsing import number
from discern.sources.paths import Finder, is_absolute
from discern.sources.table.reader import TableFile
from edge_runtime.core.images import Box

CORNERS = ("left", "top", "right", "bottom")


class RowReader:
    """Makes entries of rows.

    Args:
        tree: the files.
        table: the rows.
        columns: the table's name of each column that it has, by the names in `ColumnsConfig`.
        starts: the folders, with their slashes, that paths may start from, likeliest first.
    """

    def __init__(self, tree: Tree, table: TableFile, columns: Mapping[str, str], starts: Sequence[str]) -> None:
        self._tree = tree
        self._table = table
        self._columns = columns
        self._starts = starts
        self._finder = Finder(tree.files)
        self._labels: dict[str, str] = {}  # one object a class, and each looked at once

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Yield each row's line and entry.

        Raises:
            DataError: a row makes no sense, or some name files that do not exist.
        """
        missing, first_missing = 0, ""
        for line, cells in self._table.rows(list(self._columns.values())):
            where = f"{self._table.unit} {line} of {self._table.path}"
            row = dict(zip(self._columns, cells, strict=True))
            name = self._text(row, "path", where)
            if name is None:
                raise DataError(f"{where} names no file in its column {self._columns['path']}: add it.")
            path = self._find(name)
            if path is not None:
                yield line, self._entry(path, row, where)
                continue
            missing += 1
            first_missing = first_missing or f"{where} names {name!r}"
        if missing:
            more = f" (nor those of {missing - 1} more {self._table.unit}s)" if missing > 1 else ""
            raise DataError(
                f"{first_missing}, a file that {self._tree.location} does not hold{more}: add it, or mend the path."
            )

    def _find(self, name: str) -> str | None:
        for start in self._starts:
            path = self._finder.exact(name, start)
            if path:
                return path
        return self._finder.at_end_of(name) if is_absolute(name) else None

    def _entry(self, path: str, row: Mapping[str, Any], where: str) -> Entry:
        label = self._text(row, "label", where)
        if label is not None and label not in self._labels:
            self._labels[label] = clean_label(label, where)
        box = _box(row, where)
        kind = _kind(self._text(row, "row_kind", where), label, where)
        if kind == "empty" and box is not None:
            raise DataError(f"{where} is an empty image with a box: leave the box blank, or give it a label.")
        return Entry(
            path,
            None if label is None else self._labels[label],
            box,
            split=_split(self._text(row, "split", where), where),
            role=_role(self._text(row, "role", where), where),
            group=self._text(row, "group", where),
            captured_at=_moment(row.get("captured_at"), where),
            margin=_margin(row.get("margin"), where),
            empty=kind == "empty",
            provenance=self._provenance(row, where),
        )

    def _provenance(self, row: Mapping[str, Any], where: str) -> Provenance:
        if not row.keys() & set(PROVENANCE):
            return UNSTATED
        return Provenance(
            labelled_by=self._text(row, "labelled_by", where),
            label_method=_method(self._text(row, "label_method", where), where),
            labelled_at=_moment(row.get("labelled_at"), where),
            confidence=_confidence(row.get("confidence"), where),
            device=self._text(row, "device", where),
            release=self._text(row, "release", where),
        )

    def _text(self, row: Mapping[str, Any], key: str, where: str) -> str | None:
        """A cell's text, or None where it is blank; whole numbers are text as well."""
        value = row.get(key)
        if value is None or isinstance(value, str):
            return None if _is_blank(value) else value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise DataError(f"{where} has {str(value)[:50]!r} in its column {self._columns[key]}: text is needed.")


def _split(text: str | None, where: str) -> Split | None:
    if text is None:
        return None
    split = split_named(text)
    if split is None:
        raise DataError(f"{where} has the split {text[:50]!r}: write train, validation or test.")
    return split


def _role(text: str | None, where: str) -> Role | None:
    if text is None:
        return None
    for role in ROLES:
        if text.strip().lower() == role:
            return role
    raise DataError(f"{where} has the role {text[:50]!r}: write gallery or query.")


def _kind(text: str | None, label: str | None, where: str) -> RowKind:
    """The kind that a row states, or that its label tells."""
    kind_by_label: RowKind = "unlabelled" if label is None else "instance"
    if text is None:
        return kind_by_label
    kind = next((kind for kind in ROW_KINDS if text.strip().lower() == kind), None)
    if kind is None:
        raise DataError(f"{where} has the row kind {text[:50]!r}: write one of {', '.join(ROW_KINDS)}.")
    if kind == "instance" and label is None:
        raise DataError(f"{where} is an instance without a label: add the label, or write another row kind.")
    if kind != "instance" and label is not None:
        raise DataError(f"{where} is {kind} and has a label: remove the label, or write instance.")
    return kind


def _method(text: str | None, where: str) -> LabelMethod | None:
    method = next((method for method in LABEL_METHODS if text is not None and text.strip().lower() == method), None)
    if text is not None and method is None:
        raise DataError(f"{where} has the label method {text[:50]!r}: write one of {', '.join(LABEL_METHODS)}.")
    return method


def _confidence(value: Any, where: str) -> float | None:
    if _is_blank(value):
        return None
    confidence = number(str(value), f"the confidence in {where}")
    if not 0 <= confidence <= 1:
        raise DataError(f"{where} has the confidence {confidence:g}: write a number from 0 to 1.")
    return confidence


def _moment(value: Any, where: str) -> datetime | None:
    if _is_blank(value):
        return None
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        if isinstance(moment, datetime):
            return in_utc(moment)
        if isinstance(moment, date):
            return datetime.combine(moment, time(), UTC)
        raise ValueError("a number may count anything since any day")
    except (ValueError, OverflowError):
        raise DataError(f"{where} has the time {str(value)[:50]!r}: write it like 2020-04-22T10:15:03Z.") from None


def _box(row: Mapping[str, Any], where: str) -> Box | None:
    if "left" in row:
        corners = [row[key] for key in CORNERS]
        return None if all(map(_is_blank, corners)) else _box_of_corners(corners, where)
    box = row.get("box")
    return None if _is_blank(box) else _box_of_corners(_corners_of_box(box, where), where)


def _box_of_corners(corners: Sequence[Any], where: str) -> Box:
    left, top, right, bottom = (_coordinate(cell, where) for cell in corners)
    return left, top, right, bottom


def _corners_of_box(box: Any, where: str) -> list[Any]:
    """Return the four numbers of one cell, as they are written."""
    cells = box.strip().strip("[]()").split(",") if isinstance(box, str) else box
    if not isinstance(cells, list) or len(cells) != len(CORNERS):
        raise DataError(f"{where} has the box {str(box)[:50]!r}: write left,top,right,bottom in pixels.")
    return cells


def _margin(value: Any, where: str) -> float | None:
    if _is_blank(value):
        return None
    margin = number(str(value), f"the margin in {where}")
    if margin < 0:
        raise DataError(f"{where} has the margin {margin:g}: write 0 or more.")
    return margin


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _coordinate(cell: Any, where: str) -> float:
    if isinstance(cell, int | float) and not isinstance(cell, bool) and math.isfinite(cell):
        return float(cell)
    return number(str(cell) if cell is not None else "", f"the box in {where}")
