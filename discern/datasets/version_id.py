"""The id of a dataset version: 16 hex digits of what its rows say.

Rules kept:
- rule 2 hashes the columns that manifests of format 2 had. A later column enters the hash only where it holds something
  other than its default, so an unchanged data set has an unchanged id after an update of this software;
- rule 1 is that of manifests of format 1, which had no margins; versions read from such a manifest keep it;
- where images lie, and what follows from the images, is no part of an id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from discern.sources.base import PROVENANCE

RULE = 2  # of new versions
COLUMNS = ("sha256", "label", "box", "margin", "split", "role", "source", "group", "captured_at")
_RULE_1 = tuple(name for name in COLUMNS if name != "margin")
_DEFAULTS = {"label_method": "import"}  # the other columns of provenance are null by default


def version_id(instances: pa.Table, without_instance: pa.Table, rule: int = RULE) -> str:
    """Compute the id of a version.

    Args:
        instances: rows of instances, in order.
        without_instance: rows of empty and of unlabelled images, in order.
        rule: 1 or 2.
    """
    digest = hashlib.sha256(f"discern dataset version {rule}".encode())
    for name in COLUMNS if rule > 1 else _RULE_1:
        digest.update(_text(name, instances[name].to_pylist()))
    for name, values in _stated(instances):
        digest.update(_text(name, values))
    if without_instance.num_rows:
        for name in ("row_kind", *COLUMNS):
            digest.update(_text(f"without_instance.{name}", without_instance[name].to_pylist()))
        for name, values in _stated(without_instance):
            digest.update(_text(f"without_instance.{name}", values))
    return digest.hexdigest()[:16]


def _stated(table: pa.Table) -> Iterable[tuple[str, list[Any]]]:
    """Yield the columns of provenance that hold something other than their default; a default counts as null."""
    for name in PROVENANCE:
        default = _DEFAULTS.get(name)
        values = [None if value == default else value for value in table[name].to_pylist()]
        if any(value is not None for value in values):
            yield name, values


def _text(name: str, values: list[Any]) -> bytes:
    return json.dumps([name, values], default=str).encode()
