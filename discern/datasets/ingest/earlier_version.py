"""The statements of an earlier version that still hold in the one that grows from it."""

from __future__ import annotations

from collections.abc import Sequence

from discern.datasets.manifest import SCHEMA, DatasetVersion
from discern.datasets.splits.assign import Assignment
from discern.sources.base import RowKind
from edge_runtime.core.images import Box

RowKey = tuple[str, RowKind, str | None, Box | None]  # sha256, kind, label, box: what makes two rows the same


class EarlierVersion:
    """The rows of an earlier version, by what they show.

    Args:
        version: the version that the new one grows from; None if it is the first.
        splits: JSON of the new version's split config. Where the earlier one was split by another, its splits no longer
            hold; where nobody noted by which, they do.
        cleaning: JSON of the new version's limits of near-duplicates. Where the earlier one had others, its
            near-duplicates and lookalikes no longer hold.
    """

    def __init__(self, version: DatasetVersion | None, splits: str, cleaning: str) -> None:
        table = SCHEMA.empty_table() if version is None else version.all_rows().table
        columns = (table[name].to_pylist() for name in ("sha256", "row_kind", "label", "box"))
        self._rows = {row_key(*values): row for row, values in enumerate(zip(*columns, strict=True))}
        self._split, self._role = table["split"].to_pylist(), table["role"].to_pylist()
        self._near_duplicates, self._lookalike = table["near_duplicates"].to_pylist(), table["lookalike"].to_pylist()
        self._splits_hold = version is not None and version.splits in {splits, ""}
        self.comparisons_hold = version is not None and version.cleaning == cleaning

    def row(self, key: RowKey) -> int | None:
        """Return the row that shows the same."""
        return self._rows.get(key)

    def assignment(self, row: int | None) -> Assignment | None:
        """Return split and role of a row, if they hold."""
        if row is None or not self._splits_hold or self._split[row] is None:
            return None
        return self._split[row], self._role[row]

    def near_duplicates(self, row: int | None) -> str | None:
        """Return the set of near-duplicates of a row, if it holds."""
        return None if row is None or not self.comparisons_hold else self._near_duplicates[row]

    def lookalike(self, row: int | None) -> str | None:
        """Return the lookalike of a row, if it holds."""
        return None if row is None or not self.comparisons_hold else self._lookalike[row]


def row_key(sha256: str, kind: RowKind, label: str | None, box: Sequence[float] | None) -> RowKey:
    """Make the key of a row."""
    return sha256, kind, label, None if box is None else (box[0], box[1], box[2], box[3])
