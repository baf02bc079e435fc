from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from discern.releases.footprint import peak_memory_mb
from edge_runtime.core.release import Release
from edge_runtime.errors import ReleaseError
from tests.edge_runtime.toy_release import COLOURS, photo


def test_a_process_that_identifies_takes_some_memory(toy_release: Release) -> None:
    used = peak_memory_mb(toy_release, photo(COLOURS["red"]))
    assert 30 < used < 1000


def test_the_memory_of_the_process_that_measures_does_not_count(toy_release: Release) -> None:
    ballast = np.ones(150_000_000)  # 1.2 GB
    assert peak_memory_mb(toy_release, photo(COLOURS["red"])) < 1000 < ballast.nbytes / 1e6


def test_a_release_that_does_not_load_is_named(toy_release: Release, tmp_path: Path) -> None:
    gone = replace(toy_release, folder=tmp_path / "gone")
    with pytest.raises(ReleaseError, match=f"release {toy_release.id} cannot identify in a process of its own"):
        peak_memory_mb(gone, photo(COLOURS["red"]))
