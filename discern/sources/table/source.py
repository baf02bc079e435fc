"""A table of photos, CSV or Parquet, in a folder that holds them: a row a photo, or a row a thing in a photo.

Rules kept:
- a row names a file of the tree, from the table's own folder or from the top, or by the end of an absolute
  path; whatever it says, nothing else is read;
- what a row says and cannot be meant (a split, a role, a time, half a box) is an error that names the line.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import islice, pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.sources.base import PROVENANCE
from discern.sources.entries import Entry, ListedSource, in_order
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.paths import file_at, folder_at, folder_of, images_below, top_folder
from discern.sources.table.reader import EXTENSIONS, TableFile, open_table
from discern.sources.table.rows import CORNERS, RowReader
from discern.suggestions import nearest
from edge_runtime.core.images import Box

LOOKED_AT = 100  # rows that tell what columns hold
REQUIRED = ("path", "label")


class ColumnsConfig(BaseModel):
    """Names of the table's columns; one that is not named here has the name it has here, and may be missing.

    Args:
        path: the photo's file.
        label: its class; blank where nobody has said.
        group: photos of one group stay on one side of a split.
        captured_at: when it was taken: ISO 8601 or a Parquet time, UTC unless it has a zone.
        split: train, validation (val, valid, dev, eval) or test; blank where the split is ours to choose.
        role: gallery or query; blank likewise.
        box: `left,top,right,bottom`, pixels of the upright picture; blank for the whole picture.
        left: or these four columns instead.
        top: likewise.
        right: likewise.
        bottom: likewise.
        margin: what is shown around the box, as a share of its width and height; blank for the source's margin.
        row_kind: instance, empty (somebody looked and saw nothing) or unlabelled; blank where the label tells.
        label_method: import, annotation, review, correction or model. Only a table with this column is asked for the
            next five, unless they are named here: their names are common, and may mean something else elsewhere.
        labelled_by: who labelled.
        labelled_at: when, as `captured_at`.
        confidence: how sure the labeller is, 0 to 1.
        device: the device that took the photo.
        release: the release that the device ran.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str | None = Field(default=None, min_length=1)
    label: str | None = Field(default=None, min_length=1)
    group: str | None = Field(default=None, min_length=1)
    captured_at: str | None = Field(default=None, min_length=1)
    split: str | None = Field(default=None, min_length=1)
    role: str | None = Field(default=None, min_length=1)
    box: str | None = Field(default=None, min_length=1)
    left: str | None = Field(default=None, min_length=1)
    top: str | None = Field(default=None, min_length=1)
    right: str | None = Field(default=None, min_length=1)
    bottom: str | None = Field(default=None, min_length=1)
    margin: str | None = Field(default=None, min_length=1)
    row_kind: str | None = Field(default=None, min_length=1)
    label_method: str | None = Field(default=None, min_length=1)
    labelled_by: str | None = Field(default=None, min_length=1)
    labelled_at: str | None = Field(default=None, min_length=1)
    confidence: str | None = Field(default=None, min_length=1)
    device: str | None = Field(default=None, min_length=1)
    release: str | None = Field(default=None, min_length=1)


