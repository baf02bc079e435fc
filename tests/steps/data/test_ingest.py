"""The step that makes a version, called as a function: of one source, and of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.manifest import DatasetVersion
from discern.datasets.splits.assign import SplitConfig
from discern.errors import DataError
from discern.sources.registry import open_source, read_source_config
from orchestration import workspace
from steps.data.ingest import RejectedPhotos, ingest
from tests.discern.pictures import fill, jpeg


@pytest.fixture(autouse=True)
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "shards", lambda: str(tmp_path / "shards"))


def made(source: dict[str, Any], fingerprint: str | None = None) -> tuple[DatasetVersion, RejectedPhotos]:
    opened = open_source(read_source_config(source))
    result: tuple[DatasetVersion, RejectedPhotos] = ingest.entrypoint(
        source=source,
        fingerprint=opened.fingerprint() if fingerprint is None else fingerprint,
        splits=SplitConfig(),
        cleaning=CleaningConfig(),
    )
    return result


def test_one_source_names_its_photos_by_itself(tmp_path: Path) -> None:
    version, rejected = made({"kind": "folder", "path": str(fill(tmp_path / "parts", 8, 3))})
    assert version.column("source")[0] == "parts/c00/0.jpg"
    assert rejected.photos == ()


def test_several_sources_make_one_version(tmp_path: Path) -> None:
    base, more = fill(tmp_path / "parts", 8, 3), fill(tmp_path / "more", 2, 2)
    for number, path in enumerate(sorted(more.rglob("*.jpg"))):
        path.write_bytes(jpeg(70 + number))
    sources = [
        {"name": "base", "source": {"kind": "folder", "path": str(base)}},
        {"name": "more", "source": {"kind": "folder", "path": str(more)}, "label_method": "correction"},
    ]
    version, _ = made({"sources": sources})
    assert version.column("source")[::24] == ["base/c00/0.jpg", "more/c00/0.jpg"]
    assert version.column("label_method")[::24] == ["import", "correction"]


def test_a_source_that_changed_after_the_run_was_started_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="parts changed after the run was started"):
        made({"kind": "folder", "path": str(fill(tmp_path / "parts", 8, 3))}, fingerprint="of yesterday")
