"""The commands that look after a repository of releases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from discern.publication.metadata import Expiries
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from tests.cli.calls import Caller

WHO = ["--by", "Ada", "--why", "a test"]


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return ["--repository", str(tmp_path / "repository"), "--keys", str(tmp_path / "keys")]


def test_init_list_rollback_refresh(
    options: list[str], call: Caller, toy_release: Release, newer_release: Release
) -> None:
    for _ in range(2):
        ended = call("release", "init", *options)
        assert ended.status == 0
    assert f"give devices {options[3]}/root.json once" in ended.out
    repository = ReleaseRepository(options[1], Path(options[3]))
    repository.publish(toy_release, "production")
    repository.publish(newer_release, "production")
    rows = call("release", "list", *options).out
    assert toy_release.id in rows
    assert "production" in next(line for line in rows.splitlines() if newer_release.id in line)
    told = call("release", "rollback", *options, *WHO, toy_release.id).out
    assert told == f"production names {toy_release.id} again.\n"
    assert repository.current("production") == toy_release.id
    assert call("release", "refresh", *options).status == 0


def test_a_release_is_shown_with_its_history(options: list[str], call: Caller, toy_release: Release) -> None:
    call("release", "init", *options)
    repository = ReleaseRepository(options[1], Path(options[3]))
    repository.stage(toy_release, "staging", production="production", judged_against=None, why="better on accuracy")
    assert call("release", "approve", *options, *WHO, toy_release.id).out == f"production names {toy_release.id}.\n"
    shown = call("release", "show", *options, toy_release.id).out
    assert f"Release {toy_release.id} of squares:" in shown
    assert f"stage {toy_release.id} on staging: better on accuracy" in shown
    assert f"approve {toy_release.id} on production by Ada: a test" in shown
    told = call("release", "show", "--json", *options, toy_release.id).result
    assert (told["id"], told["channels"]) == (toy_release.id, ["production"])
    assert [record["action"] for record in told["history"]] == ["stage", "approve", "unstage"]
    assert call("release", "history", *options, "--channel", "production").out.count("\n") == 1
    assert len(call("release", "history", "--json", *options).result) == 3


def test_reject_pin_and_unpin(options: list[str], call: Caller, toy_release: Release, newer_release: Release) -> None:
    call("release", "init", *options)
    repository = ReleaseRepository(options[1], Path(options[3]))
    repository.publish(toy_release, "production")
    repository.stage(newer_release, "staging")
    assert call("release", "reject", *options, *WHO, newer_release.id).status == 0
    assert "rejected by Ada" in str(repository.is_held(newer_release.id, "production"))
    assert call("release", "pin", *options, *WHO, "production").out == "production is pinned.\n"
    assert "was pinned by Ada" in call.refused("release", "approve", *options, *WHO, toy_release.id)
    assert call("release", "unpin", "--json", *options, *WHO, "production").result["pinned"] is False


def test_decisions_are_about_the_channel_of_the_use_case(
    options: list[str], call: Caller, toy_release: Release, newer_release: Release
) -> None:
    call("release", "init", *options)
    repository = ReleaseRepository(options[1], Path(options[3]))
    repository.publish(toy_release, "parts-production")
    repository.stage(newer_release, "parts-staging")
    told = call("release", "approve", *options, *WHO, newer_release.id).out
    assert told == f"parts-production names {newer_release.id}.\n"
    assert call("release", "rollback", *options, *WHO, toy_release.id).out.startswith("parts-production names ")
    assert {channel for item in repository.releases() for channel in item.channels} == {"parts-production"}
    repository.publish(newer_release, "canary")
    assert "say with --channel which one is meant" in call.refused("release", "approve", *options, *WHO, toy_release.id)


def test_production_that_moved_on_is_approved_over_only_anyway(
    options: list[str], call: Caller, toy_release: Release, newer_release: Release
) -> None:
    call("release", "init", *options)
    repository = ReleaseRepository(options[1], Path(options[3]))
    repository.stage(newer_release, "staging", production="production", judged_against=None)
    repository.publish(toy_release, "production")
    command = ["release", "approve", *options, *WHO, newer_release.id]
    assert call.refused(*command).endswith("or approve it all the same with --anyway.")
    assert call(*command, "--anyway").status == 0
    assert repository.current("production") == newer_release.id


def test_a_decision_needs_a_name_and_a_reason(options: list[str], call: Caller) -> None:
    ended = call("release", "approve", *options, "0" * 16, "--why", "a test")
    assert (ended.status, "Missing option '--by'" in ended.err) == (2, True)


def test_rotate_renew_repair_and_collect(options: list[str], call: Caller, toy_release: Release) -> None:
    call("release", "init", *options)
    repository = ReleaseRepository(options[1], Path(options[3]))
    repository.publish(toy_release, "production")
    assert "which root 3 names" in call("release", "rotate", *options, *WHO, "targets").out
    assert call("release", "rotate", "--json", *options, *WHO, "root", "--threshold", "2").result["root"] == 4
    assert "is good until 20" in call("release", "renew-root", *options).out
    assert call("release", "repair", *options).out == f"{options[1]} is whole: nothing was changed.\n"
    (Path(options[1]) / "metadata/timestamp.json").unlink()
    assert "discern release repair" in call.refused("release", "list", *options)
    done = call("release", "repair", "--json", *options).result["done"]
    assert "timestamp.json is missing" in done[0]
    assert repository.current("production") == toy_release.id
    assert call("release", "collect", "--dry-run", *options).out == "0 releases and 0 files: 0.0 MB would be free.\n"
    assert call("release", "collect", "--json", *options).result["bytes"] == 0
    assert call("keys", *options).status == 0


def test_refresh_says_when_the_root_runs_out(options: list[str], call: Caller) -> None:
    ReleaseRepository(options[1], options[3], Expiries(root=timedelta(days=80))).initialise()
    ended = call("release", "refresh", *options)
    assert (ended.status, "run `discern release renew-root`" in ended.err) == (0, True)
    assert "renew-root" in call("release", "refresh", "--json", *options).result["warning"]


def test_the_same_is_told_as_json(options: list[str], call: Caller, toy_release: Release) -> None:
    made = call("release", "init", "--json", *options).result
    assert made == {"repository": options[1], "root": f"{options[3]}/root.json"}
    ReleaseRepository(options[1], Path(options[3])).publish(toy_release, "staging")
    (listed,) = call("release", "list", "--json", *options).result
    assert listed["id"] == toy_release.id
    assert listed["channels"] == ["staging"]


@pytest.mark.parametrize("command", [["list"], ["refresh"], ["rollback", "0" * 16, *WHO]])
def test_errors_are_one_sentence(options: list[str], call: Caller, command: list[str]) -> None:
    assert "discern release init" in call.refused("release", *command, *options)


def test_without_a_home_the_options_are_needed(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISCERN_HOME")
    monkeypatch.delenv("ZENML_CONFIG_PATH")
    assert call.refused("release", "init") == "DISCERN_HOME is not set: run `source .envrc` first."


def test_the_defaults_lie_in_the_home(tmp_path: Path, call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    monkeypatch.delenv("ZENML_CONFIG_PATH")  # no stack says where the repository is
    assert call("release", "init").status == 0
    assert (tmp_path / "releases" / "metadata" / "timestamp.json").is_file()
    assert (tmp_path / "keys" / "root.json").is_file()
    assert call("release", "list").status == 0
