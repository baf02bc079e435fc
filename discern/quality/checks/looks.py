"""What can be told from every photo's own looks: is it large enough, light enough and sharp?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discern.datasets.manifest import DatasetVersion, widen
from discern.quality.checks.model import Check, CheckConfig, Condition, Finding, Photos
from discern.quality.checks.rows import SHOWN
from discern.words import counted


def findings(version: DatasetVersion, config: CheckConfig) -> Iterator[Finding]:
    """Ask everything here of every photo."""
    brightness, sharpness = (version.table[name].to_numpy() for name in ("brightness", "sharpness"))
    yield from _at_least(
        _Trait("image_size", "a side below", " px", config.min_side, config.max_small_share), _short_sides(version)
    )
    yield from _at_least(
        _Trait("dark_images", "a brightness below", " of white", config.min_brightness, config.max_dark_share),
        brightness,
    )
    yield from _at_least(
        _Trait("blurred_images", "a sharpness below", "", config.min_sharpness, config.max_blurred_share), sharpness
    )


@dataclass(frozen=True)
class _Trait:
    """What is asked of every photo: no more than `share` of them may have less than `least`."""

    check: Check
    below: str
    unit: str
    least: float
    share: float

    @property
    def limit(self) -> str:
        return f"{self.below} {self.least:g}{self.unit}"


def _at_least(trait: _Trait, values: NDArray[np.float64]) -> Iterator[Condition | Photos]:
    """State whether few enough photos have less than they should; the worst are shown if any has."""
    order = np.argsort(values, kind="stable")
    few = int((values < trait.least).sum())
    at_most = f"at most {100 * trait.share:.3g}% of the photos have" if trait.share else "no photo has"
    yield Condition(
        check=trait.check,
        condition=f"{at_most} {trait.limit}",
        passed=few <= trait.share * len(values),
        detail=f"{few:,} of {counted(len(values), 'photo')}; the least is {values[order[0]]:.4g}{trait.unit}",
    )
    if few:
        shown = min(few, SHOWN)
        worst = f"The worst {shown} of " if few > shown else ""
        title = f"{worst}{counted(few, 'photo')} with {trait.limit}"
        yield Photos(trait.check, title, tuple(order[:shown].tolist()))


def _short_sides(version: DatasetVersion) -> NDArray[np.float64]:
    """Pixels of the shorter side of what is cut out, its margin included."""
    widths, heights = (version.table[name].to_numpy() for name in ("width", "height"))
    sides = np.minimum(widths, heights).astype(np.float64)
    margins = version.column("margin")
    for i, box in enumerate(version.column("box")):
        if box is not None:
            left, top, right, bottom = widen(box, margins[i])
            sides[i] = min(min(right, widths[i]) - max(left, 0), min(bottom, heights[i]) - max(top, 0))
    return sides
