"""ZenML's stages and MLflow's aliases come to say what the channels say, whatever they said before."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from mlflow.tracking import MlflowClient
from zenml.client import Client

from discern.publication.channels import Channels
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from orchestration import mirrors
from orchestration.mirrors import Role, Standing, ZenMLStages, agree, channels_of, differences, follow
from tests.steps.promotion.conftest import USE_CASE, candidate, registry, repository, second

__all__ = ["candidate", "registry", "repository", "second"]

CHANNELS = Channels()


class Stages:
    """A mirror in memory in which a release has one stage, as in ZenML."""

    kind = "memory"
    names: Mapping[Role, str] = {"production": "live", "staging": "next"}
    errors = (ConnectionError,)

    def __init__(self, stated: Standing) -> None:
        self.stage_of: dict[str, Role] = {}
        for role in mirrors.ROLES:
            if release := stated.of(role):
                self.stage_of[release] = role

    def read(self) -> Standing:
        return Standing(**{role: release for release, role in self.stage_of.items()})

    def set(self, role: Role, release: str) -> None:
        self.stage_of = {name: stage for name, stage in self.stage_of.items() if stage != role} | {release: role}

    def clear(self, role: Role, release: str) -> None:
        self.stage_of.pop(release)


def standings() -> list[Standing]:
    releases = (None, "a", "b", "c")
    return [Standing(*pair) for pair in itertools.product(releases, releases) if pair[0] != pair[1] or pair[0] is None]


def test_a_mirror_with_one_stage_a_release_comes_to_say_what_the_channels_say_from_any_state() -> None:
    for stated, right in itertools.product(standings(), standings()):
        mirror = Stages(stated)
        for difference in differences(mirror, mirror.read(), right):
            mirrors._mend(mirror, difference)
        assert mirror.read() == right, (stated, right)
        assert differences(mirror, mirror.read(), right) == []


def test_a_difference_is_told_with_both_sides() -> None:
    mirror = Stages(Standing())
    (difference,) = differences(mirror, Standing(staging="b"), Standing())
    assert str(difference) == "memory: next is b, and the channel of staging names none"


def aliases(registry: MlflowClient) -> dict[str, str]:
    versions = registry.get_registered_model(USE_CASE).aliases
    return {
        alias: registry.get_model_version(USE_CASE, str(number)).tags["release"] for alias, number in versions.items()
    }


@pytest.mark.slow
def test_zenml_and_mlflow_follow_every_change_of_the_channels(
    repository: ReleaseRepository, candidate: Release, second: Release, registry: MlflowClient
) -> None:
    assert agree(repository, USE_CASE).differences == ()
    repository.publish(candidate, "production")
    repository.stage(second, "staging")
    told = agree(repository, USE_CASE, CHANNELS, repair=False)
    assert {(item.mirror, item.role, item.stated, item.right) for item in told.differences} == {
        (kind, role, None, release)
        for kind in ("ZenML", "MLflow")
        for role, release in (("production", candidate.id), ("staging", second.id))
    }
    assert ZenMLStages(USE_CASE).read() == Standing()
    assert not registry.search_registered_models(f"name = '{USE_CASE}'")
    assert len(agree(repository, USE_CASE, CHANNELS).differences) == 4
    assert ZenMLStages(USE_CASE).read() == Standing(candidate.id, second.id), "its version was made"
    assert aliases(registry) == {"champion": candidate.id, "challenger": second.id}
    repository.approve(second.id, "Ada", "a test")
    assert follow(repository, USE_CASE, CHANNELS) == []
    assert (ZenMLStages(USE_CASE).read(), aliases(registry)) == (
        Standing(second.id),
        {"champion": second.id},
    )
    repository.rollback("production", candidate.id, "Ada", "a test")
    assert follow(repository, USE_CASE) == []
    assert (ZenMLStages(USE_CASE).read(), aliases(registry)) == (Standing(candidate.id), {"champion": candidate.id})
    assert agree(repository, USE_CASE).differences == ()
    assert len(registry.search_model_versions(f"name = '{USE_CASE}'")) == 2, "one version a release"
    assert agree(repository, "another use case").standing == Standing(), "its channels name releases of another one"


def test_a_tracker_that_is_gone_is_told_and_the_stages_are_set(
    repository: ReleaseRepository, candidate: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.publish(candidate, "production")
    tracker: Any = Client().active_stack.experiment_tracker
    with monkeypatch.context() as patch:
        patch.setattr(type(tracker), "get_tracking_uri", lambda _: "http://127.0.0.1:9")
        (problem,) = follow(repository, USE_CASE, CHANNELS)
    tracker.configure_mlflow()  # which is of the whole process
    assert problem.startswith("MLflow could not be compared with the channels (")
    assert problem.endswith(f"run `discern release check {USE_CASE}` once it is well.")
    assert ZenMLStages(USE_CASE).read() == Standing(candidate.id)


def test_the_channels_of_a_use_case_without_a_run_are_the_usual_ones(local_stack: object) -> None:
    assert channels_of("nobody-ran-this") == Channels()