class TableConfig(BaseModel):
    """A table of photos.

    Args:
        path: the folder or .zip that holds the photos and the table.
        table: path of the .csv, .tsv or .parquet inside it; without it, the only one at its top.
        columns: which column says what.
        images: folder inside `path` that the rows' paths start from; without it, the table's own folder or the top.
        margin: what is shown around a box, as a share of its width and height.
        unlisted: images that the table does not list: `report` them as unlabelled, `ignore` them, or raise an `error`.
        encoding: of the names in an archive that does not state it, such as gb18030 or cp932.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["table"] = "table"
    path: str = Field(min_length=1)
    table: str | None = Field(default=None, min_length=1)
    columns: ColumnsConfig = ColumnsConfig()
    images: str | None = Field(default=None, min_length=1)
    margin: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    unlisted: Literal["report", "ignore", "error"] = "ignore"
    encoding: str | None = Field(default=None, min_length=1)


class TableSource(ListedSource):
    """The photos that a table lists, sorted by path, box and label.

    Raises:
        DataError: the table or a column is missing, a line is ragged or makes no sense, or names a file there is not.
    """

    def __init__(self, config: TableConfig) -> None:
        tree = open_tree(config.path, config.encoding)
        table = open_table(tree, _table_path(tree, config))
        starts = [folder_at(tree, config.images)] if config.images else [folder_of(table.path), ""]
        entries = _listed(table, RowReader(tree, table, _columns(table, config.columns), starts))
        entries += _unlisted(tree, table, entries, config)
        super().__init__(tree.name, tree, config, in_order(entries), config.margin)


def _table_path(tree: Tree, config: TableConfig) -> str:
    tables = [path for path in tree.files if path.lower().endswith(EXTENSIONS)]
    tables_held = f"(it holds {', '.join(tables[:5]) or 'none'})"
    if config.table is not None:
        path = file_at(tree, config.table)
        if path is None:
            raise DataError(f"{tree.location} holds no file {config.table!r}: name one in table {tables_held}.")
        return path
    top = top_folder(tree, tree.files)
    at_top = [path for path in tables if folder_of(path) == top]
    if not at_top:
        raise DataError(f"{tree.location} holds no .csv, .tsv or .parquet at its top: name one in table {tables_held}.")
    if len(at_top) > 1:
        raise DataError(f"{tree.location} holds {len(at_top)} tables ({', '.join(at_top[:5])}): name one in table.")
    return at_top[0]


def _columns(table: TableFile, config: ColumnsConfig) -> dict[str, str]:
    """Return the table's name of each column that it has, by its name in `ColumnsConfig`."""
    columns: dict[str, str] = {}
    states_provenance = (config.label_method or "label_method") in table.header
    for key, configured in config:
        if configured is None and key in PROVENANCE and not states_provenance:
            continue
        name = configured or key
        if name in table.header:
            columns[key] = name
        elif configured is not None or key in REQUIRED:
            raise _no_column(table, key, name)
    _check_box_columns(table, columns)
    return columns


def _no_column(table: TableFile, key: str, name: str) -> DataError:
    if key == "label" and (one_hot := _one_hot(table)):
        return DataError(
            f"{table.path} has no column {name!r}, and its columns {', '.join(one_hot)[:200]} hold 0 and 1: write the "
            "name of the one that holds 1 into a column label."
        )
    header = [column for column in table.header if column]
    near = nearest(name, header)
    hint = f", but {near[0]!r}" if near else ""
    names = ", ".join(header)[:200] or "none"
    return DataError(f"{table.path} has no column {name!r}{hint}: set columns.{key} to one of {names}.")


def _one_hot(table: TableFile) -> list[str]:
    """Return the columns that hold 0 and 1 alone, a class each, where there are several."""
    names = [column for column in table.header if column]
    rows = [cells for _, cells in islice(table.rows(names), LOOKED_AT)]
    columns = zip(names, zip(*rows, strict=True), strict=False)
    flags = [name for name, cells in columns if {str(cell).strip() for cell in cells} <= {"0", "1"}]
    return flags if len(flags) > 1 else []


def _check_box_columns(table: TableFile, columns: Mapping[str, str]) -> None:
    """Refuse a box that is in one column and in four, or in some of the four."""
    corners = [key for key in CORNERS if key in columns]
    if not corners:
        return
    corner = columns[corners[0]]
    if "box" in columns:
        raise DataError(f"{table.path} has columns {columns['box']!r} and {corner!r} for a box: drop one way.")
    for key in CORNERS:
        if key not in columns:
            raise DataError(f"{table.path} has a column {corner!r} and none for {key}: name all four or none.")


def _listed(table: TableFile, reader: RowReader) -> list[Entry]:
    lines = array("q")
    entries: list[Entry] = []
    for line, entry in reader.entries():
        lines.append(line)
        entries.append(entry)
    for entry, following in pairwise(in_order(entries)):
        if _instance(entry) == _instance(following):
            first, second = [lines[i] for i in range(len(lines)) if _instance(entries[i]) == _instance(entry)][:2]
            box = "" if entry.box is None else f" and one box, {entry.box}"
            raise DataError(
                f"{table.unit}s {first} and {second} of {table.path} have one path, {entry.path}{box}: remove one."
            )
    return entries


def _instance(entry: Entry) -> tuple[str, Box | None]:
    """Return what two entries of one table must not have in common."""
    return entry.path, entry.box


def _unlisted(tree: Tree, table: TableFile, entries: list[Entry], config: TableConfig) -> list[Entry]:
    """Return the images that the table passes over, without labels, where the config wants them reported."""
    if config.unlisted == "ignore":
        return []
    listed = {entry.path for entry in entries}
    unlisted = [path for path in images_below(tree) if path not in listed]
    if unlisted and config.unlisted == "error":
        raise DataError(
            f"{table.path} does not list {unlisted[0]} ({len(unlisted)} images in all): add a line for each, or set "
            "unlisted to report or ignore."
        )
    return [Entry(path, None) for path in unlisted]
