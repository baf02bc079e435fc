"""Split and role of every row: instances by the rules of `discern.datasets.splits`, empty images by their ties.

Rules kept:
- an empty image has a split and no role; an unlabelled image has neither;
- what its source or the earlier version says of an empty image's split stays, unless `official` puts it aside;
- an empty image follows the photos of its near-duplicates, group and session. Where those are on several sides it
  trains if one of them does, for the model sees its like anyway;
- one that belongs to nothing is drawn by its own content.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence

from discern.datasets.ingest.rows import IngestRow
from discern.datasets.ingest.ties import Ties
from discern.datasets.splits.assign import Assignment, SplitItem, assign
from discern.datasets.splits.config import SplitConfig
from discern.datasets.splits.official import with_official_split
from discern.sources.base import SPLITS, Split
from discern.stable_random import stable_random


def assign_rows(
    numbers: Sequence[int], rows: Sequence[IngestRow], ties: Mapping[int, Ties], config: SplitConfig
) -> dict[int, Assignment]:
    """Give rows their split and role.

    Args:
        numbers: of the rows that are in the version.
        rows: all rows.
        ties: of each row in `numbers`.
        config: how to split.

    Returns:
        Number of the row -> split and role. Unlabelled rows are missing, and so are instances that would tie both sides
        of a split together.

    Raises:
        DataError: there are too few classes, or too few whose photos can be told apart.
    """
    labels = {i: label for i in numbers if (label := _label_of_instance(rows[i]))}
    items = {i: _split_item(label, rows[i], ties[i], config) for i, label in labels.items()}
    answers = assign(with_official_split(list(items.values()), config), config)
    assigned = {i: answer for i, answer in zip(items, answers, strict=True) if answer is not None}
    empty = [i for i in numbers if rows[i].kind == "empty"]
    return {**assigned, **{i: (split, None) for i, split in _splits_of_empty(empty, rows, ties, assigned, config)}}


def _label_of_instance(row: IngestRow) -> str | None:
    return row.label if row.kind == "instance" else None


def _split_item(label: str, row: IngestRow, ties: Ties, config: SplitConfig) -> SplitItem:
    photo = row.photo
    return SplitItem(
        label=label,
        sha256=row.sha256,
        group=photo.group,
        near_duplicates=ties.near_duplicates,
        session=ties.session,
        split=photo.split,
        role=photo.role,
        before=_earlier(row, config),
    )


def _earlier(row: IngestRow, config: SplitConfig) -> Assignment | None:
    """The earlier version's split and role, unless the source now says another split."""
    before = row.earlier_assignment
    if before is None or row.photo.split in {None, before[0]} or config.official == "ignore":
        return before
    was_split_off = config.official == "add_test" and row.photo.split == "train"
    return before if was_split_off else None


def _splits_of_empty(
    empty: Sequence[int],
    rows: Sequence[IngestRow],
    ties: Mapping[int, Ties],
    assigned: Mapping[int, Assignment],
    config: SplitConfig,
) -> Iterator[tuple[int, Split]]:
    splits_of_tie: dict[Hashable, set[Split]] = defaultdict(set)
    assigned_before = {i: split for i, (split, _) in assigned.items()}
    assigned_before |= {i: split for i in empty if (split := _fixed_split(rows[i], config)) is not None}
    for i, split in assigned_before.items():
        _note_split(splits_of_tie, _tie_keys(rows[i], ties[i]), split)
    for i in empty:
        keys = _tie_keys(rows[i], ties[i])
        split = assigned_before.get(i) or _split_by_ties(splits_of_tie, keys) or _drawn_split(rows[i], config)
        _note_split(splits_of_tie, keys, split)  # the next empty image that is tied to this one follows it
        yield i, split


def _note_split(splits_of_tie: dict[Hashable, set[Split]], keys: Sequence[Hashable], split: Split) -> None:
    for key in keys:
        splits_of_tie[key].add(split)


def _split_by_ties(splits_of_tie: Mapping[Hashable, set[Split]], keys: Sequence[Hashable]) -> Split | None:
    """The first split, training before the others, that holds something with one of these ties."""
    splits = {split for key in keys for split in splits_of_tie.get(key, ())}
    return next((split for split in SPLITS if split in splits), None)


def _fixed_split(row: IngestRow, config: SplitConfig) -> Split | None:
    earlier = _earlier(row, config)
    stated = None if config.official == "ignore" else row.photo.split
    return stated or (earlier[0] if earlier else None)


def _tie_keys(row: IngestRow, ties: Ties) -> list[Hashable]:
    """The near-duplicates, the group and the session of a row, whatever its class."""
    named = [("group", row.photo.group), ("near_duplicates", ties.near_duplicates), ("session", ties.session)]
    return [key for key in named if key[1] is not None]


def _drawn_split(row: IngestRow, config: SplitConfig) -> Split:
    return config.split_at(stable_random(config.seed, "photo", row.sha256))
