"""The settings by which photos are split, and what becomes of the split that their source gives them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from discern.sources.base import Split

MIN_TRAIN_CLASSES = 2  # a metric needs something to tell apart
MIN_ENROLLED_CLASSES = 2  # so does a test of one
HELD_OUT: tuple[Split, ...] = ("test", "validation")


class SplitConfig(BaseModel):
    """The way that photos are split which come without a split of their own.

    Args:
        by: `classes` holds out whole classes, `photos` holds out photos of every class; `auto` is `classes` where there
            are enough to hold some out, else `photos`, and a version that grows stays as it was.
        seed: another seed, another split.
        validation_share: share of the classes (of the photos, where they are split) to calibrate on, about.
        test_share: share of them to test on, about.
        unknown_share: share of the held-out classes that are never enrolled; means nothing where photos are split.
        shots: gallery photos of each held-out class that is enrolled; at least one photo remains a query.
        session_minutes: photos of one class are one capture session while no longer pause lies between two of them, and
            stay on one side; 0 ignores capture times.
        official: the source's own split: `keep` it; `ignore` it and split all photos anew; or `add_test`, which keeps
            it and splits off its training photos whatever part it lacks, test or validation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Literal["classes", "photos", "auto"] = "classes"
    seed: int = 0
    validation_share: float = Field(default=0.2, gt=0, lt=1)
    test_share: float = Field(default=0.2, gt=0, lt=1)
    unknown_share: float = Field(default=0.3, ge=0, lt=1)
    shots: int = Field(default=3, ge=1)
    session_minutes: float = Field(default=10, ge=0)
    official: Literal["keep", "ignore", "add_test"] = "keep"

    @model_validator(mode="after")
    def _leave_some_to_train(self) -> SplitConfig:
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share leave nothing to train on: lower them to less than 1")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `official` where it is `keep`: versions from before it was there compare equal, and keep ids."""
        values: dict[str, Any] = write(self)
        if values.get("official") == "keep":
            del values["official"]
        return values

    @property
    def min_unknown_classes(self) -> int:
        """The number of unknown classes that each held-out split needs to measure anything."""
        return 1 if self.unknown_share > 0 else 0

    @property
    def min_classes(self) -> int:
        """The number of classes without a split of their own that are needed to hold some out whole."""
        return MIN_TRAIN_CLASSES + 2 * self.min_heldout

    @property
    def min_heldout(self) -> int:
        """The number of classes that each held-out split needs."""
        return MIN_ENROLLED_CLASSES + self.min_unknown_classes

    def split_at(self, draw: float) -> Split:
        """Return the split of what was drawn at `draw`, a number in [0, 1)."""
        if draw < self.test_share:
            return "test"
        if draw < self.test_share + self.validation_share:
            return "validation"
        return "train"
