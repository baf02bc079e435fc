"""From labelled rows to photos, the same for an export file and for a live project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from discern.sources.base import UNSTATED, Photo
from discern.sources.labelbox.export import Picture
from discern.sources.labelbox.images import Download
from discern.sources.labelbox.labels import Instances

Loader = Callable[[], bytes]


class Labelled(NamedTuple):
    """A picture under its name, with the instances that it shows."""

    name: str
    picture: Picture
    instances: Instances

    @property
    def stamp(self) -> str | None:
        """The row's id and time of change; addresses are signed anew in every export, and are no part of it."""
        updated = self.picture.updated_at
        return None if updated is None else f"{self.picture.id} {updated}"

    def download(self) -> Loader:
        """Return a function that fetches the image from its address."""
        return Download(self.picture.url, self.name, len(self.instances)).load


def named(rows: Iterable[tuple[Picture, Instances]]) -> list[Labelled]:
    """Return pictures by name: their global key, else their external id if only one has it, else their row's id."""
    rows = list(rows)
    keys = Counter(picture.global_key for picture, _ in rows)
    external = Counter(picture.external_id for picture, _ in rows)

    def name(picture: Picture) -> str:
        if picture.global_key:
            return picture.global_key
        if picture.external_id and external[picture.external_id] == 1 and picture.external_id not in keys:
            return picture.external_id
        return picture.id

    labelled = [Labelled(name(picture), picture, instances) for picture, instances in rows]
    return sorted(labelled, key=lambda picture: picture.name)


def photos(
    labelled: Iterable[Labelled], sources: Callable[[Labelled], tuple[Loader, str | None]], margin: float, name: str
) -> Iterator[Photo]:
    """Yield the photos, one for each instance.

    Args:
        labelled: the pictures.
        sources: gives a picture's image, as something to call, and its stamp.
        margin: what is shown around a box, as a share of its width and height.
        name: of the source.
    """
    for picture in labelled:
        load, stamp = sources(picture)
        size = picture.picture.stated_size
        for instance in picture.instances:
            is_labelled = instance.label is not None or instance.empty
            yield Photo(
                picture.name,
                instance.label,
                load,
                box=instance.box,
                margin=margin if instance.box else 0.0,
                stamp=stamp,
                note=None if is_labelled else instance.note or _note(picture),
                empty=instance.empty,
                provenance=instance.provenance if is_labelled else UNSTATED,
                stated_size=size._replace(stated_by=name) if size and instance.box else None,
                fault=instance.fault,
            )


def _note(labelled: Labelled) -> str | None:
    status = labelled.picture.status
    if status is None:
        return None
    return f"{labelled.name} has no label that counts: Labelbox has it as {status}, so label or review it there."
