"""What a check asks, what it answers, and the limits in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from discern.errors import GateError

Check = Literal[
    "left_out",
    "broken_photos",
    "class_counts",
    "label_names",
    "label_conflicts",
    "other_class",
    "class_outliers",
    "duplicates",
    "leakage",
    "queries",
    "unknowns",
    "new_labels",
    "image_size",
    "dark_images",
    "blurred_images",
    "property_outliers",
    "property_drift",
    "label_drift",
]
TITLES: dict[Check, str] = {
    "left_out": "Photos left out",
    "broken_photos": "Photos that cannot be used",
    "class_counts": "Photos per class",
    "label_names": "Label names",
    "label_conflicts": "Label conflicts",
    "other_class": "Photos that look like another class",
    "class_outliers": "Photos unlike their class",
    "duplicates": "Near-duplicates",
    "leakage": "Leakage between splits",
    "queries": "Queries of enrolled classes",
    "unknowns": "Unknown queries",
    "new_labels": "New labels",
    "image_size": "Image size",
    "dark_images": "Dark images",
    "blurred_images": "Blurred images",
    "property_outliers": "Outliers of image properties",
    "property_drift": "Drift of image properties",
    "label_drift": "Drift of labels",
}


Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class CheckConfig(BaseModel):
    """Limits of the checks, and which failures someone answers for.

    Args:
        samples_per_split: photos that Deepchecks looks at, of each split; every other check looks at all.
        thumbnail: longer side to which they are scaled for that, pixels.
        max_left_out_share: largest share of the source's photos that are not in the version, for whatever reason.
        min_photos_per_class: fewest photos of a class, all splits together.
        max_near_duplicate_share: largest share of photos that (nearly) repeat another one of their class.
        max_new_share: largest share of a split's queries that are unknown.
        min_side: shorter side (of the box, if there is one) below which a photo counts as small, pixels.
        max_small_share: largest share of small photos.
        min_brightness: mean luma, 0 to 1, below which a photo counts as dark.
        max_dark_share: largest share of dark photos.
        min_sharpness: sharpness below which a photo counts as blurred (see `discern.datasets.ingest.image_facts`).
        max_blurred_share: largest share of blurred photos.
        max_outlier_share: largest share of photos outside 1.5 interquartile ranges, for any property; a photo whose
            longer side is at most twice the shorter one is never an outlier by its shape.
        max_property_drift: largest Kolmogorov-Smirnov statistic between training and another split, for any property;
            where few classes or photos are compared, more is granted, for few differ by chance: the condition then
            counts as met, and says that they are too few to tell.
        max_label_drift: largest Cramer's V between training and a split that asks for the classes of training.
        waive: name of a check -> why its failure is accepted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples_per_split: int = Field(default=256, ge=32)
    thumbnail: int = Field(default=96, ge=16, le=512)
    max_left_out_share: float = Field(default=0.2, ge=0, le=1)
    min_photos_per_class: int = Field(default=2, ge=1)
    max_near_duplicate_share: float = Field(default=0.2, ge=0, le=1)
    max_new_share: float = Field(default=0.8, ge=0, le=1)
    min_side: int = Field(default=32, ge=1)
    max_small_share: float = Field(default=0.0, ge=0, le=1)
    min_brightness: float = Field(default=0.06, ge=0, le=1)
    max_dark_share: float = Field(default=0.01, ge=0, le=1)
    min_sharpness: float = Field(default=0.06, ge=0)
    max_blurred_share: float = Field(default=0.02, ge=0, le=1)
    max_outlier_share: float = Field(default=0.2, ge=0, le=1)
    max_property_drift: float = Field(default=0.3, ge=0, le=1)
    max_label_drift: float = Field(default=0.5, ge=0, le=1)
    waive: dict[Check, Reason] = Field(default_factory=dict)


class Condition(BaseModel):
    """One question to the data and its answer.

    Attributes:
        check: which check asks.
        condition: what has to hold.
        passed: it holds, or `too_few`.
        detail: what was found.
        waived: the reason why a failure is accepted.
        too_few: it does not hold in what was looked at, and that is so little that chance alone explains it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: Check
    condition: str
    passed: bool
    detail: str
    waived: str | None = None
    too_few: bool = False

    @field_validator("check", mode="before")
    @classmethod
    def _rename(cls, name: Any) -> Any:
        """Accept the former name of a check, which stored reports hold."""
        return "unknowns" if name == "strangers" else name


class CheckReport(BaseModel):
    """All conditions of one dataset version; `passed` if each is met or waived."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    conditions: tuple[Condition, ...]
    passed: bool

    @property
    def failures(self) -> tuple[Condition, ...]:
        """What is neither met nor waived."""
        return tuple(one for one in self.conditions if not one.passed and one.waived is None)

    def require(self) -> None:
        """Stop here if the data is not fit.

        Raises:
            GateError: a condition failed and nobody waived it.
        """
        if self.passed:
            return
        failures = self.failures
        failed = ", ".join(f"{one.check} ({one.condition}: {one.detail.rstrip('.')})" for one in failures)
        raise GateError(
            f"dataset version {self.version} fails {len(failures)} of {len(self.conditions)} conditions: {failed}: "
            "mend the data, change the limit, or set checks.waive.CHECK to the reason why it may be so; the report "
            "shows the photos."
        )


@dataclass(frozen=True)
class Plot:
    """A figure of plotly, as its JSON."""

    check: Check
    title: str
    spec: str


@dataclass(frozen=True)
class Photos:
    """Rows of the version worth a look, the worst first."""

    check: Check
    title: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class PhotoSets:
    """Rows of the version that belong together, set by set.

    Attributes:
        check: which check found them.
        title: what they have in common.
        sets: their rows, the sets that matter most first.
        hidden: how many further sets there are.
    """

    check: Check
    title: str
    sets: tuple[tuple[int, ...], ...]
    hidden: int = 0


Figure = Photos | PhotoSets | Plot
Finding = Condition | Figure


@dataclass(frozen=True)
class Checked:
    """The verdict, and what there is to see."""

    report: CheckReport
    figures: tuple[Figure, ...] = ()
