"""Deepchecks' vision suites over a sample of the photos, called directly.

Left out on purpose: NewLabels (validation and test hold classes out of training, which is their point) and
PropertyLabelCorrelation (colour may well tell the class). Image properties are measured on thumbnails of one size, so
that sharpness and contrast compare; what is told by the full size is checked in `rows`.
"""

from __future__ import annotations

import json
import logging
import math
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from discern.quality.checks.model import Check, CheckConfig, Condition, Finding, Photos, Plot
from discern.quality.checks.samples import Sample
from discern.words import counted
from edge_runtime.core.images import Pixels

# Deepchecks reads this when it is imported, and asks its maker's server for news where it is not set.
os.environ.setdefault("DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY", "True")

MOST_GRANTED = 0.9  # a score is at most 1: what nothing can exceed would be no limit
CHANCE = 0.01  # how often drift by chance alone may exceed its limit
FEWEST = 1  # photos of a split that are compared: how much so few may differ by chance is what `_chance` tells
NAVY, BLUE = "#00008b", "#5b8def"  # Deepchecks' colour of training cannot be seen on a dark page
SHOWN_OUTLIERS = 5  # photos of each property


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide Deepchecks' progress bars, and the deprecations of libraries that it trips over."""
    logger = logging.getLogger("deepchecks")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


with _quiet():
    from deepchecks.core import CheckFailure, CheckResult, ConditionCategory, ConditionResult
    from deepchecks.vision import Suite, VisionData
    from deepchecks.vision.checks import ImagePropertyDrift, ImagePropertyOutliers, LabelDrift
    from deepchecks.vision.utils.image_properties import default_image_properties, texture_level
    from plotly.graph_objects import Figure

LONG = 2.0  # longer side over the shorter one: cameras take no longer photos, upright or not


def _elongation(images: Sequence[Pixels]) -> list[float]:
    """Return each picture's longer side over its shorter one; plain photos, upright or not, all have `LONG`."""
    return [max(LONG, max(image.shape[:2]) / min(image.shape[:2])) for image in images]


PROPERTIES = [one for one in default_image_properties if one["name"] != "Area"] + [
    {"name": "Texture", "method": texture_level, "output_type": "numerical"}
]
OUTLYING = [{"name": "Elongation", "method": _elongation, "output_type": "numerical"}] + [
    one for one in PROPERTIES if one["name"] != "Aspect Ratio"
]


def run(samples: Mapping[str, Sample], known: Collection[str], config: CheckConfig) -> list[Finding]:
    """Run the integrity suite over all samples, and compare training with validation and with test.

    Args:
        samples: photos by split.
        known: splits that ask for classes of training alone, as official splits do.
        config: the limits.
    """
    found: list[Finding] = []
    with _quiet():
        data = _vision_data(samples)
        for result in (
            Suite("integrity", _outliers(config, sum(len(one.rows) for one in samples.values())))
            .run(data["all"], with_display=False)
            .results
        ):
            found += _answers("property_outliers", "", result)
            found += _unmeasured(result)
            found += _outlying_photos(result, samples)
        for split in sorted(data.keys() & {"validation", "test"}, reverse=True):
            chance = _chance(samples["train"], samples[split], by_class=split not in known)
            compared = "photos" if split in known else "classes"
            checks = [_property_drift(config.max_property_drift, chance, compared)]
            if split in known:  # elsewhere new labels are the point
                checks.append(_label_drift(config.max_label_drift))
            for result in Suite(split, *checks).run(data["train"], data[split]).results:
                check: Check = "label_drift" if isinstance(result.check, LabelDrift) else "property_drift"
                found += _answers(check, f"train to {split}: ", result)
                found += _plots(check, f"train to {split}", result)
    return found


def _vision_data(samples: Mapping[str, Sample]) -> dict[str, VisionData]:
    """Each split that has photos and can be compared, and all of them together."""
    numbers = {label: i for i, label in enumerate(sorted({label for one in samples.values() for label in one.labels}))}
    parts = {split: [sample] for split, sample in samples.items() if sample.rows and samples["train"].rows}
    return {
        name: VisionData(
            [_batch(some, numbers)],
            "classification",
            label_map={number: label for label, number in numbers.items()},
            dataset_name=name,
            reshuffle_data=False,
        )
        for name, some in (parts | {"all": list(samples.values())}).items()
    }


def _batch(samples: list[Sample], numbers: Mapping[str, int]) -> dict[str, list[Any]]:
    """All in one batch: with several, Deepchecks 0.19 gives outliers the identifiers of other images."""
    return {
        "images": [image for sample in samples for image in sample.thumbnails],
        "labels": [numbers[label] for sample in samples for label in sample.labels],
        "image_identifiers": [str(row) for sample in samples for row in sample.rows],
    }


def _outliers(config: CheckConfig, photos: int) -> ImagePropertyOutliers:
    limit = config.max_outlier_share

    def few(value: Mapping[str, Any]) -> ConditionResult:
        counts = {name: len(rows) for name, rows in _outlying(value).items()}
        worst = max(counts, key=lambda name: counts[name])
        category = ConditionCategory.PASS if counts[worst] <= limit * photos else ConditionCategory.FAIL
        detail = f"{worst} has the most: {counts[worst]:,} of {counted(photos, 'photo')}"
        return ConditionResult(category, detail if counts[worst] else "there is none")

    check = ImagePropertyOutliers(image_properties=OUTLYING)
    return check.add_condition(f"at most {limit:.0%} of the photos are outliers of any one property", few)


def _property_drift(limit: float, chance: float, compared: str) -> ImagePropertyDrift:
    granted = chance if chance > 1 else max(limit, min(chance, MOST_GRANTED))
    condition = f"the drift score of every property is below {limit:.2g}"
    below = _below(limit, granted, f"too few {compared} to tell: by chance it may reach {min(granted, 1):.2f}")
    check = ImagePropertyDrift(image_properties=PROPERTIES, min_samples=FEWEST)
    return check.add_condition(condition, below)


