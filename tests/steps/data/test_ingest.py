"""Steps of the data pipeline by their functions: from a folder of photos to a version, its report and the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.manifest import DatasetVersion
from discern.datasets.splits.assign import SplitConfig
from discern.errors import DataError, GateError
from discern.quality.checks import CheckConfig
from orchestration import storage_layout
from steps.data.check import check
from steps.data.fingerprint_source import fingerprint_source
from steps.data.gate import gate
from steps.data.ingest import RejectedPhotos, ingest
from tests.discern.pictures import fill, jpeg
from tests.discern.sources.enrolled.ledgers import Enrolments

pytestmark = pytest.mark.usefixtures("local_stack")
SPLITS = SplitConfig(validation_share=0.3, test_share=0.3)


def test_ingest_writes_shards_beside_the_artifact_store_and_says_what_it_left_out(
    tmp_path: Path, local_stack: Path
) -> None:
    fill(tmp_path, classes=8, each=4)
    (tmp_path / "c00" / "broken.jpg").write_bytes(b"not a photo")
    source = {"kind": "folder", "path": str(tmp_path)}
    fingerprint = fingerprint_source.entrypoint(source)
    cleaning = CleaningConfig(max_rejected_share=0.2)
    version, rejected = ingest.entrypoint(source, fingerprint, SPLITS, cleaning)
    assert len(version) == 32
    assert version.shards == storage_layout.shards() == str(local_stack / "datasets" / "shards")
    assert [photo.kind for photo in rejected.photos] == ["broken"]


def test_ingest_refuses_a_source_that_changed_since_the_run_was_started(tmp_path: Path) -> None:
    fill(tmp_path, classes=2, each=2)
    source = {"kind": "folder", "path": str(tmp_path)}
    with pytest.raises(DataError, match="changed after the run was started: wait until nothing changes it"):
        ingest.entrypoint(source, "another fingerprint", SPLITS, CleaningConfig())


def test_check_puts_the_report_where_people_find_it_and_gate_acts_on_it(tmp_path: Path, local_stack: Path) -> None:
    fill(tmp_path, classes=12, each=6)
    source = {"kind": "folder", "path": str(tmp_path)}
    version, rejected = ingest.entrypoint(source, fingerprint_source.entrypoint(source), SPLITS, CleaningConfig())
    config = CheckConfig(samples_per_split=32, min_photos_per_class=100)
    report, html = check.entrypoint(version, rejected, "checked", config, CleaningConfig().max_rejected_share)
    folder = local_stack / "reports" / "data" / "checked" / version.id
    assert (folder / "index.html").read_text().startswith("<!doctype html>")
    assert (local_stack / "reports" / "plotly.min.js").is_file()
    assert f"Dataset version {version.id} of checked" in html
    assert "photos/" not in html.split("</nav>")[1].replace("data:", "")
    with pytest.raises(GateError, match="class_counts"):
        gate.entrypoint(version, report)
    passing = report.model_copy(update={"passed": True})
    assert gate.entrypoint(version, passing) is version


def test_where_too_many_photos_are_broken_the_page_names_them_and_the_gate_refuses(
    tmp_path: Path, local_stack: Path
) -> None:
    fill(tmp_path, classes=8, each=4)
    for number in range(3):
        (tmp_path / "c00" / f"broken{number}.jpg").write_bytes(b"not a photo")
    source = {"kind": "folder", "path": str(tmp_path)}
    cleaning = CleaningConfig()
    version, rejected = ingest.entrypoint(source, fingerprint_source.entrypoint(source), SPLITS, cleaning)
    config = CheckConfig(samples_per_split=32)
    report, _ = check.entrypoint(version, rejected, "broken", config, cleaning.max_rejected_share)
    page = (local_stack / "reports" / "data" / "broken" / version.id / "index.html").read_text()
    assert all(f"broken{number}.jpg" in page for number in range(3))
    with pytest.raises(GateError, match=r"broken_photos \(at most 1\.0% .*: c00/broken0\.jpg, .*broken2\.jpg; "):
        gate.entrypoint(version, report)


def test_rejected_photos_come_back_from_json() -> None:
    content = {"photos": [{"name": "a.jpg", "reason": "a.jpg: no image.", "kind": "broken"}]}
    assert RejectedPhotos.model_validate(content).photos[0].name == "a.jpg"


def ingested(source: dict[str, Any]) -> DatasetVersion:
    version: DatasetVersion = ingest.entrypoint(
        source, fingerprint_source.entrypoint(source), SplitConfig(), CleaningConfig()
    )[0]
    return version


def test_ingest_names_the_photos_of_one_source_by_the_source_itself(tmp_path: Path) -> None:
    version = ingested({"kind": "folder", "path": str(fill(tmp_path / "parts", 8, 3))})
    assert version.column("source")[0] == "parts/c00/0.jpg"


def test_ingest_makes_one_version_of_several_sources(tmp_path: Path) -> None:
    base, more = fill(tmp_path / "parts", 8, 3), fill(tmp_path / "more", 2, 2)
    for number, path in enumerate(sorted(more.rglob("*.jpg"))):
        path.write_bytes(jpeg(70 + number))
    sources = [
        {"name": "base", "source": {"kind": "folder", "path": str(base)}},
        {"name": "more", "source": {"kind": "folder", "path": str(more)}, "label_method": "correction"},
    ]
    version = ingested({"sources": sources})
    assert version.column("source")[::24] == ["base/c00/0.jpg", "more/c00/0.jpg"]
    assert version.column("label_method")[::24] == ["import", "correction"]


def test_ingest_reads_what_was_enrolled_and_the_page_names_what_was_withdrawn(
    tmp_path: Path, local_stack: Path
) -> None:
    enrolments = Enrolments(tmp_path / "ledger")
    enrolments.add([("nut", jpeg(90_001)), ("nut", jpeg(90_002))], retire=("c00",))
    own = {"kind": "folder", "path": str(fill(tmp_path / "parts", 9, 3))}
    source = {"own": own, "enrolments": enrolments.ledger.url}
    fingerprint = fingerprint_source.entrypoint(source)
    version, rejected = ingest.entrypoint(source, fingerprint, SPLITS, CleaningConfig())
    assert version.column("source")[0] == "parts/c01/0.jpg"
    assert version.column("label")[-2:] == ["nut", "nut"]
    assert {one.kind for one in rejected.photos} == {"withdrawn"}
    check.entrypoint(version, rejected, "enrolled", CheckConfig(samples_per_split=32), 0.0)
    page = (local_stack / "reports" / "data" / "enrolled" / version.id / "index.html").read_text()
    assert "Of classes that were retired, or whose photos were replaced (3)" in page
    assert "was retired on 2026-11-29 by Ana" in page
    enrolments.add(retire=("c01",))
    with pytest.raises(DataError, match="changed after the run was started"):
        ingest.entrypoint(source, fingerprint, SPLITS, CleaningConfig())
