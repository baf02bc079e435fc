"""From labelled rows to photos, the same for an export file and for a live project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from discern.sources.base import UNSTATED, Photo
from discern.sources.labelbox.export import Picture
from discern.sources.labelbox.images import Download
from discern.sources.labelbox.labels import Thing

Loader = Callable[[], bytes]


class Labelled(NamedTuple):
    """A picture under its name, with what it shows."""

    name: str
    picture: Picture
    things: tuple[Thing, ...]

    @property
    def stamp(self) -> str | None:
        """The row's id and time of change: addresses are signed anew in every export, and are no part of it."""
        updated = self.picture.updated_at
        return None if updated is None else f"{self.picture.id} {updated}"

    def download(self) -> Loader:
        """How to get the image from its address."""
        return Download(self.picture.url, self.name, len(self.things)).load


def named(rows: Iterable[tuple[Picture, tuple[Thing, ...]]]) -> list[Labelled]:
    """Pictures by name: their global key, or their external id where only one has it, or the id of their data row."""
    found = list(rows)
    keys = Counter(picture.global_key for picture, _ in found)
    external = Counter(picture.external_id for picture, _ in found)

    def name(picture: Picture) -> str:
        if picture.global_key:
            return picture.global_key
        if picture.external_id and external[picture.external_id] == 1 and picture.external_id not in keys:
            return picture.external_id
        return picture.id

    return sorted((Labelled(name(picture), picture, things) for picture, things in found), key=lambda one: one.name)


def photos(
    labelled: Iterable[Labelled], sources: Callable[[Labelled], tuple[Loader, str | None]], margin: float
) -> Iterator[Photo]:
    """The photos, one for each thing.

    Args:
        labelled: the pictures.
        sources: how to get a picture's image, and its stamp.
        margin: what is shown around a box, as a share of its width and height.
    """
    for one in labelled:
        load, stamp = sources(one)
        for thing in one.things:
            yield Photo(
                one.name,
                thing.label,
                load,
                box=thing.box,
                margin=margin if thing.box else 0.0,
                stamp=stamp,
                note=_note(one) if thing.label is None else None,
                provenance=thing.provenance if thing.label is not None else UNSTATED,
            )


def _note(one: Labelled) -> str | None:
    if one.picture.status is None:
        return None
    return f"{one.name} has no label that counts: Labelbox has it as {one.picture.status}, so label or review it there."
