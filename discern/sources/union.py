"""Several named sources as one, each with its own config and its own provenance."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from discern.sources.base import UNSTATED, Photo, Provenance, Source


@dataclass(frozen=True)
class Member:
    """One source of several.

    Args:
        name: its name, which stands before the names of its photos.
        source: the source.
        provenance: what holds for each of its photos that does not state it itself.
    """

    name: str
    source: Source
    provenance: Provenance = UNSTATED


class UnionSource(Source):
    """The photos of several sources, one source after the other, as `NAME/name of the photo`.

    Args:
        members: the sources; their names differ.
    """

    has_full_names = True

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = tuple(members)
        self.name = "+".join(member.name for member in self._members)
        self.is_live = any(member.source.is_live for member in self._members)

    def fingerprint(self) -> str:
        """Return a hash of the members' names, provenances and fingerprints."""
        digest = hashlib.sha256()
        for member in self._members:
            parts = [member.name, repr(member.provenance), member.source.fingerprint()]
            digest.update(json.dumps(parts).encode())
        return digest.hexdigest()

    def __len__(self) -> int:
        return sum(len(member.source) for member in self._members)

    def photos(self) -> Iterator[Photo]:
        """Stream the photos; none is read before it is loaded.

        Raises:
            DataError: a member cannot be read.
        """
        for member in self._members:
            for photo in member.source.photos():
                yield _photo_of(member, photo)


def _photo_of(member: Member, photo: Photo) -> Photo:
    name = f"{member.name}/{photo.name}"
    if photo.kind == "unlabelled":  # nobody labelled it: only the device and the release can hold
        defaults = Provenance(device=member.provenance.device, release=member.provenance.release)
    else:
        defaults = member.provenance
    return replace(photo, name=name, provenance=photo.provenance.filled(defaults))
