"""From facts about photos to the settings of three pipelines. Pure: a summary and a speed in, settings out.

Rules kept:
- what is proposed runs: the false-identification rate is one that the validation queries can tell, limits of checks let
  through what the photos are today;
- how the model is learnt suits the photos (`recipe`);
- a first release has to be of use: its floors are the usual ones.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.splits.assign import SplitConfig, SplitItem, assign
from discern.datasets.splits.config import HELD_OUT
from discern.datasets.splits.photo_holdout import MIN_GROUPS
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.gates import FLOORS, GateConfig
from discern.quality.checks.model import Check, CheckConfig
from discern.releases.config import PackagingConfig
from discern.sources.elsewhere.photos import RENDERED
from discern.use_cases.recipe import FEW_PHOTOS, Recipe, recipe_for
from discern.use_cases.summary import PhotoSetSummary, SplitCounts, listed
from discern.words import be

MIN_CLASSES = SplitConfig().min_classes  # of which some can be held out whole
SEEDS = 10  # of splits that are compared
COMPARED_PHOTOS = 5_000  # of a set whose seeds are compared; the split of a larger one is even by itself
QUERIES = 20  # of unknowns in validation, above which more are no reason for another seed

LEAST_FPIR = 0.05
NOT_LOOKED_AT = "found by discern init and not looked at yet"  # the reason of a waiver
# Conditions that a person has to mend before anything else; the others are waived with what was found.
STRICT: frozenset[Check] = frozenset({"class_counts", "leakage", "queries", "new_labels"})


@dataclass(frozen=True)
class Speed:
    """Measured on the machine that will train; seconds that pass where nothing else runs.

    Attributes:
        ingest: reading all photos once.
        checks: checking a version of them.
        teacher_step: one step of the teacher's training.
        student_step: one of the student's.
        slowdown: how many times as long they took while they were measured.
    """

    ingest: float
    checks: float
    teacher_step: float
    student_step: float
    slowdown: float = 1.0


@dataclass(frozen=True)
class Proposal:
    """The settings of a use case."""

    use_case: str
    splits: SplitConfig
    cleaning: CleaningConfig
    checks: CheckConfig
    recipe: Recipe
    gallery: GalleryConfig
    packaging: PackagingConfig
    gates: GateConfig
    channels: Mapping[str, str]


def propose_splits(photos: Mapping[str, int]) -> SplitConfig:
    """Propose how photos are split that come without a split of their own.

    Of a few seeds the one is taken that comes nearest to the shares; then the one that leaves most photos of unknown
    classes, which are as new to the gallery as to the model.

    Where too few photos train to learn from, all classes are split by photos: the head that is fitted then sees each of
    them (on 13 groceries of 8 to 21 photos recall@1 was .84 so and .56 by classes, means over four seeds).

    Args:
        photos: number of photos of each class.
    """
    by_photos = SplitConfig(by="photos", validation_share=0.2, test_share=0.2)
    if len(photos) < MIN_CLASSES:
        return by_photos
    share = 0.2 if len(photos) < 50 else 0.1
    shots = max(1, min(5, int(median(photos.values())) // 2))
    # By photos after all where too few of the classes have photos that can be told apart.
    proposed = SplitConfig(by="auto", validation_share=share, test_share=share, unknown_share=0.3, shots=shots, seed=0)
    if sum(photos.values()) > COMPARED_PHOTOS:
        return proposed
    held_out = 2 * max(proposed.min_heldout, round(share * len(photos)))

    def worth(config: SplitConfig) -> tuple[int, int]:
        counts = split_counts(photos, config)
        return -abs(len(photos) - held_out - len(counts.train)), min(QUERIES, counts.validation_unknown)

    chosen = max([proposed.model_copy(update={"seed": seed}) for seed in range(SEEDS)], key=worth)
    return chosen if sum(split_counts(photos, chosen).train) >= FEW_PHOTOS else by_photos


def split_counts(photos: Mapping[str, int], config: SplitConfig) -> SplitCounts:
    """Count what a split of so many photos a class comes to, where no two of them belong together.

    Raises:
        DataError: there are too few classes for it.
    """
    items = [SplitItem(label, f"{label}/{i}") for label, count in photos.items() for i in range(count)]
    rows: list[tuple[str, str, str]] = []
    for item, assignment in zip(items, assign(items, config), strict=True):
        if assignment is not None and item.label is not None:
            split, role = assignment
            rows.append((item.label, split, role or ""))
    return count_rows(rows)


def count_rows(rows: list[tuple[str, str, str]]) -> SplitCounts:
    """Count photos by what a split says of them.

    Args:
        rows: label, split and role of each photo.
    """
    enrolled = {label for label, _, role in rows if role == "gallery"}
    asked = {
        split: {label for label, in_split, role in rows if (in_split, role) == (split, "query")} for split in HELD_OUT
    }
    queries = Counter((split, label in enrolled) for label, split, role in rows if role == "query")
    train = Counter(label for label, split, _ in rows if split == "train")
    by_photos = any(train.keys() & labels for labels in asked.values())
    in_every_split = set.intersection(*asked.values())
    unknown = {label for label, _, _ in rows} - enrolled
    return SplitCounts(
        train=tuple(sorted(train.values())),
        validation_enrolled=queries["validation", True],
        validation_unknown=queries["validation", False],
        test_enrolled=queries["test", True],
        test_unknown=queries["test", False],
        unknown_classes=tuple(sorted(unknown)),
        by_photos=by_photos,
        unasked_classes=tuple(sorted(train.keys() - in_every_split)) if by_photos else (),
    )


def _asked_as_unknown(split: SplitCounts) -> int:
    """Return the number of photos that the rule is fitted on as unknowns."""
    # Every query is asked as if its class were not enrolled; of one class nothing would be left to take it for.
    queries = split.validation_unknown + split.validation_enrolled
    return queries if len(split.train) > 1 or not split.by_photos else RENDERED // 2  # the others measure it


def lowest_fpir(unknown_queries: int) -> float:
    """Return the lowest false-identification rate, in hundredths, that so many unknown queries can tell: 1 of them."""
    if unknown_queries < 2:
        return 0.5
    return max(LEAST_FPIR, math.ceil(100 / unknown_queries) / 100)


def propose(use_case: str, summary: PhotoSetSummary, splits: SplitConfig, speed: Speed) -> Proposal:
    """Propose the settings of a use case.

    Args:
        use_case: its name; its release channels are named after it.
        summary: facts about the photos, split by `splits`.
        splits: as `propose_splits` proposed.
        speed: of this machine.
    """
    return Proposal(
        use_case=use_case,
        splits=splits,
        cleaning=CleaningConfig(max_rejected_share=_rejected_share(summary)),
        checks=CheckConfig(waive=_waivers(summary)),
        recipe=recipe_for(summary, (speed.teacher_step, speed.student_step)),
        gallery=GalleryConfig(photos_per_class=10, represent="auto"),
        packaging=PackagingConfig(fpir=lowest_fpir(_asked_as_unknown(summary.split))),
        gates=GateConfig(**{name: getattr(GateConfig(), name) for name in FLOORS}),
        channels={"production": f"{use_case}-production", "staging": f"{use_case}-staging"},
    )


def _rejected_share(summary: PhotoSetSummary) -> float:
    """Return the share of broken photos of today, with room for as many again and for one in a hundred."""
    share = len(summary.broken) / max(1, summary.taken)
    return min(1.0, math.ceil(200 * share + 1) / 100)


def _waivers(summary: PhotoSetSummary) -> dict[Check, str]:
    """Return a reason for each failed check that may be waived."""
    reasons: dict[Check, str] = {}
    for failed in summary.failed:
        if failed.check not in STRICT and failed.check not in reasons:
            reasons[failed.check] = f"{NOT_LOOKED_AT}: {failed.detail}"
    return reasons


def limits(summary: PhotoSetSummary) -> Iterator[str]:
    """Yield a sentence for each thing that these photos cannot tell."""
    split = summary.split
    if split.unknown_classes:
        yield (
            f"{listed(split.unknown_classes)} {be(len(split.unknown_classes))} held out as unknown, to measure how "
            "such are refused; the release knows them all the same."
        )
    if split.by_photos:
        few = (
            f", as {MIN_CLASSES} classes are needed to hold some out whole" if len(summary.photos) < MIN_CLASSES else ""
        )
        yield (
            f"Photos of every class are held out{few}: no class is new to the model when it is measured, and unknowns "
            "are measured by leaving classes out, and by photos from elsewhere."
        )
    if split.unasked_classes:
        yield (
            f"{listed(split.unasked_classes)} {be(len(split.unasked_classes))} not measured in every split: that takes "
            f"{MIN_GROUPS} photos of a class, taken at different times."
        )


@dataclass(frozen=True)
class Foretold:
    """Minutes that each pipeline takes where nothing else runs, about."""

    data: float
    training: float
    promotion: float


START_SECONDS = 20.0  # until a pipeline's first step: imports, ZenML's store
PACKAGING_SECONDS = 30.0  # export, numeric formats, calibration, pictures
EMBEDDED_A_SECOND = 10.0  # photos, by each of the models that are compared, on two cores
PROMOTION_SECONDS = 10.0  # both releases on the test queries


def foretell(proposal: Proposal, speed: Speed, photos: int) -> Foretold:
    """Foretell how long the three pipelines take on the machine whose speed was measured.

    Args:
        proposal: the settings.
        speed: as was measured.
        photos: in the version.
    """
    recipe = proposal.recipe
    trainings = photos / EMBEDDED_A_SECOND
    for config, seconds in ((recipe.teacher, speed.teacher_step), (recipe.student, speed.student_step)):
        trainings += 0 if config is None else config.steps * seconds
    return Foretold(
        data=(START_SECONDS + speed.ingest + speed.checks) / 60,
        training=(START_SECONDS + trainings + PACKAGING_SECONDS) / 60,
        promotion=(START_SECONDS + PROMOTION_SECONDS) / 60,
    )
