"""Label conflicts: one picture under several labels, and the command that decides which of them is right."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from discern.datasets.ingest.rejected import Rejected
from discern.quality.review.photo_book import ENLARGED, PhotoBook, Picture

SHOWN_CONFLICTS = 60


@dataclass(frozen=True)
class ConflictPhoto:
    """One of the photos of a conflict.

    Attributes:
        name: what a decision calls it.
        label: what its source calls it; None where somebody said that it is empty.
        command: decides that this label is right; empty where there is no label.
        picture: what is seen; None where it was not kept.
    """

    name: str
    label: str | None
    command: str
    picture: Picture | None


Conflict = tuple[ConflictPhoto, ...]


def show_conflicts(conflicts: Sequence[Sequence[Rejected]], use_case: str, book: PhotoBook) -> tuple[Conflict, ...]:
    """Return what a page shows of the first conflicts, as `group_conflicts` gives them.

    Raises:
        DataError: a photo cannot be read.
    """
    return tuple(
        tuple(
            ConflictPhoto(one.name, one.label, decide_command(use_case, one.decision_name, one.label), picture)
            for one, picture in zip(photos, book.rejected(photos, ENLARGED), strict=True)
        )
        for photos in conflicts[:SHOWN_CONFLICTS]
    )


def group_conflicts(rejected: Sequence[Rejected]) -> list[list[Rejected]]:
    """Return the photos of each conflict, which share their reason; in the order of the first ones."""
    photos_of: dict[str, list[Rejected]] = defaultdict(list)
    for one in rejected:
        if one.kind == "conflict":
            photos_of[one.reason].append(one)
    return list(photos_of.values())


def decide_command(use_case: str, name: str, label: str | None) -> str:
    """Return the shell command by which somebody decides on a label; empty where there is none to decide on."""
    if label is None:
        return ""
    arguments = [use_case, name, label]
    if any(argument.startswith("-") for argument in arguments):  # which would be read as an option
        arguments.insert(0, "--")
    return shlex.join(["discern", "data", "decide", *arguments])
