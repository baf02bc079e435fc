"""Photos of new things + the release in production -> the same model with another gallery -> signed release."""

from __future__ import annotations

import steps.enrolment
from discern.enrolment.gates import EnrolmentGates
from discern.evaluation.gates import GateConfig
from discern.publication.channels import Approval, Channels
from orchestration.checked_pipeline import checked_pipeline


@checked_pipeline(steps=steps.enrolment)
def enrolment_pipeline(
    use_case: str,
    request: str,
    keys: str | None = None,
    gates: EnrolmentGates = EnrolmentGates(),
    limits: GateConfig = GateConfig(),
    approval: Approval = "automatic",
    channels: Channels = Channels(),
) -> None:
    """Enrol, replace or retire classes in the release that devices use; nothing is trained.

    Args:
        use_case: whose classes change.
        request: id of what somebody asked for; `discern enrol` and `discern retire` write it.
        keys: path or address of the folder with `signers.json` and `root.json`; beside the artifact store without it.
        gates: what the changed release must keep to.
        limits: the promotion's `gates`, of which the floors and budgets hold here too; the command takes them from
            `promotion.yaml`.
        approval: `manual` stops at the staging channel.
        channels: names of the two channels.
    """
    # Imported here, for that takes seconds: a config is checked before.
    from steps.enrolment.enrol import enrol
    from steps.enrolment.publish import publish

    candidate, decision, _ = enrol(
        request=request, use_case=use_case, keys=keys, channel=channels.production, gates=gates, limits=limits
    )
    publish(
        candidate=candidate,
        decision=decision,
        request=request,
        use_case=use_case,
        keys=keys,
        approval=approval,
        channels=channels,
    )
