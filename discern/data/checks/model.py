"""What a check asks, what it answers, and the limits in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from discern.errors import GateError

Check = Literal[
    "class_counts",
    "label_names",
    "leakage",
    "strangers",
    "image_size",
    "property_outliers",
    "property_drift",
    "label_drift",
]
TITLES: dict[Check, str] = {
    "class_counts": "Photos per class",
    "label_names": "Label names",
    "leakage": "Leakage between splits",
    "strangers": "Queries of every kind",
    "image_size": "Image size",
    "property_outliers": "Outliers of image properties",
    "property_drift": "Drift of image properties",
    "label_drift": "Drift of labels",
}


class CheckConfig(BaseModel):
    """Limits of the checks, and which failures someone answers for.

    Args:
        samples_per_split: photos that are looked at, of each split.
        thumbnail: longer side to which they are scaled for that, pixels.
        min_photos_per_class: fewest photos of a class, all splits together.
        min_side: shorter side below which a photo counts as small, pixels.
        max_small_share: largest share of small photos.
        max_outlier_share: largest share of photos outside 1.5 interquartile ranges, for any property.
        max_property_drift: largest Kolmogorov-Smirnov statistic between training and another split, for any property;
            where few classes are held out, more is granted, for few classes differ by chance.
        max_label_drift: largest Cramer's V between training and a split that asks for the classes of training.
        waive: name of a check -> why its failure is accepted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples_per_split: int = Field(default=256, ge=32)
    thumbnail: int = Field(default=96, ge=16, le=512)
    min_photos_per_class: int = Field(default=2, ge=1)
    min_side: int = Field(default=32, ge=1)
    max_small_share: float = Field(default=0.0, ge=0, le=1)
    max_outlier_share: float = Field(default=0.2, ge=0, le=1)
    max_property_drift: float = Field(default=0.3, ge=0, le=1)
    max_label_drift: float = Field(default=0.5, ge=0, le=1)
    waive: dict[Check, str] = Field(default_factory=dict)


class Condition(BaseModel):
    """One question to the data and its answer; `waived` is the reason why a failure is accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: Check
    condition: str
    passed: bool
    detail: str
    waived: str | None = None


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
        first = self.failures[0]
        raise GateError(
            f"dataset version {self.version} fails {len(self.failures)} of {len(self.conditions)} checks, first "
            f"{first.check} ({first.condition}: {first.detail}): mend the data, change the limit, or set "
            f"waive.{first.check} to the reason why it may be so."
        )


@dataclass(frozen=True)
class Plot:
    """A figure of plotly, as its JSON."""

    check: Check
    title: str
    spec: str


@dataclass(frozen=True)
class Photos:
    """Rows of the version worth a look."""

    check: Check
    title: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Checked:
    """The verdict, and what there is to see."""

    report: CheckReport
    figures: tuple[Plot | Photos, ...] = ()
