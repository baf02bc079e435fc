"""The settings of the sample pills."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from discern.sources.base import Role, Split

HELD_OUT_SPLITS: tuple[Split, ...] = ("test", "validation")


class PillsConfig(BaseModel):
    """The number of sample pills, and how hard they are to tell apart.

    A class is one sibling of one family. What a photo shows depends on the seed, the family, the sibling, its number
    and the settings of the picture (`size`, `clutter`, `tilt`, `pale`), not on how many there are: more families,
    siblings or photos leave the earlier photos as they were.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["pills"] = "pills"
    families: int = Field(ge=1, le=100_000, description="pills that differ in shape, colour, size and imprint")
    siblings: int = Field(
        default=1, ge=1, le=8, description="classes a family: look-alikes that differ by their imprint's text alone"
    )
    photos_per_class: int = Field(ge=1, le=10_000, description="photos of each class")
    size: int = Field(default=96, ge=32, le=512, description="side of the square photo, pixels")
    seed: int = Field(default=0, ge=0, lt=2**32, description="another seed gives other pills")
    clutter: float = Field(
        default=0.4, ge=0, le=1, description="0: a tidy table and an even light; 1: busy, uneven, blurred and noisy"
    )
    tilt: float = Field(default=12.0, ge=0, le=35, description="how far a pill may lean away from the camera, degrees")
    pale: float = Field(
        default=0.3, ge=0, le=1, description="share of families that are white or nearly so, hence told apart by form"
    )

    variety: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="0: shapes and colours as common as in a pharmacy; 1: all shapes alike, half of them two-toned",
    )

    heldout_families: int = Field(
        default=0,
        ge=0,
        description="the last families, with all their siblings, never train and go to test and validation by turns; "
        "0: `splits` holds classes out, siblings apart",
    )
    unknowns: int = Field(default=0, ge=0, description="how many of the held-out families are never enrolled")
    shots: int = Field(default=4, ge=1, description="gallery photos of each class of the other held-out families")

    @model_validator(mode="after")
    def _make_sense(self) -> PillsConfig:
        if self.heldout_families and not self.unknowns < self.heldout_families < self.families:
            raise ValueError("heldout_families are some of the families, and unknowns some of them: lower them")
        if self.heldout_families and self.shots >= self.photos_per_class:
            raise ValueError("shots leave no photo to ask about: lower them, or raise photos_per_class")
        return self

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.families * self.siblings

    def class_of(self, class_index: int) -> tuple[int, int]:
        """The family and the sibling of a class, both from 0.

        Raises:
            IndexError: there is no such class.
        """
        if not 0 <= class_index < self.classes:
            raise IndexError(f"class {class_index} does not exist: there are {self.classes} classes of sample pills.")
        return divmod(class_index, self.siblings)

    def label_of(self, class_index: int) -> str:
        """The label of a class: `pill-0007-b` is the second sibling of family 7."""
        family, sibling = self.class_of(class_index)
        return f"pill-{family:04d}-{'abcdefgh'[sibling]}"

    def assignment_of(self, class_index: int, number: int) -> tuple[Split | None, Role | None]:
        """The split and the role of a photo; None and None where no family is held out."""
        if not self.heldout_families:
            return None, None
        family, _ = self.class_of(class_index)
        heldout = family - (self.families - self.heldout_families)
        if heldout < 0:
            return "train", "gallery"
        enrolled = heldout < self.heldout_families - self.unknowns
        role: Role = "gallery" if enrolled and number < self.shots else "query"
        return HELD_OUT_SPLITS[heldout % 2], role