def _label_drift(limit: float) -> LabelDrift:
    check = LabelDrift(min_samples=FEWEST)
    return check.add_condition(f"the drift score of the labels is below {limit:.2g}", _below(limit, limit, ""))


def _below(limit: float, granted: float, unsure: str) -> Callable[[Mapping[str, Any]], ConditionResult]:
    """Return a condition on the largest of some drift scores; a score that is missing was not measured.

    Args:
        limit: what each score has to stay below.
        granted: below this, chance alone explains a score: the result is a warning that ends with `unsure`.
        unsure: why.
    """

    def below(value: Mapping[str, Any]) -> ConditionResult:
        scores = {name: one["Drift score"] for name, one in value.items()}
        missing = [name for name, score in scores.items() if score is None]
        if missing:
            return ConditionResult(ConditionCategory.FAIL, f"{missing[0]} was not measured")
        worst = max(scores, key=lambda name: scores[name])
        detail = f"{worst} has the highest, {scores[worst]:.2f}"
        if scores[worst] < limit:
            return ConditionResult(ConditionCategory.PASS, detail)
        if scores[worst] < granted:
            return ConditionResult(ConditionCategory.WARN, f"{detail}; {unsure}")
        return ConditionResult(ConditionCategory.FAIL, detail)

    return below


def _chance(train: Sample, other: Sample, *, by_class: bool) -> float:
    """The drift score that draws of one distribution stay below, but for one time in a hundred; above 1 all do.

    Photos of one class resemble each other, so where classes are drawn they count, not photos. The critical value of
    the two-sample Kolmogorov-Smirnov test at level a is sqrt(-ln(a / 2) / 2 * (n + m) / (n m)) (Smirnov 1948).

    So few photos tell nothing where two draws, of n and of m, lie wholly apart in more than one of a hundred orders.
    They do in 2 of (n + m over m), and their score is 1.
    """
    photos, others = len(train.labels), len(other.labels)
    if 2 / math.comb(photos + others, others) > CHANCE:
        return math.inf
    n, m = (len(set(one.labels)) for one in (train, other)) if by_class else (photos, others)
    return min(1, math.sqrt(-math.log(CHANCE / 2) / 2 * (n + m) / (n * m)))


def _answers(check: Check, prefix: str, result: CheckResult | CheckFailure) -> Iterator[Condition]:
    if isinstance(result, CheckFailure):  # too few photos, as a rule: what was not measured did not pass
        detail = f"not measured: {result.exception}"
        yield Condition(check=check, condition=f"{prefix}can be measured", passed=False, detail=detail)
        return
    for one in result.conditions_results:
        yield Condition(
            check=check,
            condition=f"{prefix}{one.name}",
            passed=one.category != ConditionCategory.FAIL,
            detail=one.details,
            too_few=one.category == ConditionCategory.WARN,
        )


def _unmeasured(result: CheckResult | CheckFailure) -> Iterator[Condition]:
    """A property that Deepchecks could not measure has a sentence in place of a result: it did not pass."""
    if isinstance(result, CheckResult):
        for name, one in result.value.items():
            if not isinstance(one, dict):
                yield Condition(
                    check="property_outliers",
                    condition=f"{name} can be measured",
                    passed=False,
                    detail=f"not measured: {one}",
                )


def _outlying(value: Mapping[str, Any]) -> dict[str, list[int]]:
    """Rows of the version by property; a property that could not be measured has a sentence in place of a result."""
    return {
        name: [int(row) for row in one["outliers_identifiers"]] if isinstance(one, dict) else []
        for name, one in value.items()
    }


def _outlying_photos(result: CheckResult | CheckFailure, samples: Mapping[str, Sample]) -> Iterator[Photos]:
    """Outliers of each property, those farthest outside first, which Deepchecks does not tell."""
    if isinstance(result, CheckFailure):
        return
    thumbnails = {row: image for one in samples.values() for row, image in zip(one.rows, one.thumbnails, strict=True)}
    methods = {one["name"]: one["method"] for one in OUTLYING}
    for name, rows in _outlying(result.value).items():
        if rows:
            low, high = (result.value[name][f"{side}_limit"] for side in ("lower", "upper"))
            values = dict(zip(rows, methods[name]([thumbnails[row] for row in rows]), strict=True))
            worst = sorted(rows, key=lambda row: min(values[row] - low, high - values[row]))
            few = f"the farthest {SHOWN_OUTLIERS} of " if len(rows) > SHOWN_OUTLIERS else ""
            low_end, high_end = f"{low:.3g}", f"{high:.3g}"
            limits = f"away from {low_end}" if low_end == high_end else f"outside {low_end} to {high_end}"
            title = f"{name}: {few}{counted(len(rows), 'photo')} {limits}"
            yield Photos("property_outliers", title, tuple(worst[:SHOWN_OUTLIERS]))


def _plots(check: Check, title: str, result: CheckResult | CheckFailure) -> Iterator[Plot]:
    for item in getattr(result, "display", None) or []:
        if isinstance(item, Figure):
            name = str(item.layout.title.text or "distribution").lower()
            yield Plot(check, f"{title}, {name}", _slim(item))


def _slim(figure: Figure) -> str:
    """A figure's JSON without what the page sets itself, and with as many digits as a screen shows."""
    spec = json.loads(figure.to_json(), parse_float=lambda digits: float(f"{float(digits):.4g}"))
    for key in ("template", "title", "width", "height"):
        spec["layout"].pop(key, None)
    return json.dumps(spec, separators=(",", ":")).replace(NAVY, BLUE)
