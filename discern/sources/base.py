"""The photos that every source yields, and the interface that every source offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, get_args

from edge_runtime.core.images import Box

Split = Literal["train", "validation", "test"]
Role = Literal["gallery", "query"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
ROLES: tuple[Role, ...] = ("gallery", "query")

# An instance has a label. In an empty image somebody looked and saw nothing. An unlabelled image nobody looked at yet.
RowKind = Literal["instance", "empty", "unlabelled"]
ROW_KINDS: tuple[RowKind, ...] = get_args(RowKind)

# A label came with the data (`import`), a person gave it in a labelling tool (`annotation`), looked at it again
# (`review`) or mended a device's answer (`correction`), or a model predicted it (`model`).
LabelMethod = Literal["import", "annotation", "review", "correction", "model"]
LABEL_METHODS: tuple[LabelMethod, ...] = get_args(LabelMethod)


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a label and of its photo; None where nobody stated it.

    Args:
        labelled_by: name or address of who labelled.
        label_method: by what means; a label whose means nobody stated counts as `import`.
        labelled_at: time of labelling.
        confidence: how sure the labeller is, 0 to 1.
        device: name of the device that took the photo.
        release: id of the release that the device ran.
    """

    labelled_by: str | None = None
    label_method: LabelMethod | None = None
    labelled_at: datetime | None = None
    confidence: float | None = None
    device: str | None = None
    release: str | None = None

    def filled(self, defaults: Provenance) -> Provenance:
        """Return this provenance with `defaults` where nothing is stated."""
        if self == UNSTATED:
            return defaults
        names = [field.name for field in fields(self)]
        stated = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(defaults, **stated)


PROVENANCE = tuple(field.name for field in fields(Provenance))
UNSTATED = Provenance()


@dataclass(frozen=True)
class ServiceKey:
    """A key that a source needs before it is opened.

    Args:
        secret_name: name of the secret in the stack's secret store.
        variable: variable of the environment that the source reads.
    """

    secret_name: str
    variable: str


class StatedSize(NamedTuple):
    """The size of a picture as its annotation states it: the box is of a picture of this size.

    Attributes:
        width: pixels.
        height: pixels.
        orientation: EXIF's orientation of the picture, where the annotation states that too.
        stated_by: the source; its tool turned all pictures upright, or none.
    """

    width: float
    height: float
    orientation: int | None = None
    stated_by: str = ""


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo, or one thing in a photo, as its source holds it.

    Args:
        name: its path inside the source, for messages and lineage.
        label: the class it shows; None in an empty image, and where nobody has said.
        data: the encoded image, or how to get it; `load` asks for it, in a thread of its own.
        box: where the thing is: (left, top, right, bottom), pixels of the upright picture, or of one of the size that
            `stated_size` says; None is the whole picture.
        split: the source's own split, or None where the split is ours to choose.
        role: the source's own role, gallery (enrolled) or query (asked), or None likewise.
        group: photos of one group (one object, one tray) stay on one side of a split.
        captured_at: when it was taken; where it is None, the picture's own EXIF is asked.
        margin: what is shown around the box, as a share of its width and height.
        stamp: changes whenever the encoded image may have changed; None where only reading it would tell.
        note: why it has no label, one sentence, where its source knows.
        empty: somebody looked and says that the image shows nothing of what is labelled.
        provenance: who labelled, by what means, when, how sure; and the device that took it.
        stated_size: the size of the picture that `box` is of, where that may be another than the upright one's.
        fault: why it cannot be used, one sentence, where its source knows; such a photo is never loaded.
        is_enrolled: it was enrolled into a release without training, and another source may hold it as well; its name
            is a full one, whatever source it is read beside (see `Source.has_full_names`).
    """

    name: str
    label: str | None
    data: bytes | Callable[[], bytes]
    box: Box | None = None
    split: Split | None = None
    role: Role | None = None
    group: str | None = None
    captured_at: datetime | None = None
    margin: float = 0.0
    stamp: str | None = None
    note: str | None = None
    empty: bool = False
    provenance: Provenance = UNSTATED
    stated_size: StatedSize | None = None
    fault: str | None = None
    is_enrolled: bool = False

    def __post_init__(self) -> None:
        """Refuse a photo that is empty and shows something.

        Raises:
            ValueError: it is empty and has a label or a box.
        """
        if self.empty and (self.label is not None or self.box is not None):
            raise ValueError(f"{self.name} is empty and has a label or a box: state one of them")

    @property
    def kind(self) -> RowKind:
        """Its kind of row in a manifest."""
        if self.label is not None:
            return "instance"
        return "empty" if self.empty else "unlabelled"

    def load(self) -> bytes:
        """The encoded image.

        Raises:
            DataError: it cannot be read.
        """
        return self.data() if callable(self.data) else self.data


class Source(Protocol):
    """The interface of a source of labelled photos; a source names it as its base class.

    Attributes:
        name: for messages and lineage.
        is_live: people go on labelling while it is read; what is read is whole in itself, and may differ from its
            fingerprint of a moment ago.
        has_full_names: the names of its photos begin with the name of the source that holds them, and a slash.
        withdrawals: label -> why its photos count no more, part of a sentence; those that were enrolled do.
    """

    name: str
    is_live: bool = False
    has_full_names: bool = False
    withdrawals: Mapping[str, str] = MappingProxyType({})

    def fingerprint(self) -> str:
        """Return a cheap hash that changes whenever a listing, a size, a time of change or a setting changes."""
        ...

    def __len__(self) -> int:
        """Return the number of photos, for progress."""
        ...

    def photos(self) -> Iterator[Photo]:
        """Stream the photos; none is read before it is loaded, and loading works in any thread.

        Raises:
            DataError: the source cannot be read.
        """
        ...
