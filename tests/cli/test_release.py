"""The commands that look after a repository of releases."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from tests.cli.calls import Caller


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
    assert call("release", "rollback", *options, toy_release.id).out == f"production names {toy_release.id} again.\n"
    assert repository.current("production") == toy_release.id
    assert call("release", "refresh", *options).status == 0


def test_the_same_is_told_as_json(options: list[str], call: Caller, toy_release: Release) -> None:
    made = call("release", "init", "--json", *options).result
    assert made == {"repository": options[1], "root": f"{options[3]}/root.json"}
    ReleaseRepository(options[1], Path(options[3])).publish(toy_release, "staging")
    (listed,) = call("release", "list", "--json", *options).result
    assert listed["id"] == toy_release.id
    assert listed["channels"] == ["staging"]


@pytest.mark.parametrize("command", [["list"], ["refresh"], ["rollback", "0" * 16]])
def test_errors_are_one_sentence(options: list[str], call: Caller, command: list[str]) -> None:
    assert "discern release init" in call.refused("release", *command, *options)


def test_without_a_home_the_options_are_needed(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISCERN_HOME")
    assert call.refused("release", "init") == "DISCERN_HOME is not set: run `source .envrc` first."


def test_the_defaults_lie_in_the_home(tmp_path: Path, call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    assert call("release", "init").status == 0
    assert (tmp_path / "releases" / "metadata" / "timestamp.json").is_file()
    assert (tmp_path / "keys" / "root.json").is_file()
    assert call("release", "list").status == 0
