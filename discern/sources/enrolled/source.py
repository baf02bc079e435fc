"""The photos that were enrolled without training, and what was retired or replaced, as a ledger has it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import partial

from discern.sources.base import Photo, Provenance, Source
from discern.sources.enrolled.ledger import EnrolledState, EnrolmentRequest, Ledger, RequestedPhoto, replay

DIGITS = 12  # of a photo's hash in its name


class EnrolledSource(Source):
    """The photos of all classes that are enrolled now, as `LABEL/SHA256.ending`, class by class.

    What is published after the source was opened is not in it.

    Raises:
        DataError: the ledger cannot be read, or a request in it is damaged.
    """

    name = "enrolled"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        requests = [request for request, _ in ledger.published()]
        self._requests = [request.id for request in requests]
        state = replay(requests)
        self.withdrawals: Mapping[str, str] = _withdrawals(state)
        self._photos: dict[tuple[str, str], tuple[RequestedPhoto, EnrolmentRequest]] = {}
        for enrolled in state.classes.values():
            for photo, request in enrolled.photos:  # of one that was enrolled twice, the first request holds
                self._photos.setdefault((photo.label, photo.sha256), (photo, request))

    def fingerprint(self) -> str:
        """Return a hash of the requests that went live."""
        return hashlib.sha256(json.dumps(self._requests).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._photos)

    def photos(self) -> Iterator[Photo]:
        """Stream the photos; none is read before it is loaded."""
        for photo, request in self._photos.values():
            yield self._photo(photo, request)

    def _photo(self, photo: RequestedPhoto, request: EnrolmentRequest) -> Photo:
        ending = photo.file.removeprefix(photo.sha256)
        return Photo(
            name=f"{photo.label}/{photo.sha256[:DIGITS]}{ending}",
            label=photo.label,
            data=partial(self._ledger.load, photo),
            stamp=photo.sha256,
            provenance=Provenance(request.by, "annotation", request.requested),
            is_enrolled=True,
        )


def _withdrawals(state: EnrolledState) -> dict[str, str]:
    """Return label -> why photos of other sources count no more."""
    retired = {label: _reason(label, "was retired", request) for label, request in state.retired.items()}
    replaced = {
        label: _reason(label, "was enrolled anew, with other photos,", enrolled.photos[0][1])
        for label, enrolled in state.classes.items()
        if enrolled.replaces
    }
    return retired | replaced


def _reason(label: str, what: str, request: EnrolmentRequest) -> str:
    why = f": {request.why.strip().rstrip('.')}" if request.why and request.why.strip() else ""
    return f"its class {label!r} {what} on {request.requested:%Y-%m-%d} by {request.by}{why}"
