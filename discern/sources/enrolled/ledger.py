"""The ledger of a use case: what people asked to enrol and to retire, with the photos, and what became of it.

    photos/SHA256.ENDING     the photos as they came, each once
    requests/ID.json         what somebody asked for; written before anything is done
    published/ID-RELEASE.json   a release that was built for it, and when that was live; written before it is published

The next dataset version takes the photos from here (`discern.sources.enrolled.source`), so that the next training knows
what was enrolled without one. A request that was refused stays, and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

from botocore.exceptions import BotoCoreError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from discern.errors import DataError
from discern.map_ahead import map_ahead
from discern.storage.remote import Storage
from edge_runtime.files import sha256_bytes

LONGEST_NAME, LONGEST_LABEL = 200, 500  # signs of who asks, and of a class
Label = Annotated[str, Field(min_length=1, max_length=LONGEST_LABEL)]
Content = TypeVar("Content", bound=BaseModel)
ID_DIGITS = 16
ENDING = 10  # signs of a file name's ending at most


@dataclass(frozen=True)
class OfferedPhoto:
    """A photo that somebody wants to enrol.

    Attributes:
        label: the class that it shows.
        name: what messages call it.
        data: the encoded image.
    """

    label: str
    name: str
    data: bytes


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RequestedPhoto(_Strict):
    """A photo of a request.

    Attributes:
        label: the class that it shows.
        name: the name that it came with.
        sha256: of its bytes, 64 hex digits.
        file: its name below `photos/`.
    """

    label: Label
    name: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    file: Annotated[str, Field(pattern=r"^[0-9a-f]{64}[.a-z0-9]{0,10}$")]


class EnrolmentRequest(_Strict):
    """What somebody asked for.

    Attributes:
        format: of this file.
        use_case: whose classes change.
        requested: when.
        by: name of who asked.
        why: the reason, where one was given.
        photos: what is enrolled.
        replace: whether the new photos of a class take the place of its earlier ones.
        retire: labels of classes that are enrolled no longer.
    """

    format: Literal[1] = 1
    use_case: str
    requested: AwareDatetime
    by: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    why: str | None = None
    photos: tuple[RequestedPhoto, ...] = ()
    replace: bool = False
    retire: tuple[Label, ...] = ()

    @property
    def id(self) -> str:
        """16 hex digits that no other request has."""
        return sha256_bytes(self.model_dump_json().encode())[:ID_DIGITS]

    @property
    def labels(self) -> frozenset[str]:
        """The classes that photos are enrolled for."""
        return frozenset(photo.label for photo in self.photos)


class Period(_Strict):
    """A time in which a request counted; without an end it counts now."""

    start: AwareDatetime
    end: AwareDatetime | None = None

    def holds(self, when: datetime) -> bool:
        """Return True if `when` lies in it."""
        return self.start <= when and (self.end is None or when < self.end)


class PublishedRequest(_Strict):
    """A request that a release was built for.

    Attributes:
        request: id of the request.
        release: id of the release.
        published: when it was about to be published.
        periods: when the request counted, the first period first: devices used the release, or one that came after it.
            A staged release waits, and a rollback ends a period, which a release that is approved again begins anew.
    """

    format: Literal[2] = 2
    request: str
    release: str
    published: AwareDatetime
    periods: tuple[Period, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _migrate(cls, data: Any) -> Any:
        """Read format 1, which said whether the request was live alone."""
        if not isinstance(data, dict) or data.get("format") != 1:
            return data
        live = [{"start": data.get("published")}] if data.get("live", True) else []
        return {key: value for key, value in data.items() if key != "live"} | {"format": 2, "periods": live}

    @property
    def live(self) -> bool:
        """Whether it counts now."""
        return bool(self.periods) and self.periods[-1].end is None

    def counted(self, when: datetime) -> bool:
        """Return True if it counted then."""
        return any(period.holds(when) for period in self.periods)

    def settled(self, now: datetime, *, live: bool) -> PublishedRequest:
        """Return the note with whether it counts from now on."""
        if live == self.live:
            return self
        ended = self.periods[-1].model_copy(update={"end": now}) if self.periods else None
        periods = (*self.periods, Period(start=now)) if live else (*self.periods[:-1], ended)
        return self.model_copy(update={"periods": periods})


@dataclass(frozen=True)
class EnrolledClass:
    """The photos of one class that were enrolled without training.

    Attributes:
        photos: in the order in which they were enrolled, with the request of each; one of them may be there twice.
        replaces: whether they take the place of the photos that other sources hold of the class.
    """

    photos: tuple[tuple[RequestedPhoto, EnrolmentRequest], ...]
    replaces: bool


@dataclass(frozen=True)
class EnrolledState:
    """What all published requests come to.

    Attributes:
        classes: by label.
        retired: the request that retired each label that is retired now.
    """

    classes: Mapping[str, EnrolledClass]
    retired: Mapping[str, EnrolmentRequest]


class Ledger:
    """The ledger at `url`, a folder or an address that fsspec knows.

    Raises:
        OSError: fsspec cannot open it.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._storage = Storage(url)

    def offer(self, request: EnrolmentRequest, photos: Sequence[OfferedPhoto]) -> EnrolmentRequest:
        """Store the photos, then the request with them.

        Args:
            request: without photos.
            photos: of it.

        Raises:
            OSError: they cannot be written.
        """
        requested = tuple(_requested(photo) for photo in photos)
        request = request.model_copy(update={"photos": requested})
        files = {one.file: photo.data for one, photo in zip(requested, photos, strict=True)}
        # A photo that is there is written all the same: it may be damaged.
        for _ in map_ahead(lambda item: self._storage.replace(f"photos/{item[0]}", item[1]), files.items()):
            pass
        self._storage.replace(f"requests/{request.id}.json", _json(request))
        return request

    def read(self, identity: str) -> EnrolmentRequest:
        """Return a request.

        Raises:
            DataError: there is none of this id, or it is damaged.
        """
        return self._read(f"requests/{identity}.json", EnrolmentRequest)

    def photos(self, request: EnrolmentRequest) -> list[OfferedPhoto]:
        """Return the photos of a request.

        Raises:
            DataError: a photo is missing or altered.
        """
        return [OfferedPhoto(photo.label, photo.name, data) for photo, data in map_ahead(self.load, request.photos)]

    def load(self, photo: RequestedPhoto) -> bytes:
        """Return the bytes of a photo.

        Raises:
            DataError: it is missing or altered, or cannot be read.
        """
        with self._reading():
            data = self._storage.read(f"photos/{photo.file}")
        if data is None or sha256_bytes(data) != photo.sha256:
            what = "is missing" if data is None else "was altered"
            raise DataError(
                f"{self.url}/photos/{photo.file} {what}: enrol {photo.label!r} again, with this photo ({photo.name}), "
                "or with others and --replace."
            )
        return data

    def publish(self, request: EnrolmentRequest, release: str, *, live: bool = True) -> None:
        """Note a release that was built for a request; doing it again changes nothing.

        Args:
            request: what was asked for.
            release: id of the release.
            live: False where it is not published yet; `settle` lets it count once it is.

        Raises:
            OSError: it cannot be written.
        """
        now = datetime.now(timezone.utc)
        periods = (Period(start=now),) if live else ()
        note = PublishedRequest(request=request.id, release=release, published=now, periods=periods)
        self._storage.create(f"published/{request.id}-{release}.json", _json(note))

    def settle(self, live_releases: Collection[str], trained: datetime) -> None:
        """Say anew which requests are live.

        Args:
            live_releases: those that the release in production was enrolled from, itself among them.
            trained: when the first of them was built; what counted then is in its dataset version, and counts with it.

        Raises:
            DataError: a note is damaged, or cannot be read.
            OSError: a note cannot be written.
        """
        now = datetime.now(timezone.utc)
        for file, note in self._notes().items():
            settled = note.settled(now, live=note.release in live_releases or note.counted(trained))
            if settled != note:
                self._storage.replace(file, _json(settled))

    def has_notes(self) -> bool:
        """Return True if a release was ever published for a request.

        Raises:
            DataError: its place cannot be read.
        """
        return bool(self._published_files())

    def exists(self) -> bool:
        """Return True if a request of this ledger is live.

        Raises:
            DataError: a note is damaged, or cannot be read.
        """
        return any(note.live for note in self._notes().values())

    def published(self) -> list[tuple[EnrolmentRequest, PublishedRequest]]:
        """Return the requests that are live, the first one first.

        Raises:
            DataError: the note of one, or the request itself, is missing or damaged, or cannot be read.
        """
        live = [note for note in self._notes().values() if note.live]
        # A request that was run twice has two notes: the first one holds.
        first = {note.request: note for note in sorted(live, key=lambda note: note.published, reverse=True)}
        notes = sorted(first.values(), key=lambda note: note.published)
        return [(request, note) for note, request in map_ahead(lambda note: self.read(note.request), notes)]

    def _notes(self) -> dict[str, PublishedRequest]:
        """Return every note by its file."""
        return dict(map_ahead(lambda file: self._read(file, PublishedRequest), self._published_files()))

    def state(self) -> EnrolledState:
        """Return what all requests that went live come to.

        Raises:
            DataError: as `published`.
        """
        return replay(request for request, _ in self.published())

    def _published_files(self) -> list[str]:
        with self._reading():
            return self._storage.glob("published/*.json")

    def _read(self, name: str, kind: type[Content]) -> Content:
        with self._reading():
            data = self._storage.read(name)
        if data is None:
            raise DataError(f"{self.url}/{name} does not exist: {_mend(name)}")
        try:
            return kind.model_validate_json(data)
        except ValidationError:
            raise DataError(f"{self.url}/{name} is damaged: {_mend(name)}") from None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, BotoCoreError) as error:
            raise DataError(f"{self.url} cannot be read ({error}): check the address and the rights.") from error


