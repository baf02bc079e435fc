"""Boxes of a picture of another size than the file's: turned and scaled to the upright picture, or refused.

An annotation states the size of the picture that was labelled. Phones store many photos lying on their side, with
EXIF's orientation beside them, and some labelling tools show what is stored; photos are scaled after labelling.

Rules kept:
- the upright picture's size, or its shape at another scale: the box is scaled;
- the size of the picture as it is stored, or its shape at another scale: the box is turned and scaled;
- one shape is another's at another scale if each side is within a pixel (`NEARLY`) of the smaller of the two pictures;
- where both sizes are one (a picture upside down, mirrored or square), what holds for all of the source's other turned
  photos holds for it; else the annotation's own word on the orientation counts; else it cannot be told if those photos
  are of both kinds, and is taken to be of the upright picture, which is what most tools show, if there are none;
- any other size is not of this picture, and what is boxed in it cannot be used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from discern.sources.base import StatedSize
from discern.sources.orientation import SIDEWAYS, UPRIGHT, turned_box, turned_size
from discern.sources.parsing import pixels
from edge_runtime.core.images import Box

NEARLY = 1.0  # pixels by which rounding may change a side
LEAST_SIDE = 8.0  # pixels: of smaller pictures any shape is nearly any other
Frame = Literal["upright", "stored"]
Size = tuple[float, float]


@dataclass(frozen=True)
class Picture:
    """A picture that a photo shows.

    Args:
        size: width and height when it is upright, pixels.
        orientation: EXIF's.
    """

    size: Size
    orientation: int

    @property
    def stored_size(self) -> Size:
        """Width and height before it is turned."""
        return turned_size(self.size, self.orientation)


def frames(stated: StatedSize, picture: Picture) -> set[Frame]:
    """Return what a stated size can be the size of; an equal size goes before one at another scale."""
    size = (stated.width, stated.height)
    candidates: dict[Frame, Size] = {"upright": picture.size}
    if picture.orientation != UPRIGHT:
        candidates["stored"] = picture.stored_size
    equal: set[Frame] = {frame for frame, other in candidates.items() if other == size}
    return equal or {frame for frame, other in candidates.items() if is_scaled(size, other)}


def is_scaled(size: Size, other: Size) -> bool:
    """Return True if two sizes are of one shape, but for rounding to whole pixels."""
    (small_width, small_height), (width, height) = sorted((size, other), key=lambda sides: sides[0] * sides[1])
    if min(small_width, small_height) < LEAST_SIDE:
        return False
    # The scales at which the larger width comes within a pixel of the smaller, and likewise the height.
    lowest = max((small_width - NEARLY) / width, (small_height - NEARLY) / height)
    return lowest <= min((small_width + NEARLY) / width, (small_height + NEARLY) / height)


def usual_frames(seen: Iterable[tuple[str, set[Frame]]]) -> Mapping[str, set[Frame]]:
    """Return the frames that a source's boxes are of, by the photos where that is certain.

    Args:
        seen: source and possible frames of each photo.
    """
    usual: dict[str, set[Frame]] = defaultdict(set)
    for source, possible in seen:
        if len(possible) == 1:
            usual[source] |= possible
    return usual


def frame_of(stated: StatedSize, picture: Picture, usual: set[Frame]) -> Frame | None:
    """Return what a stated size is the size of, or None where that is neither of the two, or cannot be told.

    Args:
        stated: the size that the annotation states.
        picture: the photo's.
        usual: the frames of the source's other photos.
    """
    possible = frames(stated, picture)
    if len(possible) < 2:
        return next(iter(possible), None)
    if len(usual) == 1:
        return next(iter(usual))
    if picture.orientation == stated.orientation:
        return "stored"
    return None if usual else "upright"


def reason(stated: StatedSize, picture: Picture) -> str:
    """Say why a box cannot be used whose frame is none."""
    if frames(stated, picture):
        return (
            "the box may be of the picture before or after it is turned upright, and the source's other photos are of "
            "both kinds: turn the file upright, and look at the box again."
        )
    width, height = (f"{side:g}" for side in picture.size)
    stored = "" if picture.orientation not in SIDEWAYS else f" ({height} x {width} before EXIF's orientation)"
    return (
        f"the annotation is of a picture of {stated.width:g} x {stated.height:g} pixels, and the file has {width} x "
        f"{height}{stored}: put back the picture that was labelled, or label this one."
    )


def fitted(box: Box, stated: StatedSize, picture: Picture, frame: Frame) -> Box:
    """Return a box in pixels of the upright picture.

    Args:
        box: pixels of a picture of the stated size.
        stated: that size.
        picture: the photo's.
        frame: what the stated size is the size of.
    """
    size = (stated.width, stated.height)
    if frame == "stored":
        box, size = turned_box(box, size, picture.orientation), turned_size(size, picture.orientation)
    across, down = picture.size[0] / size[0], picture.size[1] / size[1]
    if (across, down) == (1.0, 1.0):
        return box
    left, top, right, bottom = box
    return pixels(left * across), pixels(top * down), pixels(right * across), pixels(bottom * down)
