"""Candidate against production on the same frozen test set -> decision -> signed release."""

from __future__ import annotations

import steps.promotion
from discern.evaluation.gates import GateConfig
from discern.publication.channels import Approval, Channels
from orchestration.artifact_lookup import newest_input, newest_output
from orchestration.checked_pipeline import checked_pipeline


@checked_pipeline(steps=steps.promotion)
def promotion_pipeline(
    use_case: str,
    keys: str | None = None,
    gates: GateConfig = GateConfig(),
    approval: Approval = "automatic",
    channels: Channels = Channels(),
) -> None:
    """Compare the newest candidate of `use_case` with its production release, and publish it if it is better.

    Args:
        use_case: whose candidate it is.
        keys: path or address of the folder with `signers.json` and `root.json`; beside the artifact store without it.
        gates: what a candidate must keep to.
        approval: `manual` stops at the staging channel.
        channels: names of the two channels.
    """
    # Imported here, for that takes seconds: a config is checked before.
    from steps.promotion.compare import compare
    from steps.promotion.production_release import production_release
    from steps.promotion.publish import publish

    candidate = newest_output("training_pipeline", "release_candidate", use_case)
    dataset = newest_input("training_pipeline", "assemble", "dataset", use_case)
    production = production_release(keys=keys, channel=channels.production)
    decision, _ = compare(
        candidate=candidate, dataset=dataset, production=production, keys=keys, channel=channels.production, gates=gates
    )
    publish(
        candidate=candidate,
        decision=decision,
        use_case=use_case,
        keys=keys,
        approval=approval,
        channels=channels,
        production=production,
    )