def replay(requests: Iterable[EnrolmentRequest]) -> EnrolledState:
    """Return what requests come to, one after the other; pure."""
    classes: dict[str, EnrolledClass] = {}
    retired: dict[str, EnrolmentRequest] = {}
    for request in requests:
        for label in request.retire:
            classes.pop(label, None)
            retired[label] = request
        for label in dict.fromkeys(photo.label for photo in request.photos):
            before = classes.get(label)
            photos = tuple((photo, request) for photo in request.photos if photo.label == label)
            # A class that was retired and is enrolled again begins anew.
            replaces = request.replace or label in retired
            retired.pop(label, None)
            if before is None or replaces:
                classes[label] = EnrolledClass(photos, replaces)
            else:
                classes[label] = EnrolledClass(before.photos + photos, before.replaces)
    return EnrolledState(classes, retired)


def _requested(photo: OfferedPhoto) -> RequestedPhoto:
    sha256 = sha256_bytes(photo.data)
    ending = PurePosixPath(photo.name).suffix.lower()
    plain = ending if ending[1:].isalnum() and ending.isascii() and len(ending) <= ENDING else ""
    return RequestedPhoto(label=photo.label, name=photo.name, sha256=sha256, file=sha256 + plain)


def _mend(name: str) -> str:
    request = PurePosixPath(name).stem.partition("-")[0]
    return f"restore it, or delete requests/{request}.json and published/{request}*.json there, and enrol again."


def _json(content: BaseModel) -> bytes:
    return (content.model_dump_json(indent=1) + "\n").encode()
