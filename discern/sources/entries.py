"""Sources that know all their photos before any is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import NamedTuple

from pydantic import BaseModel

from discern.errors import DataError
from discern.sources.base import UNSTATED, Photo, Provenance, Role, Source, Split, StatedSize
from discern.sources.files.tree import Tree
from discern.sources.names import NamesConfig
from edge_runtime.core.images import Box


class Entry(NamedTuple):
    """One photo, or one thing in a photo: what `Photo` says, without its bytes. A source may hold a million."""

    path: str
    label: str | None
    box: Box | None = None
    split: Split | None = None
    role: Role | None = None
    group: str | None = None
    captured_at: datetime | None = None
    margin: float | None = None  # None: the source's
    empty: bool = False  # somebody looked and saw nothing
    provenance: Provenance = UNSTATED
    stated_size: StatedSize | None = None
    fault: str | None = None  # why it cannot be used; its path may then be of no file


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Entries by path, then by box, then by label: one order, whatever the annotations' format and theirs was."""
    return sorted(entries, key=lambda entry: (entry.path, entry.box or (), entry.label or ""))


def with_names(entries: Iterable[Entry], names: NamesConfig | None) -> Iterator[Entry]:
    """Entries with the group and the time that their paths hold.

    Raises:
        DataError: a time is not written as the settings say.
    """
    for entry in entries:
        if names is None:
            yield entry
        else:
            yield entry._replace(group=names.group(entry.path), captured_at=names.captured_at(entry.path))


def _refuse(fault: str) -> bytes:
    raise DataError(fault)


class ListedSource(Source):
    """A source whose photos are known before any is read.

    Args:
        name: for messages and lineage.
        tree: the files.
        config: the settings; another setting, another fingerprint.
        entries: the photos, in order.
        margin: what is shown around a box, as a share of its width and height.
    """

    def __init__(self, name: str, tree: Tree, config: BaseModel, entries: list[Entry], margin: float = 0.0) -> None:
        self.name = name
        self.config = config
        self._tree = tree
        # A source that knows one split has none: YOLO's folders are named after it even where nothing was held out.
        usable = [entry for entry in entries if entry.fault is None]
        only_train = {entry.split for entry in usable} == {"train"} and all(entry.role is None for entry in usable)
        self._entries = [entry._replace(split=None) for entry in entries] if only_train else entries
        self._margin = margin

    def fingerprint(self) -> str:
        """A hash of the files and of the settings."""
        return hashlib.sha256(f"{self.config.model_dump_json()}{self._tree.fingerprint()}".encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._entries)

    def photos(self) -> Iterator[Photo]:
        """Stream the photos; none is read before it is loaded."""
        for entry in self._entries:
            yield self._photo(entry)

    def _photo(self, entry: Entry) -> Photo:
        if entry.fault is not None:
            return Photo(entry.path, entry.label, partial(_refuse, entry.fault), split=entry.split, fault=entry.fault)
        size = entry.stated_size
        return Photo(
            name=entry.path,
            label=entry.label,
            data=partial(self._tree.read, entry.path),
            box=entry.box,
            split=entry.split,
            role=entry.role,
            group=entry.group,
            captured_at=entry.captured_at,
            margin=self._margin_of(entry),
            stamp=self._tree.stamp(entry.path),
            empty=entry.empty,
            provenance=entry.provenance,
            stated_size=None if size is None else size._replace(stated_by=self.name),
        )

    def _margin_of(self, entry: Entry) -> float:
        if entry.box is None:
            return 0.0
        return self._margin if entry.margin is None else entry.margin
