"""A candidate that the gates let through is signed and goes live; one that they do not changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from zenml.client import Client

from discern.errors import ConfigError
from discern.evaluation.gates import PromotionDecision
from discern.publication.channels import Approval, Channels
from discern.publication.keys import SIGNERS_FILE
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from steps.promotion.production_release import production_release
from steps.promotion.publish import publish
from tests.steps.promotion.conftest import USE_CASE

BETTER = PromotionDecision(promote=True, reason="better", gates=())
WORSE = PromotionDecision(promote=False, reason="worse", gates=())


def run(
    candidate: Release, decision: PromotionDecision, approval: Approval = "automatic", production: str = ""
) -> str | None:
    """Publish with the stack's own keys; returns the channel."""
    publication = publish.entrypoint(candidate, decision, USE_CASE, None, approval, Channels(), production)
    assert publication.release == candidate.id
    assert publication.reason == decision.reason
    return publication.channel


def stage(candidate: Release) -> str | None:
    found = Client().get_model_version(USE_CASE, candidate.id).stage
    return None if found is None else str(found)


def test_publish_makes_a_better_candidate_live(repository: ReleaseRepository, candidate: Release) -> None:
    assert production_release.entrypoint(None, "production") == ""
    assert run(candidate, BETTER) == "production"
    assert production_release.entrypoint(None, "production") == candidate.id
    assert stage(candidate) == "production"
    assert run(candidate, BETTER) == "production", "publishing again changes nothing"


def test_publish_waits_for_a_person_where_approval_is_manual(repository: ReleaseRepository, candidate: Release) -> None:
    assert run(candidate, BETTER, "manual") == "staging"
    assert repository.current("production") is None
    assert repository.current("staging") == candidate.id
    assert stage(candidate) == "staging"


def test_publish_changes_nothing_for_a_candidate_that_lost(repository: ReleaseRepository, candidate: Release) -> None:
    assert run(candidate, WORSE) is None
    assert repository.releases() == []
    assert stage(candidate) is None


def test_publish_leaves_a_release_that_a_person_rejected_or_rolled_back_from(
    repository: ReleaseRepository, candidate: Release, newer_release: Release
) -> None:
    repository.publish(newer_release, "production")
    repository.stage(candidate, "staging")
    repository.reject(candidate.id, "Ada", "a test")
    published = publish.entrypoint(candidate, BETTER, USE_CASE, None, "manual", Channels(), newer_release.id)
    assert published.reason == (f"a person decides: {repository.is_held(candidate.id, 'production')}")
    assert (repository.current("production"), repository.current("staging")) == (newer_release.id, None)


def test_publish_mends_the_stage_that_an_interrupted_run_left_behind(
    repository: ReleaseRepository, candidate: Release
) -> None:
    repository.publish(candidate, "production")
    assert stage(candidate) is None
    assert run(candidate, WORSE) is None
    assert stage(candidate) == "production"


def test_publish_takes_private_keys_from_the_secret_store(
    repository: ReleaseRepository, candidate: Release, local_stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = local_stack / "keys"
    variables = {role: f"TESTS_{role.upper()}_KEY" for role in ("root", "targets", "snapshot", "timestamp")}
    values = {variable: (folder / f"{role}.pem").read_text() for role, variable in variables.items()}
    (folder / SIGNERS_FILE).write_text(json.dumps({role: f"env:{name}" for role, name in variables.items()}))
    for role, variable in variables.items():
        (folder / f"{role}.pem").unlink()
        monkeypatch.setenv(variable, "")  # so that it is put back afterwards
    with pytest.raises(ConfigError, match="there is no ZenML secret 'signing-keys' with a value 'TESTS_ROOT_KEY'"):
        run(candidate, BETTER)
    assert repository.current("production") is None
    Client().create_secret("signing-keys", values)
    try:
        assert run(candidate, BETTER) == "production"
    finally:
        Client().delete_secret("signing-keys")
