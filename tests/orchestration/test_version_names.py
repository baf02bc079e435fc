"""Names of dataset versions that need no run of a pipeline; the others are in tests/e2e/test_versions.py."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from cli.main import main
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import save_manifest
from discern.errors import ConfigError, DataError
from orchestration.version_names import VersionRecord, _listed, _with_id, open_version, use_cases
from tests.discern.pictures import photos
from tests.orchestration.toy_pipelines import run_data

RECORDS = [VersionRecord(name, ()) for name in ("2d1f503f7d4fc810", "2d1fffff7d4fc810", "4d41bd3fe0c7db13")]


def test_an_id_may_be_shortened_and_in_capitals() -> None:
    assert _with_id(RECORDS, "4D41").id == "4d41bd3fe0c7db13"
    assert _with_id(RECORDS, "2d1f503f7d4fc810").id == "2d1f503f7d4fc810"


def test_a_start_that_two_ids_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="'2d1f' may be 2d1f503f7d4fc810, 2d1fffff7d4fc810: write more of the id"):
        _with_id(RECORDS, "2d1f")


def test_a_long_list_is_cut() -> None:
    assert _listed("abc") == "a, b, c"
    assert _listed("abcdefg") == "a, b, c, d, e and 2 more"


@pytest.mark.usefixtures("local_stack")
def test_use_cases_are_not_the_further_tags_of_their_runs() -> None:
    run_data("named-b", tags=["nightly"])
    run_data("named-a", passes=False)
    names = use_cases()
    assert [name for name in names if name.startswith("named")] == ["named-a", "named-b"]
    assert "nightly" not in names


def test_a_manifest_at_a_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version, _ = write_version(photos(8, 3), str(tmp_path / "shards"))
    save_manifest(version, tmp_path / "manifest.parquet")
    assert open_version(str(tmp_path / "manifest.parquet")).id == version.id
    assert main(["data", "restore", str(tmp_path / "manifest.parquet"), str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").glob("*/*.jpg"))) == 24
    assert "24 pictures of 8 classes" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"none\.parquet does not exist"):
        open_version("none.parquet")


def test_a_manifest_in_a_bucket(tmp_path: Path, s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCERN_CACHE", str(tmp_path / "cache"))
    boto3.client("s3").create_bucket(Bucket="names")
    version, _ = write_version(photos(8, 3), "s3://names/shards")
    save_manifest(version, tmp_path / "manifest.parquet")
    boto3.client("s3").upload_file(str(tmp_path / "manifest.parquet"), "names", "zenml/manifest.parquet")
    assert open_version("s3://names/zenml/manifest.parquet").id == version.id
    for missing in ("s3://names/none.parquet", "s3://nobody-made-this/manifest.parquet"):
        with pytest.raises(DataError, match=r"^s3://.*: .*\.$") as caught:
            open_version(missing)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"^nowhere://manifest\.parquet cannot be read"):
        open_version("nowhere://manifest.parquet")
