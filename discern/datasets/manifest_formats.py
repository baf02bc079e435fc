"""Manifests of every format ever written, brought to the newest format one step at a time.

Pure: a step takes the manifest of one format and returns that of the next. A step adds columns and renames settings; it
never changes what a row says, and the version keeps its id (see `discern.datasets.version_id`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from discern.errors import DataError

NEWEST = 4
FORMAT_NAME = "discern dataset version {}"
_RENAMED_SPLIT_SETTINGS = {"stranger_share": "unknown_share"}


@dataclass(frozen=True)
class StoredManifest:
    """A manifest as its file holds it.

    Args:
        table: the rows.
        texts: the texts beside them, by name: `shards`, `splits`, `cleaning`, `id_rule`; some may be missing.
    """

    table: pa.Table
    texts: Mapping[str, str]


def newest_format(stored: StoredManifest, format_name: str, location: str) -> StoredManifest:
    """Bring a manifest to the newest format.

    Args:
        stored: the manifest.
        format_name: the name of its format, as its file states it.
        location: the file, for messages.

    Raises:
        DataError: the format is newer than this software, or unknown.
    """
    number = _format_number(format_name, location)
    for step in range(number, NEWEST):
        stored = _STEPS[step](stored)
    return stored


def from_1_to_2(stored: StoredManifest) -> StoredManifest:
    """Add margins, which were all 0, and the facts of the pictures, which nobody had measured."""
    table = stored.table
    added = [
        (pa.field("margin", pa.float64(), nullable=False), 0.0),
        (pa.field("stamp", pa.string()), None),
        (pa.field("width", pa.int32()), None),
        (pa.field("height", pa.int32()), None),
        (pa.field("brightness", pa.float32()), None),
        (pa.field("sharpness", pa.float32()), None),
        (pa.field("phash", pa.uint64()), None),
        (pa.field("near_duplicates", pa.string()), None),
        (pa.field("lookalike", pa.string()), None),
        (pa.field("session", pa.string()), None),
    ]
    for field, value in added:
        table = _with_column(table, field, value)
    return StoredManifest(table, {**stored.texts, "id_rule": "1"})


def from_2_to_3(stored: StoredManifest) -> StoredManifest:
    """State that every row is an instance whose label came with its data, and use today's names of the settings."""
    table = stored.table
    added = [
        (pa.field("row_kind", pa.string(), nullable=False), "instance"),
        (pa.field("labelled_by", pa.string()), None),
        (pa.field("label_method", pa.string()), "import"),
        (pa.field("labelled_at", pa.timestamp("us", tz="UTC")), None),
        (pa.field("confidence", pa.float64()), None),
        (pa.field("device", pa.string()), None),
        (pa.field("release", pa.string()), None),
    ]
    for field, value in added:
        table = _with_column(table, field, value)
    splits = _renamed_keys(stored.texts.get("splits", ""), _RENAMED_SPLIT_SETTINGS)
    return StoredManifest(table, {**stored.texts, "splits": splits})


def from_3_to_4(stored: StoredManifest) -> StoredManifest:
    """Add appearances, which nobody had measured; brightness, sharpness and hash stay those of the whole picture."""
    return StoredManifest(_with_column(stored.table, pa.field("appearance", pa.binary()), None), stored.texts)


_STEPS: Mapping[int, Callable[[StoredManifest], StoredManifest]] = {1: from_1_to_2, 2: from_2_to_3, 3: from_3_to_4}


def _format_number(format_name: str, location: str) -> int:
    start = FORMAT_NAME.format("")
    digits = format_name.removeprefix(start)
    if not format_name.startswith(start) or not (digits.isascii() and digits.isdigit()):
        raise DataError(f"{location} is not a manifest of a dataset version: give the path of one.")
    number = int(digits)
    if number > NEWEST:
        raise DataError(
            f"{location} is a manifest of format {number}, and this software knows formats up to {NEWEST}: update "
            "discern."
        )
    if number not in _STEPS and number != NEWEST:
        raise DataError(f"{location} is a manifest of format {number}, which never was: restore it from a copy.")
    return number


def _with_column(table: pa.Table, field: pa.Field, value: object) -> pa.Table:
    """Add a column that holds one value in every row."""
    return table.append_column(field, pa.repeat(pa.scalar(value, field.type), table.num_rows))


def _renamed_keys(text: str, names: Mapping[str, str]) -> str:
    """Rename keys of a JSON object, whose order and spelling stay as pydantic writes them."""
    if not text:
        return text
    settings = {names.get(key, key): value for key, value in json.loads(text).items()}
    return json.dumps(settings, separators=(",", ":"))
