"""Candidate against production on the same frozen test set -> decision -> signed release."""

from __future__ import annotations

from pathlib import Path

from discern.evaluation.gates import GateConfig
from discern.publication.repository import ReleaseRepository
from orchestration import workspace
from orchestration.artifact_lookup import newest_input, newest_output
from orchestration.checked_pipeline import checked_pipeline
from steps.promotion.compare import compare
from steps.promotion.publish import Approval, Channels, publish


@checked_pipeline
def promotion_pipeline(
    use_case: str,
    keys: str,
    gates: GateConfig = GateConfig(),
    approval: Approval = "automatic",
    channels: Channels = Channels(),
) -> None:
    """Compare the newest candidate of `use_case` with its production release, and publish it if it is better."""
    candidate = newest_output("training_pipeline", "release_candidate", use_case)
    dataset = newest_input("training_pipeline", "assemble", "dataset", use_case)
    # Pinned here, so that the comparison is made anew whenever production has changed.
    production = ReleaseRepository(workspace.releases(), Path(keys)).current(channels.production)
    decision, _ = compare(candidate=candidate, dataset=dataset, production=production, keys=keys, gates=gates)
    publish(candidate=candidate, decision=decision, use_case=use_case, keys=keys, approval=approval, channels=channels)
