"""Whatever a publisher is cut off in: devices take a whole release, and the next publisher goes on at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.core.release import Release
from tests.discern.publication.kills import cases, kills
from tests.edge_runtime.toy_release import COLOURS, build_toy

CASES = [
    "publish",
    "rollback",
    "repair",
    "collect",
    *(f"rotate {role}" for role in ("root", "targets", "snapshot", "timestamp")),
]
SAMPLED = 11  # of the writes of a case, in the quick run one in so many


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Release, ...]:
    """Three releases of one use case."""
    folder = tmp_path_factory.mktemp("releases")
    return tuple(
        build_toy(folder / str(number), colours={**COLOURS, "orange": (250, 140, 20 + number)}) for number in range(3)
    )


@pytest.fixture(autouse=True)
def _without_a_selftest(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tested elsewhere, and takes most of a pull."""
    monkeypatch.setattr("edge_runtime.device.updates.run_selftest", lambda _folder, _release: None)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_kill_breaks_nothing(name: str, releases: tuple[Release, ...], tmp_path: Path) -> None:
    found = list(kills(name, cases(releases[2])[name], releases, tmp_path, SAMPLED))
    assert len(found) >= 2
    assert [broken for broken in found if broken] == []


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_no_kill_breaks_anything(name: str, releases: tuple[Release, ...], tmp_path: Path) -> None:
    found = list(kills(name, cases(releases[2])[name], releases, tmp_path))
    assert len(found) >= 8
    assert [broken for broken in found if broken] == []
