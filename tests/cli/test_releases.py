from __future__ import annotations

from pathlib import Path

import pytest

from cli.releases import main
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release


@pytest.fixture
def place(tmp_path: Path) -> list[str]:
    return ["--repository", str(tmp_path / "repository"), "--keys", str(tmp_path / "keys")]


def test_init_list_rollback_refresh(
    place: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    toy_release: Release,
    newer_release: Release,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for _ in range(2):
        assert main(["init", *place]) == 0
    assert f"give devices {place[3]}/root.json once" in capsys.readouterr().out
    repository = ReleaseRepository(place[1], Path(place[3]))
    repository.publish(toy_release, "production")
    repository.publish(newer_release, "production")
    assert main(["list", *place]) == 0
    rows = capsys.readouterr().out
    assert toy_release.id in rows
    assert "production" in next(line for line in rows.splitlines() if newer_release.id in line)
    assert main(["rollback", *place, toy_release.id]) == 0
    assert repository.current("production") == toy_release.id
    assert main(["refresh", *place]) == 0


@pytest.mark.parametrize("command", [["list"], ["refresh"], ["rollback", "0" * 16]])
def test_errors_are_one_sentence(place: list[str], capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert main([*command, *place]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "python -m cli.releases init" in captured.err


def test_a_wrong_call_is_status_2(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISCERN_HOME")
    with pytest.raises(SystemExit) as caught:
        main(["init"])
    assert caught.value.code == 2
    assert "--repository" in capsys.readouterr().err


def test_the_places_are_those_of_the_home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    assert main(["init"]) == 0
    assert (tmp_path / "releases" / "metadata" / "timestamp.json").is_file()
    assert (tmp_path / "keys" / "root.json").is_file()
    assert main(["list"]) == 0
