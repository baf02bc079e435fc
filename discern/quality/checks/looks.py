"""What can be told from every photo's own looks: is it large enough, light enough and sharp?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from discern.datasets.manifest import DatasetVersion
from discern.quality.checks.model import Check, CheckConfig, Condition, Finding, Photos
from discern.quality.checks.rows import SHOWN


def findings(version: DatasetVersion, config: CheckConfig) -> Iterator[Finding]:
    """Ask everything here of every photo."""
    yield from _at_least(
        "image_size", _short_sides(version), config.min_side, config.max_small_share, "have a side below {} px"
    )
    brightness, sharpness = (version.table[name].to_numpy() for name in ("brightness", "sharpness"))
    yield from _at_least(
        "dark_images", brightness, config.min_brightness, config.max_dark_share, "are darker than {} of white"
    )
    yield from _at_least(
        "blurred_images", sharpness, config.min_sharpness, config.max_blurred_share, "have a sharpness below {}"
    )


def _at_least(
    check: Check, values: NDArray[np.float64], least: float, share: float, what: str
) -> Iterator[Condition | Photos]:
    """At most a share of photos has less than `least`; the worst are shown if any has."""
    order = np.argsort(values, kind="stable")
    few = int((values < least).sum())
    yield Condition(
        check=check,
        condition=f"at most {share:.0%} of the photos {what.format(f'{least:g}')}",
        passed=few <= share * len(values),
        detail=f"{few} of {len(values)}; the least is {values[order[0]]:.4g}",
    )
    if few:
        yield Photos(
            check,
            f"The worst of {few} photos that {what.format(f'{least:g}')}",
            tuple(order[: min(few, SHOWN)].tolist()),
        )


def _short_sides(version: DatasetVersion) -> NDArray[np.float64]:
    """Pixels of the shorter side of what is cut out."""
    sides = np.minimum(version.table["width"].to_numpy(), version.table["height"].to_numpy()).astype(np.float64)
    for i, box in enumerate(version.column("box")):
        if box is not None:
            sides[i] = min(sides[i], box[2] - box[0], box[3] - box[1])
    return sides
