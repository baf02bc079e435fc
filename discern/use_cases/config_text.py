"""Write the settings of a use case as YAML, with a comment where a person may want to decide otherwise. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from discern.learning.config import TrainingConfig
from discern.use_cases.proposal import MIN_CLASSES, Proposal
from discern.use_cases.summary import PhotoSetSummary, listed

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


def training_text(proposal: Proposal, summary: PhotoSetSummary) -> str:
    """Return the training pipeline's config."""
    lines = [
        *_head(summary),
        *_comment(
            f"The median photo shows {summary.median_short_side} pixels. Fine print wants a larger size; the time of a "
            "step grows with its square."
        ),
        f"  image: {_flow(_set(proposal.image))}",
        *_comment(
            "From scratch. With `pretrained: true` in `model` timm's weights are fetched, which mostly recognise more "
            "after fewer steps. More steps recognise more too, up to a point: `discern mlflow` shows the curves."
        ),
        "  teacher:",
        *_training(proposal.teacher),
        *_comment("The model that ships: small, and it learns from the teacher."),
        "  student:",
        *_training(proposal.student),
        f"  distillation: {_flow(_set(proposal.distillation))}",
        *_comment("Photos of each class that the release compares with."),
        f"  gallery: {_flow(_set(proposal.gallery))}",
        *_comment(
            "The share of photos of unknown things that may get a name (FPIR). "
            f"{summary.split.validation_unknown} photos of unknowns are held out to calibrate on, and no rate below 1 "
            "in that number can be told: hold out more classes before you lower it."
        ),
        f"  packaging: {_flow(_set(proposal.packaging))}",
    ]
    return "\n".join(lines) + "\n"


def promotion_text(proposal: Proposal, summary: PhotoSetSummary) -> str:
    """Return the promotion pipeline's config."""
    lines = [
        *_head(summary),
        '  keys: "${DISCERN_HOME}/keys"',
        *_comment(
            "Floors for a first release, so low that there is one to look at: recall@1, and the share of unknowns that "
            "are refused (TNIR). Raise them to what you need before anybody relies on an answer."
        ),
        f"  gates: {_flow(_set(proposal.gates))}",
        *_comment("Devices that follow this channel get no release of another use case."),
        f"  channels: {_flow(dict(proposal.channels))}",
    ]
    return "\n".join(lines) + "\n"


def _head(summary: PhotoSetSummary) -> list[str]:
    counts = sorted(summary.photos.values())
    return [
        f"# Written by `discern init`: {len(counts)} classes of {counts[0]} to {counts[-1]} photos.",
        "# docs/configs.md lists every key.",
        "parameters:",
    ]


def _splits_comment(proposal: Proposal, summary: PhotoSetSummary) -> list[str]:
    if proposal.splits.by == "photos":
        return _comment(
            f"{len(summary.photos)} classes are too few to hold some out whole ({MIN_CLASSES} are needed), so some "
            "photos of each are held out. A version of the data can be made and looked at, but no release yet: nothing "
            "tells how things are refused that nobody enrolled. With more classes, run `discern init --force`."
        )
    unknown = summary.split.unknown_classes
    return _comment(
        f"Whole classes are held out of training, to measure what an unseen class is worth: {len(summary.split.train)} "
        f"classes train. {listed(unknown)} {'is' if len(unknown) == 1 else 'are'} enrolled by nobody, to measure how "
        "unknowns are refused: the release answers `unknown` to them. Another `seed` chooses others."
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
