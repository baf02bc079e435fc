"""Photos that count no more since their class was retired, or its photos were replaced, by an enrolment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from discern.datasets.ingest.rejected import decided_label
from discern.sources.base import Photo


@dataclass(frozen=True)
class Withdrawals:
    """Which photos are withdrawn.

    Args:
        reasons: label -> why, part of a sentence; see `Source.withdrawals`.
        decisions: labels that people decided on, by the names of photos.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    decisions: Mapping[str, str] = field(default_factory=dict)

    def label(self, photo: Photo) -> str | None:
        """Return the label of a photo, decisions applied."""
        return decided_label(photo, self.decisions)

    def reason(self, photo: Photo) -> str | None:
        """Return why a photo is withdrawn, one sentence; None for one that is not."""
        if photo.is_enrolled or not self.reasons:
            return None
        why = self.reasons.get(self.label(photo) or "")
        return None if why is None else f"{photo.name}: {why}."
